"""WebP files."""

import numpy as np
import pytest
import tensorflow as tf
from image_files import FILES, TURNED, as_pillow_shows

from tfxfer.data.image.formats import webp


@pytest.mark.parametrize("name", [name for name in FILES if "webp" in name])
def test_every_kind_of_webp_is_what_pillow_shows(name):
    content = tf.constant(FILES[name])
    assert webp.why_unreadable(content).numpy() == b""
    assert webp.height_and_width(content).numpy().tolist() == [37, 53]
    difference = webp.decode(content).numpy().astype(int) - as_pillow_shows(FILES[name])
    assert np.abs(difference).max() <= (1 if "alpha" in name else 0)


@pytest.mark.parametrize("number", range(1, 9))
def test_the_orientation_of_a_webp_is_that_of_its_exif(number):
    content = tf.constant(TURNED[f"webp {number}"])
    assert webp.orientation(content).numpy() == number
    np.testing.assert_array_equal(webp.decode(content), as_pillow_shows(TURNED[f"webp {number}"]))


def test_a_webp_that_is_cut_off_says_so():
    reason = webp.why_unreadable(tf.constant(FILES["webp"][:-3])).numpy()
    assert reason == b"it is an incomplete WebP file"
