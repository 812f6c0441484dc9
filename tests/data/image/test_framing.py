"""How an image is fitted into the frame of a model; compared with Pillow."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfxfer.config.frame import Frame
from tfxfer.data.image.framing import PADDING, resize

FITS = ("crop", "stretch", "pad")


def noise_of(height, width):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def scaled(pixels, height, width):
    """Returns what Pillow makes of an image at a size."""
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def check_close(found, expected):
    """Asserts that an image is another one within a gray level."""
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(53, 37, 20), (53, 37, 64), (200, 300, 224), (100, 100, 99), (500, 20, 32), (8, 8, 32)],
)
def test_the_middle_square_is_resized_within_one_gray_level_of_pillow(height, width, size):
    noise = noise_of(height, width)
    side, top, left = min(height, width), max(height - width, 0) // 2, max(width - height, 0) // 2
    square = Image.fromarray(noise).crop((left, top, left + side, top + side))
    expected = square.resize((size, size), Image.Resampling.BILINEAR)
    resized = resize(tf.constant(noise), size)
    assert resized.dtype == tf.uint8
    difference = np.abs(resized.numpy().astype(int) - np.asarray(expected))
    assert difference.max() <= 1
    (in_pipeline,) = tf.data.Dataset.from_tensors(noise).map(lambda image: resize(image, size))
    np.testing.assert_array_equal(in_pipeline, resized)


@pytest.mark.parametrize(("height", "width"), [(50, 100), (100, 50), (7, 300), (40, 40)])
def test_a_stretched_image_is_all_of_it_at_the_size(height, width):
    pixels = noise_of(height, width)
    found = resize(tf.constant(pixels), Frame.of(32, "stretch")).numpy()
    check_close(found, scaled(pixels, 32, 32))


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    # The last one would have a fifth of a pixel; 64.5 is rounded up.
    [(50, 100, 16, 32), (100, 50, 32, 16), (40, 40, 32, 32), (9, 64, 5, 32), (2, 330, 1, 32)],
)
def test_a_padded_image_is_all_of_it_in_its_shape_on_gray(height, width, rows, columns):
    pixels = noise_of(height, width)
    found = resize(tf.constant(pixels), Frame.of(32, "pad")).numpy()
    top, left = (32 - rows) // 2, (32 - columns) // 2
    inner = slice(top, top + rows), slice(left, left + columns)
    check_close(found[inner], scaled(pixels, rows, columns))
    found[inner] = PADDING
    assert (found == PADDING).all()


@pytest.mark.parametrize("place", ["left", "right", "top", "bottom"])
def test_a_mark_at_the_end_of_an_oblong_image_is_seen_unless_it_is_cropped(place):
    pixels = np.zeros((50, 100, 3), np.uint8)
    pixels[:, :20] = (255, 0, 0)
    turns = {"left": 0, "bottom": 1, "right": 2, "top": 3}[place]
    image = tf.constant(np.rot90(pixels, turns).copy())
    seen = {fit: resize(image, Frame.of(40, fit)).numpy() for fit in FITS}
    red = {fit: ((one == (255, 0, 0)).all(axis=-1)).sum() for fit, one in seen.items()}
    # A fifth of the image: of 40 x 40 pixels, and of 40 x 20.
    assert red["crop"] == 0
    assert red["stretch"] == pytest.approx(320, abs=40)
    assert red["pad"] == pytest.approx(160, abs=20)


@pytest.mark.parametrize("fit", FITS)
def test_a_pipeline_gives_the_same_and_knows_the_shape(fit):
    pixels, frame = noise_of(21, 50), Frame.of(24, fit)
    dataset = tf.data.Dataset.from_tensors(pixels).map(lambda image: resize(image, frame))
    assert dataset.element_spec.shape == (24, 24, 3)
    (found,) = dataset
    np.testing.assert_array_equal(found, resize(tf.constant(pixels), frame))


@pytest.mark.parametrize("fit", FITS)
def test_an_image_that_has_the_size_is_returned_as_it_is(fit):
    pixels = noise_of(31, 31)
    np.testing.assert_array_equal(resize(tf.constant(pixels), Frame.of(31, fit)), pixels)
