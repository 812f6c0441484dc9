"""JPEG files, by the functions of their own."""

import numpy as np
import pytest
import tensorflow as tf
from image_files import FILES, TURNED, as_pillow_shows

from tfxfer.data.image.formats import jpeg


@pytest.mark.parametrize("name", [name for name in FILES if "jpeg" in name])
def test_every_kind_of_jpeg_is_what_pillow_shows(name):
    content = tf.constant(FILES[name])
    assert jpeg.why_unreadable(content).numpy() == b""
    assert jpeg.height_and_width(content).numpy().tolist() == [37, 53]
    difference = jpeg.decode(content).numpy().astype(int) - as_pillow_shows(FILES[name])
    assert np.abs(difference).max() <= (1 if "alpha" in name else 0)


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("order", ["little", "big"])
def test_the_orientation_of_a_jpeg_is_that_of_its_exif(number, order):
    content = TURNED[f"jpeg {number} {order}"]
    assert jpeg.orientation(tf.constant(content)).numpy() == number


def test_the_exif_of_a_jpeg_is_found_behind_other_segments():
    assert jpeg.orientation(tf.constant(TURNED["jpeg 6 after others"])).numpy() == 6


def test_a_jpeg_that_is_cut_off_says_so():
    reason = jpeg.why_unreadable(tf.constant(FILES["jpeg"][:-1])).numpy()
    assert reason == b"it is a truncated JPEG file"
