"""Array files, NumPy's and TIFF, as images: their size, and their pixels as RGB or in channels."""

import numpy as np
import numpy.typing as npt

from tfxfer.config.frame import RGB, in_words
from tfxfer.data.image.formats import tiff
from tfxfer.data.image.formats.arrays import bands, numpy_files
from tfxfer.data.image.formats.arrays.samples import ArrayFileError, Pixels

# Why an image is not read as gray.
NOT_GRAY = "it has colors, not 1 channel"


def is_array_file(content: bytes) -> bool:
    """Tells whether a file is one of NumPy's, or a TIFF."""
    return numpy_files.is_npy(content) or tiff.is_tiff(content)


def shape_of(content: bytes) -> tuple[int, int, int]:
    """Returns the height, width and channels that a file states; gray has one channel.

    Raises:
        ArrayFileError: It states none.
    """
    if numpy_files.is_npy(content):
        return numpy_files.shape_of(content)
    try:
        return tiff.shape_of(content)
    except tiff.TiffError as error:
        return _shape_of_other(content, error)


def orientation(content: bytes) -> np.int32:
    """Returns the orientation of a file, 1 to 8; arrays are upright."""
    return np.int32(1) if numpy_files.is_npy(content) else tiff.orientation(content)


def as_rgb(content: bytes) -> npt.NDArray[np.uint8]:
    """Returns an image as RGB, (height, width, 3), upright; gray has three equal channels.

    Raises:
        ArrayFileError: It is corrupt, of an unsupported kind, or has other channels.
    """
    if not numpy_files.is_npy(content):
        try:
            return tiff.decode(content)
        except tiff.TiffError as error:
            channels = _shape_of_other(content, error)[2]
            if channels in (1, RGB):
                raise
            raise ArrayFileError(not_of(channels, RGB)) from None
    pixels = numpy_files.decode(content)
    channels = pixels.shape[2]
    if channels not in (1, RGB):
        raise ArrayFileError(not_of(channels, RGB))
    return np.repeat(pixels, RGB, axis=2) if channels == 1 else pixels


def in_channels(content: bytes, channels: int) -> Pixels:
    """Returns an image of so many channels, (height, width, channels), upright.

    Args:
        content: Of the file.
        channels: How many; other than three. Colors that are all gray count as one channel.

    Raises:
        ArrayFileError: It is corrupt, of an unsupported kind, or has other channels.
    """
    pixels = _pixels(content, channels)
    if channels == 1 and pixels.shape[2] == RGB:
        if (pixels != pixels[:, :, :1]).any():
            raise ArrayFileError(NOT_GRAY)
        return pixels[:, :, :1]
    if pixels.shape[2] != channels:
        raise ArrayFileError(not_of(pixels.shape[2], channels))
    return pixels


def not_of(found: int, channels: int) -> str:
    """Returns why an image of other channels than are expected is not read."""
    return f"it has {in_words(found)}, not {channels}"


def _pixels(content: bytes, channels: int) -> Pixels:
    """Returns the pixels of a file, as many channels as it has or, of a gray TIFF, three."""
    if numpy_files.is_npy(content):
        return numpy_files.decode(content)
    if channels == 1:
        try:
            return tiff.decode(content)
        except tiff.TiffError:  # such as floats
            return bands.decode(content)
    return bands.decode(content)


def _shape_of_other(content: bytes, error: tiff.TiffError) -> tuple[int, int, int]:
    """Returns what tifffile says of a TIFF that Pillow does not read, or raises an error of both.

    Args:
        content: Of the file.
        error: Pillow's.
    """
    try:
        return bands.shape_of(content)
    except ArrayFileError as other:
        raise (other if tiff.UNKNOWN_PIXELS in str(error) else error) from None
