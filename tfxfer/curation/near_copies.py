"""Near copies: photographs of one thing, or edited copies, by features and perceptual hashes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxfer.curation.neighbors import Neighbors
from tfxfer.data.checks.groups import Groups
from tfxfer.data.contents import Integers
from tfxfer.training.examples import Floats

# The neighbor whose distance measures how densely images lie around one. Of more near copies of one
# thing than this, features no longer tell that they are nearer to each other than usual.
NUM_NEIGHBORS = 20

# Of a smaller class it is the neighbor in the middle, for beyond the class all is far away. With
# fewer the scale means nothing.
_FEWEST_NEIGHBORS = 5

# Two images are near copies if their distance is below this fraction of that scale. Measured with
# MobileNetV2 and ResNet10 on flowers, ants and bees, magnetic tiles and brain scans: of copies that
# were re-encoded, cropped or brightened 9 in 10 photographs are below, and of the pairs below in
# the sets as they are, nearly all show one thing (benchmarks/README.md).
_RELATIVE = 1 / 3


@dataclass(frozen=True, eq=False)
class NearGroup:
    """Images that are near copies of each other, or are linked by a chain of others.

    Attributes:
        members: The images, ascending.
        closeness: Relative distance of its closest pair, in [0, 1/3) if features found it; infinite
            if only perceptual hashes did.
    """

    members: Integers
    closeness: float


def relative_distances(neighbors: Neighbors, units: Integers, labels: Integers) -> Floats:
    """Returns the distance to each neighbor as a fraction of the local scale, (num_images, count).

    The scale is the geometric mean of two distances: from each of both images to its 20th neighbor
    or, in a class of fewer than 40 different images, to that of half their number. It is infinite
    where there is no neighbor or one of the classes has fewer than ten images.

    Args:
        neighbors: `NUM_NEIGHBORS` of each image, if there are so many.
        units: Exact duplicates and groups of the data, (num_images,).
        labels: Class indices, (num_images,).
    """
    distances, there = neighbors.distances, neighbors.indices >= 0
    sizes = np.bincount(np.unique(np.stack([labels, units]), axis=1)[0])
    place = np.minimum(np.minimum(sizes[labels] // 2, NUM_NEIGHBORS), there.sum(axis=1))
    last = distances[np.arange(len(labels)), np.maximum(place, 1) - 1]
    last = np.where(place >= _FEWEST_NEIGHBORS, np.maximum(last, 1e-6), 0.0)
    scales = np.sqrt(last[:, None] * last[neighbors.indices])
    relative = np.full_like(distances, np.inf)
    np.divide(distances, scales, out=relative, where=there & (scales > 0))
    return relative


def near_groups(
    neighbors: Neighbors, units: Integers, labels: Integers, alike: Integers
) -> list[NearGroup]:
    """Returns the groups of near copies, the closest first.

    Exact duplicates, or members of one group of the data, make no group by themselves, for they are
    never divided anyway.

    Args:
        neighbors: `NUM_NEIGHBORS` of each image, if there are so many.
        units: Exact duplicates and groups of the data, (num_images,).
        labels: Class indices, (num_images,).
        alike: Groups by perceptual hash, (num_images,); see `look_alikes`.
    """
    relative = relative_distances(neighbors, units, labels)
    near = relative < _RELATIVE
    ones = np.repeat(np.arange(len(units)), near.sum(axis=1))
    others = neighbors.indices[near]
    groups = Groups(_linked(len(units), [(ones, others), _chain(units), _chain(alike)]))
    closeness: npt.NDArray[np.float64] = np.full(len(groups.sizes), np.inf)
    np.minimum.at(closeness, groups.numbers[ones], relative[near])
    several = np.flatnonzero(groups.num_different(units) > 1)
    ordered = several[np.argsort(closeness[several], kind="stable")]
    return [NearGroup(groups.members(int(one)), float(closeness[one])) for one in ordered]


def _chain(numbers: Integers) -> tuple[Integers, Integers]:
    """Returns pairs that link all images of one number: each with the next."""
    order = np.argsort(numbers, kind="stable")
    same = numbers[order[:-1]] == numbers[order[1:]]
    return order[:-1][same], order[1:][same]


def _linked(count: int, links: list[tuple[Integers, Integers]]) -> Integers:
    """Returns the number of the component of each image, from 0."""
    from scipy.sparse import coo_array  # a quarter of a second to import
    from scipy.sparse.csgraph import connected_components

    ones, others = (np.concatenate(ends) for ends in zip(*links, strict=True))
    edges = coo_array((np.ones(len(ones), np.bool_), (ones, others)), shape=(count, count))
    found: Integers = connected_components(edges, directed=False)[1].astype(np.int64)
    return found
