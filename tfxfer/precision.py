"""Which dtype policy on which device."""

import contextlib
import os
from collections.abc import Iterator

import keras
import tensorflow as tf

from tfxfer.config import Precision
from tfxfer.notices import warn_once


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
