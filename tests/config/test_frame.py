"""The frame of a model, and its words."""

import pytest

from tfxfer.config.frame import Frame, as_size, sides, size_of, size_words

SIZES = {224: (224, 224), "224x320": (224, 320), "8x4096": (8, 4096)}


@pytest.mark.parametrize(("size", "both"), SIZES.items())
def test_a_size_is_a_side_or_height_and_width(size, both):
    assert sides(size) == both
    assert size_of(*both) == size
    assert as_size(size) == size
    assert Frame.of(size, "pad") == Frame(*both, "pad")
    assert Frame.of(size).size == size
    assert size_words(size) == f"{both[0]} x {both[1]}"


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ("224", 224),
        (" 224 ", 224),
        ("224x224", 224),
        ("224X320", "224x320"),
        ("224 x 320", "224x320"),
        ((224, 320), "224x320"),
        ([224, 224], 224),
        *((value, value) for value in (None, "large", "224x", "-8x9", 2.5, (1, 2, 3), True)),
    ],
)
def test_what_a_user_may_give_becomes_a_size_and_all_else_stays(given, size):
    assert as_size(given) == size


def test_a_text_that_is_no_size_has_no_sides():
    with pytest.raises(ValueError, match="no size"):
        sides("large")


def test_a_number_is_the_side_of_a_square_that_images_are_cropped_to():
    frame = Frame.of(32)
    assert frame == Frame(32, 32, "crop")
    assert Frame.of(frame) is frame
    assert (frame.size, frame.shape, frame.longer) == (32, (32, 32, 3), 32)


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        ("crop", "center crop resized to 32 x 32"),
        ("stretch", "stretched to 32 x 32"),
        ("pad", "resized and padded with gray to 32 x 32"),
    ],
)
def test_what_is_done_to_images_is_said_in_words(fit, words):
    assert Frame.of(32, fit).words == words
