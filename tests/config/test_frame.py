"""The frame of a model, and its words."""

import pytest

from tfxfer.config.frame import Frame


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
