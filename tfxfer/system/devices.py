"""Dtype policy and XLA compilation by device."""

import contextlib
import os
from collections.abc import Iterator

import keras
import tensorflow as tf

from tfxfer.config.schema import Precision, Xla
from tfxfer.errors import UsageError
from tfxfer.system.notices import warn_once

# Training pixels over all epochs from which XLA compilation, which takes a minute, pays off.
# Measured on an H200 with ResNet50: a compiled step takes half the time, which saves a minute on
# 10**10 pixels (200,000 images at 224).
_WORTH_COMPILING = 10**10


def choose_xla(xla: Xla, num_pixels: int) -> Xla:
    """Returns whether XLA compiles the training steps: "on" or "off".

    JAX always compiles. With `auto`, TensorFlow compiles on a GPU if training is long enough, and
    never on a CPU, like Keras.

    Args:
        xla: The setting.
        num_pixels: Pixels of all training images over all epochs, as the backbone sees them.

    Raises:
        UsageError: XLA is "off" with JAX.
    """
    if keras.backend.backend() == "jax":
        if xla == "off":
            raise UsageError(
                "Setting 'xla' is 'off', but JAX always compiles. Remove the setting, or use "
                "TensorFlow (KERAS_BACKEND=tensorflow)."
            )
        return "on"
    if xla != "auto":
        return xla
    on_gpu = bool(tf.config.get_visible_devices("GPU"))
    return "on" if on_gpu and num_pixels >= _WORTH_COMPILING else "off"


def without_xla(model: keras.Model) -> keras.Model:
    """Returns a model whose `predict` is not compiled by XLA with TensorFlow.

    On a GPU Keras would compile it: half a minute for each model and shape. Without XLA, decoding
    the images is the bottleneck anyway.
    """
    if keras.backend.backend() == "tensorflow":
        model.jit_compile = False
    return model


def choose_precision(precision: Precision) -> Precision:
    """Returns the Keras dtype policy for a `precision` setting on this machine.

    `auto` is float32 on a CPU, where half precision is slower (ResNet50 at 224 pixels: 10 instead
    of 20 images per second on 2 cores without AMX), mixed_bfloat16 on a GPU of compute capability
    8.0 or higher, and mixed_float16 on an older GPU. Other settings are returned unchanged.
    """
    if precision != "auto":
        return precision
    capability = _gpu_compute_capability()
    if capability is None:
        return "float32"
    return "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16"


@contextlib.contextmanager
def dtype_policy(policy: str) -> Iterator[None]:
    """Sets the Keras dtype policy for layers built inside, and restores the previous one."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def leave_gpu_to_jax() -> None:
    """Hides the GPU from TensorFlow if JAX is the backend: TensorFlow then only reads data."""
    if keras.backend.backend() == "jax":
        tf.config.set_visible_devices([], "GPU")


def tell_of_missing_gpus() -> None:
    """Warns once if CUDA_VISIBLE_DEVICES names GPUs, but none is usable."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "").strip()
    # These values hide the GPUs on purpose.
    if chosen in ("", "-1", "none", "None", "NoDevFiles") or _gpu_compute_capability() is not None:
        return
    warn_once(
        "missing GPUs",
        f"CUDA_VISIBLE_DEVICES is '{chosen}', but no such GPU is usable: running on the CPU. "
        "`nvidia-smi -L` lists the available GPUs.",
    )


def _gpu_compute_capability() -> tuple[int, ...] | None:
    """Returns the lowest compute capability of the GPUs that the Keras backend sees, or None."""
    found: list[tuple[int, ...]]
    if keras.backend.backend() == "jax":
        import jax  # an optional dependency

        found = [
            tuple(int(part) for part in device.compute_capability.split("."))
            for device in jax.devices()
            if device.platform in ("gpu", "cuda")
        ]
    else:
        devices = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(device) for device in devices]
        # A GPU that does not report it (not NVIDIA) is treated as one without bfloat16.
        found = [detail.get("compute_capability", (0, 0)) for detail in details]
    return min(found, default=None)
