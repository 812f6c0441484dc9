"""The samples of an array as those of an image: their limits, and their range."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.config.frame import MOST_CHANNELS, RGB, in_words
from tfxfer.data.image.formats.picture import MAX_PIXELS

Pixels = npt.NDArray[np.uint8]  # (height, width, channels)

_FLOATS = (2, 4, 8)  # bytes

# Of an array: the largest RGB image in 16 bits.
_MAX_BYTES = 2 * RGB * MAX_PIXELS


class ArrayFileError(Exception):
    """A file is not read as the array of an image; the message says why not."""


def check_shape(shape: Sequence[int], item_bytes: int) -> None:
    """Raises an ArrayFileError unless an image of this shape is read, before it takes memory.

    Args:
        shape: Height, width and channels.
        item_bytes: Of a sample.
    """
    height, width, channels = shape
    if channels > MOST_CHANNELS:
        raise ArrayFileError(
            f"it has {channels:,} channels; at most {MOST_CHANNELS} are read, and they come last: "
            "(height, width, channels)"
        )
    pixels = height * width
    if pixels > MAX_PIXELS or pixels * channels * item_bytes > _MAX_BYTES:
        raise ArrayFileError(
            f"it has {pixels:,} pixels of {in_words(channels)}; at most {MAX_PIXELS:,} pixels and "
            f"{_MAX_BYTES // 10**6} MB are decoded"
        )


def check_type(dtype: np.dtype) -> None:
    """Raises an ArrayFileError unless samples of this type are read."""
    if dtype.kind == "u" and dtype.itemsize <= 2:
        return
    if dtype.kind == "f" and dtype.itemsize in _FLOATS:
        return
    raise ArrayFileError(
        f"its samples are of type {dtype.name}; allowed are uint8, uint16, and floats in [0, 1]"
    )


def as_pixels(samples: npt.NDArray[Any]) -> Pixels:
    """Returns samples in [0, 255], rounded: the one rule for all types.

    uint8 stays as it is. uint16 keeps its upper 8 bits, as in all other formats. Floats must be in
    [0, 1], and are multiplied by 255.

    Args:
        samples: Shape (height, width, channels), of a type that `check_type` allows.

    Raises:
        ArrayFileError: Floats are outside [0, 1], infinite or NaN.

    Examples:
        >>> as_pixels(np.array([[[0, 255, 256, 65535]]], np.uint16)).ravel()
        array([  0,   0,   1, 255], dtype=uint8)
        >>> as_pixels(np.array([[[0.0, 0.5, 1.0]]])).ravel()
        array([  0, 128, 255], dtype=uint8)
    """
    if samples.dtype.kind == "u":
        shift = 8 * (samples.dtype.itemsize - 1)
        upper: Pixels = np.right_shift(samples, shift).astype(np.uint8)
        return upper
    if samples.dtype.itemsize == 2:
        samples = samples.astype(np.float32)
    if not np.isfinite(samples).all():
        what = "NaN" if np.isnan(samples).any() else "infinite values"
        raise ArrayFileError(f"it has {what}; floats must be in [0, 1]")
    low, high = float(samples.min()), float(samples.max())
    if low < 0 or high > 1:
        raise ArrayFileError(
            f"its values go from {low:g} to {high:g}; floats must be in [0, 1], so scale them, or "
            "save uint8 or uint16"
        )
    pixels: Pixels = np.rint(samples * 255).astype(np.uint8)
    return pixels
