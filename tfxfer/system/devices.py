"""Dtype policy and XLA compilation by device."""

import contextlib
import functools
import os
import pathlib
import time
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from tfxfer.config.schema import Precision, Xla
from tfxfer.errors import UsageError
from tfxfer.system.notices import warn_once

# Training pixels over all epochs from which XLA compilation, which takes a minute, pays off.
# Measured on an H200 with ResNet50: a compiled step takes half the time, which saves a minute on
# 10**10 pixels (200,000 images at 224).
_WORTH_COMPILING = 10**10

# How many times as fast as float32 a processor must multiply matrices of bfloat16. An Intel Xeon
# with AMX reaches 4, one with AVX512-BF16 alone 1.
_WORTH_ROUNDING = 2.0


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


def choose_precision(precision: Precision, gains_on_cpu: Callable[[], bool]) -> Precision:
    """Returns the Keras dtype policy for a `precision` setting on this machine.

    `auto` is mixed_bfloat16 on a GPU of compute capability 8.0 or higher, mixed_float16 on an
    older GPU, and float32 on a CPU. On a CPU that multiplies matrices of bfloat16 much faster, it
    is mixed_bfloat16 if the network gains from it. Other settings are returned unchanged.

    Args:
        precision: The setting.
        gains_on_cpu: Tells whether the network gains from bfloat16 on such a CPU; see
            `gains_from_bfloat16`. Called only where it decides.
    """
    if precision != "auto":
        return precision
    capability = _gpu_compute_capability()
    if capability is not None:
        return "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16"
    has_units = keras.backend.backend() == "tensorflow" and "amx_bf16" in _processor_flags()
    if not has_units or not gains_on_cpu():
        return "float32"
    return "mixed_bfloat16" if _multiplies_bfloat16_faster() else "float32"


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


@functools.cache
def _multiplies_bfloat16_faster() -> bool:
    """Tells whether TensorFlow multiplies matrices of bfloat16 much faster on this CPU.

    It is timed, in a third of a second: a virtual machine may say that it has units for it, AMX,
    and not let them be used.
    """
    exact, rounded = [], []
    for _ in range(6):
        exact.append(_seconds_of_product("float32"))
        rounded.append(_seconds_of_product("bfloat16"))
    # The fastest: other load on the machine only adds.
    return min(exact) >= _WORTH_ROUNDING * min(rounded)


def _seconds_of_product(dtype: str) -> float:
    """Returns how long the product of two matrices takes."""
    matrix = tf.ones((1024, 1024), dtype)
    start = time.perf_counter()
    tf.matmul(matrix, matrix).numpy()
    return time.perf_counter() - start


def _processor_flags() -> list[str]:
    """Returns what Linux says that the processor can do; nothing on other systems."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
    return next((line.split() for line in lines if line.startswith("flags")), [])
