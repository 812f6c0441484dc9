"""The graph of an export that decodes image files, and what it says of those that it refuses."""

import functools
from typing import Any

import tensorflow as tf

from tfxfer.config.frame import Frame
from tfxfer.data.image.channels import decode_and_resize

# No function here has Python control flow on tensors; without AutoGraph it is traced faster.
traced = functools.partial(tf.function, autograph=False)


def traced_decoder(frame: Frame) -> Any:
    """Returns the concrete function from image files, (batch,), to uint8 images in a frame.

    It is large, for it knows each kind of file, and does not depend on the model.
    """

    def decode_all(image_bytes: tf.Tensor) -> tf.Tensor:
        numbered = (tf.range(tf.shape(image_bytes)[0]), image_bytes)
        return tf.map_fn(
            lambda one: decode_and_resize(one[1], frame, _refusal(one[0])),
            numbered,
            fn_output_signature=tf.TensorSpec(frame.shape, tf.uint8),
        )

    return traced(decode_all).get_concrete_function(tf.TensorSpec((None,), tf.string))


def _refusal(number: tf.Tensor) -> tf.Tensor:
    """Returns how the message begins that refuses an image of a request."""
    return tf.strings.format("image_bytes[{}] cannot be read: ", number)
