"""JPEG files of four inks."""

import numpy as np
import tensorflow as tf
from image_files import FILES, as_pillow_shows

from tfxfer.data.image.formats import cmyk


def test_inks_become_rgb_as_in_pillow():
    content = FILES["cmyk jpeg"]
    frame, scan = content.index(b"\xff\xc0"), content.index(b"\xff\xda")
    places = (tf.constant(place, tf.int64) for place in (frame, scan))
    shown = cmyk.decode(tf.constant(content), *places, tf.constant(False))
    np.testing.assert_array_equal(shown, as_pillow_shows(content))
