"""Numbers that judge a classifier: arrays in, numbers out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.models.losses import row_blocks
from tfxfer.models.objectives import accuracy, is_right
from tfxfer.runs.metrics_record import Summary

Counts = npt.NDArray[np.int64]

# The smallest probability that a float32 softmax is taken to mean; it bounds one example's loss.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)

# Samples that a bootstrap draws, of which the middle 95% make the interval.
BOOTSTRAP_SAMPLES = 1000

_INTERVAL = (2.5, 97.5)


def balanced_accuracy(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Returns the mean recall of the classes, in [0, 1].

    The recall of a class is the share of its examples whose most probable class it is. The mean is
    over the classes that occur, each counting the same: chance is `1 / num_classes`, however the
    classes are distributed (Brodersen et al. 2010, ICPR, "The balanced accuracy and its posterior
    distribution"). It is scikit-learn's `balanced_accuracy_score`.

    Args:
        probabilities: Shape (num_examples, num_classes). Of equal ones the first class wins.
        labels: Class indices, shape (num_examples,).
    """
    counts = np.bincount(np.asarray(labels))
    num_right = np.bincount(np.asarray(labels), weights=is_right(probabilities, labels))
    occurs = counts > 0
    return float(np.mean(num_right[occurs] / counts[occurs]))


def has_uneven_classes(labels: npt.ArrayLike) -> bool:
    """Tells whether the largest class has more than 1.5 times the examples of the smallest.

    Classes without examples are not looked at, and one example more is no difference: splits that
    are carved have that by rounding.

    Args:
        labels: Class indices, shape (num_examples,).
    """
    _, counts = np.unique(labels, return_counts=True)
    smallest, largest = int(counts.min()), int(counts.max())
    return largest > 1.5 * smallest and largest > smallest + 1


def is_in_top_k(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, k: int
) -> npt.NDArray[np.bool_]:
    """Returns whether the label of each example is among the k most probable classes.

    Args:
        probabilities: Shape (num_examples, num_classes). Of equal ones the first classes win.
        labels: Class indices, shape (num_examples,).
        k: At most the number of classes.
    """
    rows, chosen = np.asarray(probabilities), np.asarray(labels)
    found = np.zeros(len(rows), np.bool_)
    for block in row_blocks(rows):
        some, own = rows[block], chosen[block, None]
        if np.isnan(some.max()):  # it comes after every number
            some = np.where(np.isnan(some), -np.inf, some)
        # To count takes a fraction of the time that to sort does.
        values = np.take_along_axis(some, own, axis=1)
        is_ahead = (some > values) | ((some == values) & (np.arange(some.shape[1]) < own))
        found[block] = np.count_nonzero(is_ahead, axis=1) < k
    return found


@dataclass(frozen=True)
class ClassScores:
    """How each class is told from the others, (num_classes,) each, in [0, 1].

    Attributes:
        precision: Share of those taken for the class that are of it; 0 where none was taken for it.
        recall: Share of the class that was taken for it; 0 where the class does not occur.
        f1: Harmonic mean of the two; 0 where both are.
        support: How many examples are of the class.
        taken: How many were taken for it.
    """

    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    f1: npt.NDArray[np.float64]
    support: Counts
    taken: Counts

    @classmethod
    def of_counts(cls, right: Counts, taken: Counts, support: Counts) -> "ClassScores":
        """Returns the scores of counts, (num_classes,) each.

        Args:
            right: How many of each class were taken for it.
            taken: How many were taken for each class.
            support: How many are of it.
        """
        hits = right.astype(np.float64)
        return cls(
            precision=_share(hits, taken),
            recall=_share(hits, support),
            f1=_share(2 * hits, taken + support),
            support=support,
            taken=taken,
        )

    def macro(self) -> dict[str, float]:
        """Returns the mean precision, recall and F1 of the classes that occur or were predicted."""
        known = self.support + self.taken > 0
        means = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {name: float(np.mean(values[known])) for name, values in means.items()}


def bootstrap_intervals(
    statistics: Callable[[npt.NDArray[np.int64]], Mapping[str, float]],
    num_examples: int,
    num_samples: int = BOOTSTRAP_SAMPLES,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Returns the interval in which 95% of each statistic's values on resampled examples lie.

    The percentile interval of the bootstrap (Efron & Tibshirani 1993, An Introduction to the
    Bootstrap, chapter 13): what could have come out had other images of the same kind been drawn.

    Args:
        statistics: By name, of the examples of these numbers, (num_examples,), which may repeat.
        num_examples: How many there are, and are drawn.
        num_samples: How often.
        seed: Of the drawing.
    """
    generator = np.random.default_rng(seed)
    found = [
        statistics(generator.integers(num_examples, size=num_examples)) for _ in range(num_samples)
    ]
    intervals = {}
    for name in found[0]:
        low, high = np.percentile([values[name] for values in found], _INTERVAL)
        intervals[name] = (float(low), float(high))
    return intervals


def cross_entropy(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Returns the mean negative natural logarithm of the labels' probabilities.

    No label smoothing enters, whatever the training loss was. A probability of zero counts as the
    smallest normal float32.

    Args:
        probabilities: Shape (num_examples, num_classes), rows summing to 1.
        labels: Class indices, shape (num_examples,).
    """
    return float(np.mean(example_losses(probabilities, labels)))


def example_losses(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Returns the terms of which `cross_entropy` is the mean, (num_examples,)."""
    rows = np.asarray(probabilities)
    chosen = np.take_along_axis(rows, np.asarray(labels)[:, None], axis=1)[:, 0].astype(np.float64)
    losses: npt.NDArray[np.float64] = -np.log(np.maximum(chosen, SMALLEST_PROBABILITY))
    return losses


def summarise(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> Summary:
    """Returns a split's accuracies, loss and number of examples.

    Args:
        probabilities: Shape (num_examples, num_classes), rows summing to 1.
        labels: Class indices, shape (num_examples,).
    """
    return Summary(
        accuracy=accuracy(probabilities, labels),
        balanced_accuracy=balanced_accuracy(probabilities, labels),
        loss=cross_entropy(probabilities, labels),
        num_examples=len(np.asarray(labels)),
        uneven_classes=has_uneven_classes(labels),
    )


def describe_scores(splits: Mapping[str, Summary]) -> list[str]:
    """Returns a line for each split that judges, the test first.

    The balanced accuracy stands beside the plain one where classes are uneven, and so it differs.
    """
    lines = []
    for name in ("test", "validation"):
        if name in splits:
            found = splits[name]
            line = f"{name} accuracy {found.accuracy:.4f}"
            if found.uneven_classes:
                line += f", balanced {found.balanced_accuracy:.4f}"
            lines.append(f"{line} ({found.num_examples:,} images)")
    return lines


def _share(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Returns the quotient, 0 where there is nothing to divide by."""
    shares = np.zeros(len(part))
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
