"""Settings of the C library's memory allocator, which speed up TensorFlow on CPUs."""

import ctypes
import os

# Parameters of glibc's mallopt (malloc.h), and a value larger than any allocation.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8

_ANY_SIZE = 2**31 - 1

# Environment variables by which users configure the allocator or choose another.
_USER_VARIABLES = ("GLIBC_TUNABLES", "LD_PRELOAD", "MALLOC_")


def keep_freed_memory() -> bool:
    """Makes the C library keep freed memory for reuse; returns whether it does.

    TensorFlow allocates and frees tensors of many megabytes in each operation. By default, glibc
    returns such memory to the system, which then zeroes its pages again for the next operation, and
    each thread has an arena of its own, so that threads cannot reuse memory of others. With memory
    kept, MobileNetV2 at 224 pixels runs 1.6 times as fast on two virtual cores and trains 1.4 times
    as fast, with the same peak memory (benchmarks/README.md).

    To be called before TensorFlow is imported, and only by the command, as it affects the whole
    process. Other C libraries are not changed, nor are settings of the user (`GLIBC_TUNABLES`,
    `MALLOC_*`, `LD_PRELOAD`).
    """
    if any(name.startswith(_USER_VARIABLES) for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # no such function: macOS, musl
        return False
    settings = {_TRIM_THRESHOLD: _ANY_SIZE, _MMAP_THRESHOLD: _ANY_SIZE, _ARENA_MAX: 1}
    accepted = [mallopt(parameter, value) == 1 for parameter, value in settings.items()]
    return all(accepted)
