"""The nearest neighbors of images by their features: exact, in blocks of bounded memory."""

from dataclasses import dataclass

import numpy as np

from tfxfer.data.contents import Integers
from tfxfer.system.progress import Progress
from tfxfer.training.examples import Floats

# Similarities that are held at a time: 128 MB.
_BLOCK = 2**25


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The nearest neighbors of each image, the nearest first.

    Attributes:
        indices: Of the neighbors, (num_images, count); -1 where there are not so many.
        similarities: Cosines of their features, (num_images, count), at most 1; -1 where there is
            no neighbor.
    """

    indices: Integers
    similarities: Floats

    @property
    def distances(self) -> Floats:
        """Cosine distances, from 0 for the same direction to 2, (num_images, count)."""
        return 1 - self.similarities


def directions(features: Floats) -> Floats:
    """Returns features scaled to length 1, (num_images, num_features); zeros stay zeros."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def nearest(rows: Floats, units: Integers, count: int) -> Neighbors:
    """Returns the nearest neighbors of each image among the images of other units.

    Args:
        rows: Features of length 1, (num_images, num_features); see `directions`.
        units: What is not its own neighbor: exact duplicates and groups, (num_images,).
        count: Number of neighbors.

    Examples:
        >>> rows = directions(np.array([[1, 0], [1, 0.1], [0, 1]], np.float32))
        >>> nearest(rows, np.arange(3), 1).indices.ravel()
        array([1, 0, 1])
    """
    count = min(count, max(1, len(rows) - 1))
    indices = np.full((len(rows), count), -1, np.int64)
    similarities = np.full((len(rows), count), -1, np.float32)
    size = max(1, _BLOCK // max(1, len(rows)))
    with Progress("neighbors", len(rows), size) as progress:
        for start in range(0, len(rows), size):
            block = slice(start, start + size)
            found = rows[block] @ rows.T  # (size, num_images)
            found[units[block, None] == units] = -np.inf
            best = np.argpartition(-found, count - 1, axis=1)[:, :count]
            values = np.take_along_axis(found, best, axis=1)
            # Ties in the order of the images, as the partition has none.
            order = np.lexsort((best, -values), axis=1)
            best = np.take_along_axis(best, order, axis=1)
            values = np.take_along_axis(values, order, axis=1)
            there = np.isfinite(values)
            indices[block] = np.where(there, best, -1)
            similarities[block] = np.where(there, np.minimum(values, 1), -1)
            progress.update(min(start + size, len(rows)))
    return Neighbors(indices, similarities)
