"""The sizes of the images of a source: what is typical, and how much a crop cuts off."""

import contextlib
import weakref
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.data.image import decoding
from tfxfer.data.image.failures import READ_ERRORS, readable_reason
from tfxfer.data.source import Split
from tfxfer.errors import DataError

# 64 images tell the typical size of thousands; reading them takes a fraction of a second.
_SAMPLE_SIZE = 64

# Sizes of splits that are in use.
_KNOWN: weakref.WeakKeyDictionary[Split, npt.NDArray[np.int64]] = weakref.WeakKeyDictionary()


def typical_height_and_width(split: Split) -> tuple[int, int]:
    """Returns the median height and width of up to 64 images.

    Raises:
        DataError: Not one of them can be read.
    """
    height, width = np.median(_sizes(split), axis=0).round().astype(int)
    return int(height), int(width)


def shares_kept(split: Split, height: int, width: int) -> npt.NDArray[np.float64]:
    """Returns the share of an image's area that a center crop keeps, of each of up to 64 images.

    Args:
        split: The images.
        height: Of what they are cropped to, in any unit.
        width: In the same unit.

    Raises:
        DataError: Not one of them can be read.
    """
    heights, widths = _sizes(split).T
    aspects = widths / heights / (width / height)
    kept: npt.NDArray[np.float64] = np.minimum(aspects, 1 / aspects)
    return kept


def _sizes(split: Split) -> npt.NDArray[np.int64]:
    """Returns heights and widths of up to 64 images, (num_images, 2); they are read once."""
    if split not in _KNOWN:
        _KNOWN[split] = _read_sizes(split)
    return _KNOWN[split]


def _read_sizes(split: Split) -> npt.NDArray[np.int64]:
    sample = split.sample(_SAMPLE_SIZE)
    if sample.element_spec.dtype == tf.string:
        sizes = list(_stated_sizes(sample.ignore_errors().as_numpy_iterator()))
    else:
        sizes = list(sample.map(lambda image: tf.shape(image)[:2]).as_numpy_iterator())
    found = np.array(sizes, np.int64)
    if not len(found):
        raise DataError(
            f"Cannot read any of the {min(len(split), _SAMPLE_SIZE)} images tried; the first is "
            f"{split.describe(0)}: {_why_unreadable(sample.take(1))}."
        )
    return found


def _stated_sizes(files: Iterable[bytes]) -> Iterator[npt.NDArray[np.int64]]:
    """Yields the height and width of each image that can be read.

    The others have no say here; whoever reads them all will name them.
    """
    for encoded in files:
        with contextlib.suppress(*READ_ERRORS):
            yield decoding.upright_size(encoded)


def _why_unreadable(sample: tf.data.Dataset) -> str:
    """Returns why the only one of some images cannot be read."""
    try:
        for encoded in sample:
            decoding.decode(encoded, portable=False)
    except READ_ERRORS as error:
        return readable_reason(error)
    return "it could not be read at first, but can be now"
