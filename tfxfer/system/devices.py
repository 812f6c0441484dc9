"""Which dtype policy on which device."""

import contextlib
import os
from collections.abc import Iterator

import keras
import tensorflow as tf

from tfxfer.config.schema import Precision, Xla
from tfxfer.errors import UsageError
from tfxfer.system.notices import warn_once

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


def choose_precision(precision: Precision) -> Precision:
    """Returns the Keras dtype policy that a `precision` setting means on this machine.

    `auto` is float32 on a CPU, where half precision is slower (ResNet50 at 224 pixels: 10 against
    20 images a second on 2 cores without AMX), mixed_bfloat16 on a GPU of compute capability 8.0 or
    more, and mixed_float16 on an older one. Any other setting is returned as it is.
    """
    if precision != "auto":
        return precision
    capability = _gpu_compute_capability()
    if capability is None:
        return "float32"
    return "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16"


@contextlib.contextmanager
def dtype_policy(policy: str) -> Iterator[None]:
    """Builds whatever layers are made inside under a Keras dtype policy, then restores the old."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def leave_gpu_to_jax() -> None:
    """Keeps TensorFlow off the GPU where it only reads data and JAX computes."""
    if keras.backend.backend() == "jax":
        tf.config.set_visible_devices([], "GPU")


def tell_of_missing_gpus() -> None:
    """Says so once where the user chose GPUs, and there is none to compute on."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "").strip()
    # By these words and numbers a GPU is kept out on purpose.
    if chosen in ("", "-1", "none", "None", "NoDevFiles") or _gpu_compute_capability() is not None:
        return
    warn_once(
        "missing GPUs",
        f"CUDA_VISIBLE_DEVICES is '{chosen}', but no such GPU can be used here: the CPU computes. "
        "`nvidia-smi -L` lists those that there are.",
    )


def _gpu_compute_capability() -> tuple[int, ...] | None:
    """Returns the least compute capability among the GPUs the Keras backend sees, None for none."""
    found: list[tuple[int, ...]]
    if keras.backend.backend() == "jax":
        import jax  # an extra: there only where the user chose this backend

        found = [
            tuple(int(part) for part in device.compute_capability.split("."))
            for device in jax.devices()
            if device.platform in ("gpu", "cuda")
        ]
    else:
        devices = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(device) for device in devices]
        # A GPU that does not tell (not NVIDIA's) is treated as one without bfloat16.
        found = [detail.get("compute_capability", (0, 0)) for detail in details]
    return min(found, default=None)
