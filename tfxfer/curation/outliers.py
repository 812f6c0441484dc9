"""Outliers: images that look like nothing else in their class."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxfer.curation.gallery import Gallery
from tfxfer.curation.neighbors import nearest
from tfxfer.data.contents import Integers
from tfxfer.training.examples import Floats

# The distance to the tenth neighbor of the same class (Ramaswamy et al. 2000, SIGMOD, with k = 10).
# Of a class with fewer images, to the neighbor in the middle.
_NEIGHBOR = 10

# A class needs so many different images for its quartiles to mean something.
_FEWEST = 8

# Beyond the upper quartile, in interquartile ranges: the fence of a box plot (Tukey 1977,
# Exploratory Data Analysis).
_FENCE = 1.5


@dataclass(frozen=True, eq=False)
class Outliers:
    """The outliers of all classes.

    Attributes:
        images: The outliers, the furthest first.
        excess: How far each is beyond the upper quartile of its class, in interquartile ranges,
            (num_outliers,), above 1.5.
    """

    images: Integers
    excess: npt.NDArray[np.float64]


def outliers_of(gallery: Gallery, rows: Floats) -> Outliers:
    """Returns the images that are far from all others of their class.

    Args:
        gallery: The images.
        rows: Their features of length 1.
    """
    excess = np.zeros(len(gallery))
    for label in np.unique(gallery.labels):
        own = np.flatnonzero(gallery.labels == label)
        num_units = len(np.unique(gallery.units[own]))
        if num_units < _FEWEST:
            continue
        count = min(_NEIGHBOR, num_units // 2)
        found = nearest(rows[own], gallery.units[own], count)
        # The last that there is: of exact duplicates or a large group there may be fewer.
        distances = np.where(found.indices >= 0, found.distances, 0).max(axis=1)
        low, high = np.quantile(distances, [0.25, 0.75])
        excess[own] = (distances - high) / max(high - low, 1e-6)
    beyond = np.flatnonzero(excess > _FENCE)
    beyond = beyond[np.argsort(-excess[beyond], kind="stable")]
    return Outliers(beyond, excess[beyond])
