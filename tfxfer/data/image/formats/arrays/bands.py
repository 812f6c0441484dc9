"""TIFF files of any number of channels, which tifffile reads (an extra).

Pillow reads 8 bits of gray and RGB; what satellites, microscopes and depth cameras write has more
channels, more bits, or floats.
"""

import io
import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.image.formats.arrays.samples import (
    ArrayFileError,
    Pixels,
    as_pixels,
    check_shape,
    check_type,
)

# What is wrong with a file is said by whoever reads it.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

NEEDED = "needs the package 'tifffile': pip install 'tfxfer[tiff]'"

# The axes that count as channels: samples, channels, and pages that are not of time or depth.
_CHANNEL_AXES = "SCIQ"

_ORIENTATION, _WHITE_IS_ZERO, _PALETTE, _UNCOMPRESSED = 274, 0, 3, 1

_WHOLE_SAMPLES = (8, 16, 32, 64)  # bits

# What makes an image of an orientation upright.
_UPRIGHT: Mapping[int, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: image[::-1].swapaxes(0, 1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: image[:, ::-1].swapaxes(0, 1),
}


def shape_of(content: bytes) -> tuple[int, int, int]:
    """Returns the height, width and channels that a TIFF states, as it is stored.

    Raises:
        ArrayFileError: tifffile is not installed, or the file is not an image.
    """
    shape: tuple[int, int, int] = _read(content, _shape)
    return shape


def decode(content: bytes) -> Pixels:
    """Returns the first image of a TIFF, upright; see `samples.as_pixels` for its range.

    Alpha is a channel like any other. Pages of one size count as channels, unless the file says
    that they are of several times or depths.

    Raises:
        ArrayFileError: tifffile is not installed, or the file is corrupt or not an image.
    """
    pixels: Pixels = _read(content, lambda series: _decoded(series, len(content)))
    return pixels


def _read(content: bytes, function: Callable[[Any], Any]) -> Any:
    """Returns what a function makes of the first series of a TIFF."""
    try:
        import tifffile
    except ImportError:
        raise ArrayFileError(f"a TIFF file of this kind {NEEDED}") from None
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            return function(file.series[0])
    except ArrayFileError:
        raise
    except Exception as error:  # its codecs raise exceptions of any type
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise ArrayFileError(f"it is a corrupt or unsupported TIFF file ({reason})") from None


def _axes(series: Any) -> tuple[list[str], list[int]]:
    """Returns the names and lengths of the axes of a series, without empty ones."""
    axes = zip(series.axes, series.shape, strict=True)
    kept = [(name, int(size)) for name, size in axes if name in "YX" or size != 1]
    return [name for name, _ in kept], [size for _, size in kept]


def _shape(series: Any) -> tuple[int, int, int]:
    """Returns height, width and channels of a series."""
    names, sizes = _axes(series)
    others = [name for name in names if name not in "YX"]
    if len(names) - len(others) != 2 or len(others) > 1 or "".join(others) not in _CHANNEL_AXES:
        raise ArrayFileError(
            f"it is a TIFF file with the axes {series.axes}, {tuple(series.shape)}; that of an "
            "image has Y, X and the samples of a pixel (S), channels (C) or pages (I)"
        )
    found = dict(zip(names, sizes, strict=True))
    return found["Y"], found["X"], found[others[0]] if others else 1


def _decoded(series: Any, num_bytes: int) -> Pixels:
    shape, page, dtype = _shape(series), series.keyframe, np.dtype(series.dtype)
    check_type(dtype)
    check_shape(shape, dtype.itemsize)
    if page.photometric == _PALETTE:
        raise ArrayFileError("it is a TIFF file with a palette; save the colors themselves")
    if page.bitspersample not in _WHOLE_SAMPLES:
        raise ArrayFileError(
            f"it is a TIFF file with {page.bitspersample} bits per sample; save it with 8 or 16"
        )
    if page.compression == _UNCOMPRESSED and series.nbytes > num_bytes:
        raise ArrayFileError("it is an incomplete TIFF file")
    names, sizes = _axes(series)
    samples = np.asarray(series.asarray(maxworkers=1)).reshape(sizes)
    for place, name in enumerate(names):
        if name not in "YX":
            samples = np.moveaxis(samples, place, -1)
    pixels = as_pixels(samples.reshape(shape))
    if page.photometric == _WHITE_IS_ZERO:
        pixels = 255 - pixels
    tag = page.tags.get(_ORIENTATION)
    turn = None if tag is None else _UPRIGHT.get(tag.value)
    return np.ascontiguousarray(pixels if turn is None else turn(pixels))
