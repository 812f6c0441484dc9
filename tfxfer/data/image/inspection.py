"""What can be told of every image of a split in one pass: format, size, orientation, look."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.data.image.decoding import decode, orientation
from tfxfer.data.image.formats.recognition import decoded_format
from tfxfer.data.image.hamming import near_groups
from tfxfer.data.image.readability import readable
from tfxfer.data.source import Split
from tfxfer.system.progress import Progress

# Pictures whose brightness varies by less than this on a grid of 9 x 9, of 255, look alike whatever
# they show: a sky, a blank page.
_LEAST_CONTRAST = 24.0

# Of the 128 bits of two pictures that are the same in another size or quality, so many differ at
# the most; of two different photographs about 64 do, and fewer than 30 seldom.
NEAR_BITS = 5

_BATCH = 256


@dataclass(frozen=True)
class Inspection:
    """What the images of a split are.

    Attributes:
        readable: Which can be read and decoded, (num_examples,). The rest is 0 for the others.
        formats: As of `recognition.decoded_format`; "" for images that are kept as arrays.
        heights_widths: In pixels, as they are shown, (num_examples, 2).
        orientations: 1 to 8, as EXIF numbers them.
        looks: Two difference hashes of each picture, along the rows and along the columns
            (Krawetz 2013, "Kind of like that"), uint64, (num_examples, 2).
        contrasts: How far the brightness of a picture varies on a grid of 9 x 9, in [0, 255].
        peaks: The largest value of a picture's pixels, in [0, 255].
    """

    readable: npt.NDArray[np.bool_]
    formats: npt.NDArray[np.str_]
    heights_widths: npt.NDArray[np.int32]
    orientations: npt.NDArray[np.int32]
    looks: npt.NDArray[np.uint64]
    contrasts: npt.NDArray[np.float32]
    peaks: npt.NDArray[np.uint8]


def inspect(split: Split, name: str) -> Inspection:
    """Returns what the images of a split are, each of which is read and decoded.

    Args:
        split: Any split.
        name: What it is called while one waits.
    """
    count = len(split)
    found = Inspection(
        readable=np.zeros(count, np.bool_),
        formats=np.full(count, "", "U4"),
        heights_widths=np.zeros((count, 2), np.int32),
        orientations=np.zeros(count, np.int32),
        looks=np.zeros((count, 2), np.uint64),
        contrasts=np.zeros(count, np.float32),
        peaks=np.zeros(count, np.uint8),
    )
    with Progress(f"images of {name}", count) as progress:
        batches = readable(split, _facts).batch(_BATCH).prefetch(1).as_numpy_iterator()
        for indices, (formats, sizes, orientations, looks, contrasts, peaks) in batches:
            found.readable[indices] = True
            found.formats[indices] = formats.astype("U4")
            found.heights_widths[indices] = sizes
            found.orientations[indices] = orientations
            found.looks[indices] = looks.view(np.uint64)
            found.contrasts[indices] = contrasts
            found.peaks[indices] = peaks
            progress.update(int(np.count_nonzero(found.readable)))
    return found


def look_alikes(
    looks: npt.NDArray[np.uint64], contrasts: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """Returns the number of the group of pictures that look the same, of each, from 0.

    Two pictures do where at most 5 of their 128 bits differ; a chain of such makes one group, too.
    Pictures without contrast are each a group of its own.

    Args:
        looks: As of `Inspection`, (num_pictures, 2).
        contrasts: Likewise, (num_pictures,).
    """
    compared = contrasts >= _LEAST_CONTRAST
    groups = np.arange(len(looks))
    groups[compared] = len(looks) + near_groups(looks[compared], NEAR_BITS)
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _facts(image: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Returns format, size, orientation, look, contrast and peak of an image; a graph function."""
    if image.dtype == tf.string:
        picture, kind, turned = (
            decode(image, portable=False),
            decoded_format(image),
            orientation(image, portable=False),
        )
    else:
        picture, kind, turned = image, tf.constant(""), tf.constant(1)
    grid = tf.image.resize(picture, (9, 9), method="area")  # (9, 9, 3)
    grey = tf.reduce_mean(grid, axis=2)
    along_rows = grey[:8, :8] < grey[:8, 1:]
    along_columns = grey[:8, :8] < grey[1:, :8]
    powers = tf.bitwise.left_shift(tf.constant(1, tf.int64), tf.range(64, dtype=tf.int64))
    bits = tf.reshape(tf.stack([along_rows, along_columns]), (2, 64))
    look = tf.reduce_sum(tf.where(bits, powers, tf.zeros_like(powers)), axis=1)
    contrast = tf.reduce_max(grey) - tf.reduce_min(grey)
    return kind, tf.shape(picture)[:2], turned, look, contrast, tf.reduce_max(picture)
