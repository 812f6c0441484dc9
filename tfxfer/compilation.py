"""What XLA compiles, and what TensorFlow runs operation by operation."""

import keras
import tensorflow as tf

from tfxfer.config import Xla
from tfxfer.errors import UsageError

# Pixels of training images in all epochs from which on a compiled step wins back the minute that it
# takes XLA. Measured on an H200 with ResNet50: compiled a step takes half its time, and what 10**10
# pixels, 200,000 images at 224, save is that minute.
_WORTH_COMPILING = 10**10


def choose_xla(xla: Xla, num_images: int, image_size: int) -> Xla:
    """Returns whether XLA compiles the train steps: "on" or "off".

    JAX compiles always. TensorFlow does under `auto` where it has a GPU and a long phase before it;
    on a CPU Keras does not by itself, either.

    Args:
        xla: The setting.
        num_images: Training images in all epochs.
        image_size: Pixels of the square image that the backbone sees.

    Raises:
        UsageError: JAX is asked to do without.
    """
    if keras.backend.backend() == "jax":
        if xla == "off":
            raise UsageError(
                "Setting 'xla' is 'off', but JAX compiles whatever it runs. Leave it out, or use "
                "TensorFlow (KERAS_BACKEND=tensorflow)."
            )
        return "on"
    if xla != "auto":
        return xla
    on_gpu = bool(tf.config.get_visible_devices("GPU"))
    return "on" if on_gpu and num_images * image_size**2 >= _WORTH_COMPILING else "off"


def without_xla(model: keras.Model) -> keras.Model:
    """Returns a model whose `predict` TensorFlow does not have compiled by XLA.

    On a GPU Keras would have it: half a minute for each model and shape, before the first image.
    A pass without it waits for the images to be decoded.
    """
    if keras.backend.backend() == "tensorflow":
        model.jit_compile = False
    return model
