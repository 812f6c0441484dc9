"""Images of other channels than RGB: eagerly, in tf.data and in graphs that need no Python."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from conftest import file_of, scene
from PIL import Image

from tfxfer.config.frame import Frame
from tfxfer.data.image.channels import decode_and_resize, decode_channels, is_rgba, to_channels
from tfxfer.data.image.decoding import decode
from tfxfer.data.image.failures import readable_reason
from tfxfer.data.image.formats.arrays.numpy_files import encoded as npy
from tfxfer.data.image.framing import resize

SCENE = scene(0, (30, 20))
RGBA = SCENE.copy()
RGBA.putalpha(scene(1, (30, 20)).convert("L"))
GRAY = SCENE.convert("L")
TURNED = Image.Exif()
TURNED[0x112] = 6

GRAYS = {
    "png": file_of(GRAY, "PNG"),
    "jpeg": file_of(GRAY, "JPEG"),
    "png of equal colors": file_of(GRAY.convert("RGB"), "PNG"),
    "png of 16 bits": file_of(Image.fromarray(np.asarray(GRAY).astype(np.uint16) * 257), "PNG"),
    "bmp": file_of(GRAY, "BMP"),
    "npy": npy(np.asarray(GRAY)),
    "tiff": file_of(GRAY, "TIFF"),
}


@functools.cache
def in_a_graph(channels, portable):
    signature = [tf.TensorSpec((), tf.string)]
    return tf.function(
        lambda content: decode_channels(content, channels, portable=portable),
        signature,
        autograph=False,
    )


def both_ways(content, channels, portable):
    """Returns an image as it is decoded eagerly, after a check that a graph gives the same."""
    eagerly = decode_channels(tf.constant(content), channels, portable=portable).numpy()
    graph = in_a_graph(channels, portable)
    assert graph.get_concrete_function().output_shapes.as_list() == [None, None, channels]
    np.testing.assert_array_equal(graph(content), eagerly)
    return eagerly


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("name", GRAYS)
def test_gray_has_one_channel_that_of_rgb(name, portable):
    if portable and name == "tiff":
        return  # no graph decodes it
    content = GRAYS[name]
    found = both_ways(content, 1, portable)
    expected = decode(tf.constant(content), portable=False).numpy()
    np.testing.assert_array_equal(found, expected[:, :, :1])


@pytest.mark.parametrize("portable", [False, True])
def test_four_channels_are_those_of_a_png_with_alpha(portable):
    np.testing.assert_array_equal(both_ways(file_of(RGBA, "PNG"), 4, portable), np.asarray(RGBA))
    turned = file_of(RGBA, "PNG", exif=TURNED)
    expected = np.rot90(np.asarray(RGBA), -1)
    np.testing.assert_array_equal(both_ways(turned, 4, portable), expected)
    assert is_rgba(turned)
    assert not is_rgba(GRAYS["png"])


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("channels", [4, 5])
def test_numpys_files_have_any_channels(channels, portable):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 9, channels), np.uint8)
    np.testing.assert_array_equal(both_ways(npy(pixels), channels, portable), pixels)


def test_three_channels_are_decoded_as_ever():
    for content in (file_of(SCENE, "JPEG"), file_of(RGBA, "PNG"), GRAYS["tiff"]):
        found = decode_channels(tf.constant(content), 3)
        np.testing.assert_array_equal(found, decode(tf.constant(content), portable=False))


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize(
    ("content", "channels", "reason"),
    [
        (file_of(SCENE, "JPEG"), 1, "it has colors, not 1 channel"),
        (file_of(SCENE, "PNG"), 1, "it has colors, not 1 channel"),
        (file_of(SCENE, "JPEG"), 4, "it does not have 4 channels: it is .*PNG of RGB with alpha"),
        (file_of(SCENE, "PNG"), 4, "it does not have 4 channels: it is .*PNG of RGB with alpha"),
        (file_of(SCENE, "PNG"), 5, r"it does not have 5 channels: it is (no|neither an) .npy"),
        (b"", 5, "it does not have 5 channels"),
        (b"", 1, "it is empty"),
        (b"\x89PNG\r\n\x1a\n", 4, "it does not have 4 channels"),
        (npy(np.zeros((4, 4, 4), np.uint8)), 5, "it has 4 channels, not 5"),
        (npy(np.zeros((4, 4, 4), np.uint8))[:-1], 4, "incomplete"),
        (npy(np.full((4, 4, 4), np.nan)), 4, "it has NaN"),
    ],
)
def test_other_images_are_refused_in_a_sentence(content, channels, reason, portable):
    for attempt in (
        lambda: decode_channels(tf.constant(content), channels, portable=portable),
        lambda: in_a_graph(channels, portable)(content),
    ):
        with pytest.raises(tf.errors.OpError, match=reason) as caught:
            attempt()
        assert readable_reason(caught.value).startswith("it ")


def test_a_pipeline_that_fails_gives_the_same_reason():
    images = tf.data.Dataset.from_tensors(npy(np.zeros((4, 4, 4), np.uint8)))
    with pytest.raises(tf.errors.OpError) as caught:
        next(iter(images.map(lambda one: decode_channels(one, 5))))
    assert readable_reason(caught.value) == "it has 4 channels, not 5"


def test_decoded_images_keep_their_channels_or_become_gray():
    four = tf.zeros((3, 3, 4), tf.uint8)
    assert to_channels(four, 4) is four
    gray = np.repeat(np.asarray(GRAY)[:, :, np.newaxis], 3, axis=2)
    np.testing.assert_array_equal(to_channels(tf.constant(gray), 1), gray[:, :, :1])
    for pixels, channels, reason in (
        (np.asarray(SCENE), 1, "it has colors"),
        (np.asarray(SCENE), 5, "it has 3 channels, not 5"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
            to_channels(tf.constant(pixels), channels)


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
def test_channels_are_resized_one_by_one(fit):
    pixels = np.concatenate([np.asarray(SCENE), np.asarray(scene(1, (30, 20)))], axis=2)
    found = decode_and_resize(tf.constant(npy(pixels)), Frame(16, 16, fit, 6)).numpy()
    assert found.shape == (16, 16, 6)
    for part in (slice(0, 3), slice(3, 6)):
        expected = resize(tf.constant(pixels[:, :, part]), Frame(16, 16, fit))
        np.testing.assert_array_equal(found[:, :, part], expected)
