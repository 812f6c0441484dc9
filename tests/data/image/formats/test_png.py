"""PNG files."""

import numpy as np
import pytest
import tensorflow as tf
from image_files import FILES, TURNED, as_pillow_shows, png_of_16_bits

from tfxfer.data.image.decoding import decode
from tfxfer.data.image.formats import png


@pytest.mark.parametrize("name", [name for name in FILES if "png" in name])
def test_every_kind_of_png_is_what_pillow_shows(name):
    content = tf.constant(FILES[name])
    assert png.why_unreadable(content).numpy() == b""
    assert png.height_and_width(content).numpy().tolist() == [37, 53]
    difference = png.decode(content).numpy().astype(int) - as_pillow_shows(FILES[name])
    assert np.abs(difference).max() <= (1 if "alpha" in name else 0)


@pytest.mark.parametrize("number", range(1, 9))
def test_the_orientation_of_a_png_is_that_of_its_exif(number):
    assert png.orientation(tf.constant(TURNED[f"png {number}"])).numpy() == number


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_16_bit_png_keeps_the_upper_8_bits(channels):
    content, samples = png_of_16_bits(channels, 0)
    assert content[24] == 16
    upper = (samples >> 8).astype(np.float64)
    colors = upper[..., : 1 if channels < 3 else 3]
    if channels in (2, 4):
        alpha = upper[..., -1:] / 255
        colors = alpha * colors + (1 - alpha) * 255
    expected = np.broadcast_to(np.round(colors), (37, 53, 3))
    (in_pipeline,) = tf.data.Dataset.from_tensors(content).map(decode)
    for decoded in (decode(tf.constant(content)), in_pipeline):
        difference = np.abs(decoded.numpy() - expected)
        assert difference.max() <= (1 if channels in (2, 4) else 0)
