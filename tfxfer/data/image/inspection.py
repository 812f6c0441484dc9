"""Inspects every image of a split in one pass: format, size, orientation, perceptual hash."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.data.image.decoding import decode, orientation
from tfxfer.data.image.formats.recognition import decoded_format
from tfxfer.data.image.hamming import near_groups
from tfxfer.data.image.readability import readable
from tfxfer.data.source import Split
from tfxfer.system.progress import Progress

# Images whose brightness varies by less than this on a 9 x 9 grid, of 255, all have similar
# perceptual hashes: a sky, a blank page.
_LEAST_CONTRAST = 24.0

# Maximum distance, of 128 bits, between an image and the same image in another size or quality. Two
# different photographs differ in about 64 bits, and rarely in fewer than 30.
NEAR_BITS = 5

_BATCH = 256


@dataclass(frozen=True)
class Inspection:
    """Properties of the images of a split.

    Attributes:
        readable: Mask of the readable images, (num_examples,). The rest is 0 for the others.
        formats: See `recognition.decoded_format`; "" for images stored as arrays.
        heights_widths: In pixels, with EXIF orientation applied, (num_examples, 2).
        orientations: EXIF orientations, 1 to 8.
        perceptual_hashes: Two difference hashes of each image, along the rows and along the
            columns (Krawetz 2013, "Kind of like that"), uint64, (num_examples, 2).
        contrasts: Range of the brightness on a 9 x 9 grid, in [0, 255].
        peaks: The largest pixel value, in [0, 255].
    """

    readable: npt.NDArray[np.bool_]
    formats: npt.NDArray[np.str_]
    heights_widths: npt.NDArray[np.int32]
    orientations: npt.NDArray[np.int32]
    perceptual_hashes: npt.NDArray[np.uint64]
    contrasts: npt.NDArray[np.float32]
    peaks: npt.NDArray[np.uint8]


def inspect(split: Split, name: str) -> Inspection:
    """Reads and decodes every image of a split.

    Args:
        split: Any split.
        name: Of the split, for the progress bar.
    """
    count = len(split)
    found = Inspection(
        readable=np.zeros(count, np.bool_),
        formats=np.full(count, "", "U4"),
        heights_widths=np.zeros((count, 2), np.int32),
        orientations=np.zeros(count, np.int32),
        perceptual_hashes=np.zeros((count, 2), np.uint64),
        contrasts=np.zeros(count, np.float32),
        peaks=np.zeros(count, np.uint8),
    )
    with Progress(f"images of {name}", count) as progress:
        batches = readable(split, _traced_facts()).batch(_BATCH).prefetch(1).as_numpy_iterator()
        for indices, (formats, sizes, orientations, perceptual_hashes, contrasts, peaks) in batches:
            found.readable[indices] = True
            found.formats[indices] = formats.astype("U4")
            found.heights_widths[indices] = sizes
            found.orientations[indices] = orientations
            found.perceptual_hashes[indices] = perceptual_hashes.view(np.uint64)
            found.contrasts[indices] = contrasts
            found.peaks[indices] = peaks
            progress.update(int(np.count_nonzero(found.readable)))
    return found


def look_alikes(
    perceptual_hashes: npt.NDArray[np.uint64], contrasts: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """Returns the group of near-duplicates of each image, numbered from 0.

    Two images are near-duplicates if their perceptual hashes differ in at most 5 of 128 bits; a
    chain of near-duplicates is one group. Images without contrast are groups of one.

    Args:
        perceptual_hashes: See `Inspection`, (num_images, 2).
        contrasts: See `Inspection`, (num_images,).
    """
    compared = contrasts >= _LEAST_CONTRAST
    groups = np.arange(len(perceptual_hashes))
    groups[compared] = len(perceptual_hashes) + near_groups(perceptual_hashes[compared], NEAR_BITS)
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


@functools.cache
def _traced_facts() -> Any:
    """Returns `_facts` as a function that is traced once per kind of image, not for each split."""
    return tf.function(_facts, autograph=False)


def _facts(image: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Returns format, size, orientation, perceptual hash, contrast and peak; a graph function."""
    if image.dtype == tf.string:
        pixels, kind, exif = (
            decode(image, portable=False),
            decoded_format(image),
            orientation(image, portable=False),
        )
    else:
        pixels, kind, exif = image, tf.constant(""), tf.constant(1)
    grid = tf.image.resize(pixels, (9, 9), method="area")  # (9, 9, 3)
    gray = tf.reduce_mean(grid, axis=2)
    along_rows = gray[:8, :8] < gray[:8, 1:]
    along_columns = gray[:8, :8] < gray[1:, :8]
    powers = tf.bitwise.left_shift(tf.constant(1, tf.int64), tf.range(64, dtype=tf.int64))
    bits = tf.reshape(tf.stack([along_rows, along_columns]), (2, 64))
    perceptual_hash = tf.reduce_sum(tf.where(bits, powers, tf.zeros_like(powers)), axis=1)
    contrast = tf.reduce_max(gray) - tf.reduce_min(gray)
    return kind, tf.shape(pixels)[:2], exif, perceptual_hash, contrast, tf.reduce_max(pixels)
