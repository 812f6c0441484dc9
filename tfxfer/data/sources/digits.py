"""The bundled data: handwritten digits from scikit-learn, which need no download."""

import numpy as np
import tensorflow as tf

from tfxfer.config.schema import BUNDLED_DATA
from tfxfer.data.source import Source, in_any_order
from tfxfer.system.digests import ids_of


def open_digits() -> Source:
    """Returns 1,797 handwritten digits of 8x8 pixels, as RGB with three equal channels.

    Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository.
    """
    # scikit-learn takes a second to import and serves no other source.
    from sklearn.datasets import load_digits

    digits = load_digits()
    gray = np.round(digits.images * (255 / 16)).astype(np.uint8)  # from 0..16
    images = tf.constant(np.repeat(gray[..., np.newaxis], 3, axis=-1))  # (1797, 8, 8, 3)
    split = in_any_order(
        digits.target.astype(np.int64),
        lambda index: tf.gather(images, index),
        lambda index: f"digits #{index}",
        lambda: ids_of((image.tobytes(),) for image in gray),
    )
    return Source(
        name=BUNDLED_DATA,
        class_names=tuple(str(name) for name in digits.target_names),
        splits={"train": split},
        image_height_width=(8, 8),
        mirrored=False,
        origin=BUNDLED_DATA,
    )
