"""How the C library keeps memory, which decides how long TensorFlow waits for it on a CPU."""

import ctypes
import os

# Parameters of glibc's mallopt (malloc.h), and the value that stands for any size.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8

_ANY_SIZE = 2**31 - 1

# By these the user has a say of their own, or another allocator.
_USERS_WORD = ("GLIBC_TUNABLES", "LD_PRELOAD", "MALLOC_")


def keep_freed_memory() -> bool:
    """Has the C library keep memory that is freed for what is needed next; tells whether it does.

    TensorFlow takes tensors of many megabytes from it in each operation and frees them after it.
    glibc gives such memory back to the system, which then clears every page of it anew for the next
    operation; and where threads have arenas of their own, none finds what another has freed. On two
    virtual cores MobileNetV2 at 224 pixels runs 1.6 times as fast with memory kept, and trains 1.4
    times as fast; the most memory that a process ever has is no more (benchmarks/README.md).

    Only for a process of one's own, before TensorFlow is imported. Other C libraries are left as
    they are, and so is what the user has set (`GLIBC_TUNABLES`, `MALLOC_*`, `LD_PRELOAD`).
    """
    if any(name.startswith(_USERS_WORD) for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # no such function: macOS, musl
        return False
    settings = {_TRIM_THRESHOLD: _ANY_SIZE, _MMAP_THRESHOLD: _ANY_SIZE, _ARENA_MAX: 1}
    told = [mallopt(parameter, value) == 1 for parameter, value in settings.items()]
    return all(told)
