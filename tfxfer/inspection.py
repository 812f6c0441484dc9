"""What can be told of every image of a split in one pass: format, size, orientation, look."""

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.images import decode, decoded_format, orientation
from tfxfer.pipeline import readable
from tfxfer.progress import Progress
from tfxfer.sources import Split

# Pictures whose brightness varies by less than this on a grid of 9 x 9, of 255, look alike whatever
# they show: a sky, a blank page.
_LEAST_CONTRAST = 24.0

# Of the 128 bits of two pictures that are the same in another size or quality, so many differ at
# the most; of two different photographs about 64 do, and fewer than 30 seldom.
NEAR_BITS = 5

# One more than the bits that may differ: then one band at least is the same.
_BANDS = NEAR_BITS + 1

# Beyond so many pictures that share a band, those further apart in its order are not compared.
_MOST_ALIKE = 2000

_BATCH = 256


@dataclass(frozen=True)
class Inspection:
    """What the images of a split are.

    Attributes:
        readable: Which can be read and decoded, (num_examples,). The rest is 0 for the others.
        formats: As of `images.decoded_format`; "" for images that are kept as arrays.
        heights_widths: In pixels, as they are shown, (num_examples, 2).
        orientations: 1 to 8, as EXIF numbers them.
        looks: Two difference hashes of each picture, along the rows and along the columns
            (Krawetz 2013, "Kind of like that"), uint64, (num_examples, 2).
        contrasts: How far the brightness of a picture varies on a grid of 9 x 9, in [0, 255].
    """

    readable: npt.NDArray[np.bool_]
    formats: npt.NDArray[np.str_]
    heights_widths: npt.NDArray[np.int32]
    orientations: npt.NDArray[np.int32]
    looks: npt.NDArray[np.uint64]
    contrasts: npt.NDArray[np.float32]


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
    )
    with Progress(f"images of {name}", count) as progress:
        batches = readable(split, _facts).batch(_BATCH).prefetch(1).as_numpy_iterator()
        for indices, (formats, sizes, orientations, looks, contrasts) in batches:
            found.readable[indices] = True
            found.formats[indices] = formats.astype("U4")
            found.heights_widths[indices] = sizes
            found.orientations[indices] = orientations
            found.looks[indices] = looks.view(np.uint64)
            found.contrasts[indices] = contrasts
            progress.update(int(np.count_nonzero(found.readable)))
    return found


def near_duplicates(
    looks: npt.NDArray[np.uint64], contrasts: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """Returns the pairs of pictures that look the same, (num_pairs, 2), the lower number first.

    Two pictures are, of whose 128 bits at most 5 differ. They are found without comparing all with
    all: of 6 bands of bits one at least is then the same. Pictures without contrast are left out.

    Args:
        looks: As of `Inspection`, (num_pictures, 2).
        contrasts: Likewise, (num_pictures,).
    """
    pictures = np.flatnonzero(contrasts >= _LEAST_CONTRAST)
    bits = np.unpackbits(looks[pictures].view(np.uint8).reshape(len(pictures), 16), axis=1)
    pairs: list[npt.NDArray[np.int64]] = [np.zeros((0, 2), np.int64)]
    for band in np.array_split(np.arange(bits.shape[1]), _BANDS):
        weights = 2 ** np.arange(len(band), dtype=np.int64)
        keys = bits[:, band].astype(np.int64) @ weights
        order = np.argsort(keys, kind="stable")
        keys, where = keys[order], pictures[order]
        for shift in itertools.islice(itertools.count(1), _MOST_ALIKE):
            same = np.flatnonzero(keys[:-shift] == keys[shift:])
            if not len(same):
                break
            one, other = where[same], where[same + shift]
            differing = np.bitwise_count(looks[one] ^ looks[other]).sum(axis=1)
            near = differing <= NEAR_BITS
            pairs.append(np.sort(np.stack([one[near], other[near]], axis=1), axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def _facts(image: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Returns the format, size, orientation, look and contrast of an image; a graph function."""
    if image.dtype == tf.string:
        picture, kind, turned = (
            decode(image, portable=False),
            decoded_format(image),
            orientation(image),
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
    return kind, tf.shape(picture)[:2], turned, look, contrast
