"""Examples of TFRecord files, for tests."""

import tensorflow as tf


def example(gray, **features):
    """Returns an example of a gray image; "/" in the name of a feature is "_" here."""
    pixels = tf.fill((5, 4, 3), tf.cast(gray, tf.uint8))
    return example_of(tf.io.encode_png(pixels).numpy(), **features)


def example_of(image, **features):
    """Returns an example of an image file; see `example`."""
    told = {"image/encoded": [image]}
    told |= {name.replace("_", "/"): value for name, value in features.items()}
    found = {}
    for name, value in told.items():
        if value and isinstance(value[0], bytes):
            found[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
        elif value and isinstance(value[0], float):
            found[name] = tf.train.Feature(float_list=tf.train.FloatList(value=value))
        else:
            found[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=value))
    return tf.train.Example(features=tf.train.Features(feature=found)).SerializeToString()
