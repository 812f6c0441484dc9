"""Shift between splits: whether a head can tell the images of two splits apart."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxfer.curation.gallery import Gallery
from tfxfer.curation.out_of_fold import mean_out_of_fold
from tfxfer.data.contents import Integers

# Fewer different images of a split tell nothing.
_FEWEST = 10


@dataclass(frozen=True)
class Shift:
    """How well a head tells the images of a later split from those of an earlier one.

    Attributes:
        splits: The numbers of both splits.
        auroc: Area under the ROC curve within classes, in [0, 1]: the probability that of two
            images of one class, one of each split, the head tells which is which. 0.5 is chance.
        interval: 95% interval of it.
    """

    splits: tuple[int, int]
    auroc: float
    interval: tuple[float, float]


def shifts_of(gallery: Gallery, seed: int) -> list[Shift]:
    """Returns the shift between the first split and each other one, by heads of several divisions.

    Args:
        gallery: The images.
        seed: Of the folds.
    """
    return shifts_by(
        gallery, lambda chosen, is_other: mean_out_of_fold(gallery, chosen, is_other, seed)
    )


def shifts_by(
    gallery: Gallery, by_heads: Callable[[Integers, Integers], npt.NDArray[np.float64]]
) -> list[Shift]:
    """Returns the shift between the first split and each other one that has enough images.

    The head is cross-validated on features, so that it tells splits apart on images that it was not
    trained on (a classifier two-sample test, Lopez-Paz & Oquab 2017, arXiv:1610.06545). Only images
    of one class are compared: how often a class occurs is no shift of its images.

    Args:
        gallery: The images.
        by_heads: From images and whether each is in the other split to out-of-fold probabilities,
            (num_images, 2).
    """
    numbers = np.unique(gallery.splits)
    found = []
    for other in numbers[1:]:
        chosen = np.flatnonzero(np.isin(gallery.splits, (numbers[0], other)))
        is_other = (gallery.splits[chosen] == other).astype(np.int64)
        units = gallery.units[chosen]
        if min(len(np.unique(units[is_other == side])) for side in (0, 1)) < _FEWEST:
            continue
        shares = by_heads(chosen, is_other)[:, 1]
        auroc = within_classes(shares, is_other, gallery.labels[chosen])
        if auroc is not None:
            pair = (int(numbers[0]), int(other))
            found.append(Shift(pair, auroc, _interval(auroc, is_other)))
    return found


def within_classes(
    shares: npt.NDArray[np.float64], is_other: Integers, labels: Integers
) -> float | None:
    """Returns the mean AUROC of the classes, weighted by their pairs; None if no class has pairs.

    Args:
        shares: Probability of the other split, (num_images,).
        is_other: 1 for images of the other split, 0 for the rest, (num_images,).
        labels: Class indices, (num_images,).

    Examples:
        >>> import numpy as np
        >>> shares = np.array([0.1, 0.9, 0.4, 0.3])
        >>> within_classes(shares, np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]))
        0.5
    """
    wins = pairs = 0.0
    for label in np.unique(labels):
        own = labels == label
        later, first = (np.sort(shares[own & (is_other == one)]) for one in (1, 0))
        # The statistic of Mann & Whitney: won pairs, half of the ties.
        lower, not_higher = (np.searchsorted(first, later, side) for side in ("left", "right"))
        wins += (lower + not_higher).sum() / 2
        pairs += len(later) * len(first)
    return float(wins / pairs) if pairs else None


def _interval(auroc: float, is_other: Integers) -> tuple[float, float]:
    """Returns the 95% interval of an AUROC (Hanley & McNeil 1982, Radiology 143)."""
    ones, zeros = int(is_other.sum()), int((1 - is_other).sum())
    q1, q2 = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    square = auroc**2
    variance = auroc - square + (ones - 1) * (q1 - square) + (zeros - 1) * (q2 - square)
    margin = 1.96 * math.sqrt(max(variance, 0.0) / (ones * zeros))
    return max(0.0, auroc - margin), min(1.0, auroc + margin)
