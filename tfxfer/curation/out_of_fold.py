"""Probabilities of images by heads that were not trained on them, of several divisions."""

import numpy as np
import numpy.typing as npt

from tfxfer.curation.gallery import Gallery
from tfxfer.data.carving import deal
from tfxfer.data.contents import Integers
from tfxfer.ranking.cross_validation import out_of_fold
from tfxfer.ranking.judging.labeled import Labeled

# Folds of the cross-validation, and how often the images are divided anew: one division of few
# images is a matter of luck. On ants and bees, flowers and tiles with 5% and 10% of labels changed,
# three instead of one raise the average precision from 0.82 to 0.84 (benchmarks/README.md).
_NUM_FOLDS = 5

_NUM_DIVISIONS = 3

# With more images than this, one division is precise enough.
_MANY_IMAGES = 10_000


def mean_out_of_fold(
    gallery: Gallery, chosen: Integers, labels: Integers, seed: int
) -> npt.NDArray[np.float64]:
    """Returns mean out-of-fold probabilities, (num_chosen, num_classes).

    Exact duplicates, and the groups of the data, are never on both sides of a division.

    Args:
        gallery: The images.
        chosen: Which of them.
        labels: What the heads are to tell, from 0 without gaps, (num_chosen,).
        seed: Of the folds.
    """
    features, units, digests = (
        gallery.features[chosen],
        gallery.units[chosen],
        gallery.digests[chosen],
    )
    groups = None if gallery.groups is None else [gallery.groups[number] for number in chosen]
    num_classes = int(labels.max()) + 1
    num_divisions = 1 if len(chosen) > _MANY_IMAGES else _NUM_DIVISIONS
    total: npt.NDArray[np.float64] = np.zeros((len(chosen), num_classes))
    for division in range(num_divisions):
        folds = deal(labels, digests, _NUM_FOLDS, (seed, division), groups)
        total += out_of_fold(features, Labeled(labels, folds, units, num_classes))
    return total / num_divisions
