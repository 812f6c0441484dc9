"""Typical images of regions that have no label yet, for when labels are few.

TypiClust (Hacohen et al. 2022, arXiv:2202.02794): while labels are few, what a model is uncertain
of says little, and the most typical image of each cluster teaches most.
"""

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from tfxfer.curation.neighbors import nearest
from tfxfer.data.contents import Integers
from tfxfer.training.examples import Floats

# The values of the authors' code: neighbors that density is measured by, the fewest members of a
# cluster that is worth a label, and the most clusters.
_NEIGHBORS, _FEWEST_MEMBERS, _MOST_CLUSTERS = 20, 5, 500

# Above so many images k-means goes by batches.
_MANY_IMAGES, _BATCH = 10_000, 5000


def choose_typical(rows: Floats, known: Floats, count: int, seed: int) -> Integers:
    """Returns which images to label next, the most useful first, (count,).

    All images are divided into as many clusters as there will be labels. From each cluster without
    a label, the largest first, the image of the highest density is chosen.

    Args:
        rows: Features of length 1 of the images without a label, (num_images, num_features).
        known: The same of the images that have one, (num_known, num_features).
        count: How many to choose; at most `num_images`.
        seed: Of the clustering.
    """
    everything = np.concatenate([rows, known])
    num_clusters = min(len(known) + count, _MOST_CLUSTERS, len(everything))
    clusters = _clusters(everything, num_clusters, seed)
    own, theirs = clusters[: len(rows)], clusters[len(rows) :]
    is_free = np.ones(len(rows), np.bool_)
    labels = np.bincount(theirs, minlength=num_clusters)
    chosen: list[int] = []
    while len(chosen) < count:
        sizes = np.bincount(own[is_free], minlength=num_clusters)
        # By the fewest labels, then the most images; small clusters last.
        order = np.lexsort((-sizes, labels, sizes < _FEWEST_MEMBERS))
        cluster = next(int(one) for one in order if sizes[one])
        members = np.flatnonzero((own == cluster) & is_free)
        image = int(members[_typicality(rows[members]).argmax()])
        chosen.append(image)
        is_free[image] = False
        labels[cluster] += 1
    return np.array(chosen, np.int64)


def _clusters(rows: Floats, count: int, seed: int) -> Integers:
    """Returns the cluster of each image by k-means, (num_images,)."""
    from sklearn.cluster import KMeans, MiniBatchKMeans  # a second to import

    if len(rows) > _MANY_IMAGES:
        model = MiniBatchKMeans(count, batch_size=_BATCH, n_init=1, random_state=seed)
    else:
        model = KMeans(count, n_init=1, random_state=seed)
    with threadpool_limits(1):  # the sums of threads have no fixed order
        return np.asarray(model.fit_predict(rows), np.int64)


def _typicality(rows: Floats) -> npt.NDArray[np.float64]:
    """Returns how densely images lie around each, (num_images,).

    The inverse of the mean Euclidean distance to the nearest neighbors.
    """
    if len(rows) == 1:
        return np.ones(1)
    count = max(1, min(_NEIGHBORS, len(rows) // 2))
    found = nearest(rows, np.arange(len(rows)), count)
    distances = np.sqrt(np.maximum(2 * found.distances.astype(np.float64), 0))
    return np.asarray(1 / (distances.mean(axis=1) + 1e-5))
