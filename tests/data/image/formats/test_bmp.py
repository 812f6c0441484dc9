"""BMP files."""

import numpy as np
import pytest
import tensorflow as tf
from image_files import FILES, as_pillow_shows

from tfxfer.data.image.decoding import height_and_width
from tfxfer.data.image.formats import bmp


@pytest.mark.parametrize("name", [name for name in FILES if "bmp" in name])
def test_every_kind_of_bmp_is_what_pillow_shows(name):
    content = tf.constant(FILES[name])
    assert bmp.why_unreadable(content).numpy() == b""
    assert bmp.height_and_width(content).numpy().tolist() == [37, 53]
    difference = bmp.decode(content).numpy().astype(int) - as_pillow_shows(FILES[name])
    assert np.abs(difference).max() <= (1 if "alpha" in name else 0)


def test_the_height_of_a_bmp_may_be_negative():
    upside_down = bytearray(FILES["bmp"])
    upside_down[22:26] = (-37).to_bytes(4, "little", signed=True)
    assert height_and_width(tf.constant(bytes(upside_down))).numpy().tolist() == [37, 53]
