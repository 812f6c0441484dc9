"""NumPy's .npy files: one array each, of shape (height, width) or (height, width, channels).

Nothing is unpickled, and the header is believed only if the file is as long as it says.
"""

import io
import math
import struct
import tokenize

import numpy as np
import numpy.lib.format as npy_format

from tfxfer.data.image.formats.arrays.samples import (
    ArrayFileError,
    Pixels,
    as_pixels,
    check_shape,
    check_type,
)
from tfxfer.system.sharing.numpy_headers import READING

MAGIC = npy_format.MAGIC_PREFIX

# What NumPy raises for a corrupt header.
_FAILURES = (
    ValueError,
    TypeError,
    SyntaxError,
    KeyError,
    EOFError,
    OverflowError,
    RecursionError,
    MemoryError,
    Warning,
    struct.error,
    tokenize.TokenError,
)

_VERSIONS = ((1, 0), (2, 0), (3, 0))


def is_npy(content: bytes) -> bool:
    """Tells whether a file is one of NumPy's."""
    return content.startswith(MAGIC)


def shape_of(content: bytes) -> tuple[int, int, int]:
    """Returns the height, width and channels that a file states.

    Raises:
        ArrayFileError: It is not an image.
    """
    return _header(content)[0]


def decode(content: bytes) -> Pixels:
    """Returns the image in a file; see `samples.as_pixels` for its range.

    Raises:
        ArrayFileError: It is corrupt, or not an image.
    """
    shape, by_columns, dtype, start = _header(content)
    samples = np.frombuffer(content, dtype, math.prod(shape), start)
    samples = samples.reshape(shape, order="F" if by_columns else "C")
    return np.ascontiguousarray(as_pixels(samples))


def encoded(pixels: Pixels) -> bytes:
    """Returns the file of an image, (height, width, channels)."""
    file = io.BytesIO()
    np.save(file, pixels, allow_pickle=False)
    return file.getvalue()


def _header(content: bytes) -> tuple[tuple[int, int, int], bool, np.dtype, int]:
    """Returns shape, whether it is stored by columns, type, and where the samples begin."""
    file = io.BytesIO(content)
    try:
        version = npy_format.read_magic(file)
        if version not in _VERSIONS:
            raise ValueError("unknown version")
        first = version == (1, 0)
        read = npy_format.read_array_header_1_0 if first else npy_format.read_array_header_2_0
        with READING:
            shape, by_columns, dtype = read(file)
    except _FAILURES:
        raise ArrayFileError("it is a corrupt or incomplete NumPy file") from None
    if dtype.hasobject:
        raise ArrayFileError("it holds pickled Python objects, which are never loaded")
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise ArrayFileError(
            f"its array has the shape {shape}; that of an image is (height, width) or (height, "
            "width, channels)"
        )
    check_type(dtype)
    height, width, channels = (*shape, 1)[:3]
    check_shape((height, width, channels), dtype.itemsize)
    start = file.tell()
    missing = math.prod(shape) * dtype.itemsize - (len(content) - start)
    if missing > 0:
        raise ArrayFileError(f"it is incomplete: {missing:,} bytes of its array are missing")
    return (height, width, channels), by_columns, dtype, start
