"""GIF files."""

import numpy as np
import pytest
import tensorflow as tf
from image_files import FILES, as_pillow_shows

from tfxfer.data.image.formats import gif


@pytest.mark.parametrize("name", [name for name in FILES if "gif" in name])
def test_every_kind_of_gif_is_what_pillow_shows(name):
    content = tf.constant(FILES[name])
    assert gif.why_unreadable(content).numpy() == b""
    assert gif.height_and_width(content).numpy().tolist() == [37, 53]
    difference = gif.decode(content).numpy().astype(int) - as_pillow_shows(FILES[name])
    assert np.abs(difference).max() <= (1 if "alpha" in name else 0)


def test_a_picture_that_does_not_fill_the_screen_is_shown_on_it():
    content = bytearray(FILES["gif"])
    content[6:10] = b"\x40\0\x30\0"  # the screen is 64 x 48, the picture 53 x 37
    at = content.index(b",\0\0\0\0\x35\0\x25\0")
    content[at + 1 : at + 5] = b"\x05\0\x03\0"
    assert gif.height_and_width(tf.constant(bytes(content))).numpy().tolist() == [48, 64]
    shown = gif.decode(tf.constant(bytes(content))).numpy()
    assert shown.shape == (48, 64, 3)
    np.testing.assert_array_equal(shown[3:40, 5:58], as_pillow_shows(FILES["gif"]))


def test_a_gif_without_an_image_is_refused():
    reason = gif.why_unreadable(tf.constant(FILES["gif"][:30])).numpy()
    assert b"GIF file without an image" in reason
