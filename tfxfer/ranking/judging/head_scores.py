"""The scores of a cross-validated head, with intervals from its pooled predictions."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tfxfer.data.contents import Integers
from tfxfer.data.labels.kinds import MULTI_LABEL, NUMERIC
from tfxfer.data.labels.tasks import MISSING
from tfxfer.evaluation.intervals import wilson_interval
from tfxfer.evaluation.metrics import cross_entropy
from tfxfer.evaluation.multi_label.precision_recall import Ranking, mean_average_precision
from tfxfer.models.objectives import is_right
from tfxfer.ranking.judging.labeled import Labeled
from tfxfer.training.examples import Floats

Doubles = npt.NDArray[np.float64]

# Width of a 95% interval of a normal distribution, in standard errors.
_STANDARD_ERRORS = 1.96


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class HeadScores:
    """The scores of a cross-validated head.

    Attributes:
        metric: The value of the metric of the labels; see `Labeled.metric`.
        interval: 95% interval of the metric.
        log_loss: Mean cross-entropy of a label that is known, in nats; of numbers the mean Huber
            loss, standardized.
        is_correct: Whether each image is predicted correctly, (num_examples,); None where an
            image has anything but one class.
        influence: Otherwise by how much the metric would grow if an image counted more, as a
            multiple of that, (num_examples,), with mean 0; negative where lower is better.
    """

    metric: float
    interval: tuple[float, float]
    log_loss: float
    is_correct: npt.NDArray[np.bool_] | None = None
    influence: Doubles | None = None

    @classmethod
    def of(cls, outputs: Floats, labeled: Labeled) -> Self:
        """Returns the scores of the pooled out-of-fold outputs, (num_examples, num_classes).

        The interval is from the predictions of all folds together: the spread of a few folds says
        little, and they share their training images (Bengio & Grandvalet 2004, JMLR 5).
        """
        if labeled.special:
            return cls._of_several(outputs, labeled)
        is_correct = is_right(outputs, labeled.labels)
        return cls(
            float(is_correct.mean()),
            accuracy_interval(is_correct, labeled.units),
            cross_entropy(outputs, labeled.labels),
            is_correct,
        )

    @classmethod
    def _of_several(cls, outputs: Floats, labeled: Labeled) -> Self:
        """Returns the scores of outputs of labels of a special kind."""
        value, influence = _value_and_influence(outputs, labeled)
        losses = labeled.objective.probability_losses(outputs, labeled.labels)
        return cls(
            value,
            _interval(value, influence, labeled),
            float(losses.sum()) / _num_known(labeled),
            influence=-influence if labeled.metric.is_error else influence,
        )

    def is_worse_than(self, other: "HeadScores", labeled: Labeled) -> bool:
        """Tells whether the head is significantly worse than another, on the same images.

        The 95% interval of the difference in the metric lies on one side of 0; see `is_worse`.

        Args:
            other: The scores of the other head.
            labeled: The images.
        """
        if self.is_correct is not None and other.is_correct is not None:
            return is_worse(self.is_correct, other.is_correct, labeled.units)
        if self.influence is None or other.influence is None:
            return False
        goodness = labeled.metric.goodness
        gain = goodness(self.metric) - goodness(other.metric)
        return _is_negative(gain, self.influence - other.influence, labeled.units)


def _value_and_influence(outputs: Floats, labeled: Labeled) -> tuple[float, Doubles]:
    """Returns the metric, and the influence of each image on it, (num_examples,)."""
    if labeled.special == MULTI_LABEL:
        ranking = Ranking(outputs, labeled.labels)
        value = mean_average_precision(ranking.average_precision())
        return value, len(outputs) * np.nanmean(ranking.slopes(), axis=0)
    if labeled.special == NUMERIC:
        errors = np.abs(outputs[:, 0].astype(np.float64) - labeled.labels)
        return float(errors.mean()), errors - errors.mean()
    if labeled.tasks is None:
        raise ValueError("Labels of tasks come with their tasks.")
    true, found = labeled.tasks.chosen(labeled.labels), labeled.tasks.chosen(outputs)
    is_known = true != MISSING
    own = is_known.any(axis=0)
    counts, right = is_known.sum(axis=0)[own], (is_known & (true == found))[:, own]
    shares = right.sum(axis=0) / counts
    parts = is_known[:, own] * (right - shares) / counts
    return float(shares.mean()), len(outputs) * parts.mean(axis=1)


def _interval(value: float, influence: Doubles, labeled: Labeled) -> tuple[float, float]:
    """Returns the 95% interval of a metric, from the influence of each image.

    The variance of a metric is that of the mean influence; that of units is of their sums. A share
    has the interval of Wilson, with as many images as have the same variance.
    """
    index = np.unique(labeled.units, return_inverse=True)[1]
    variance = _clustered_variance(influence, index)
    if labeled.metric.is_error:
        margin = _STANDARD_ERRORS * math.sqrt(variance)
        return max(0.0, value - margin), value + margin
    num_units = float(index.max() + 1)  # an upper limit, where all is right
    if labeled.special == MULTI_LABEL:  # images without a label tell little of precision
        num_units = float(len(np.unique(index[(labeled.labels == 1).any(axis=1)])))
    number = value * (1 - value) / variance if variance > 0 else num_units
    return wilson_interval(value, min(number, num_units * labeled.num_classes))


def _num_known(labeled: Labeled) -> int:
    """Returns how many labels are known: of each image, each label or task that it has."""
    if labeled.tasks is not None:
        return int(np.sum(labeled.tasks.chosen(labeled.labels) != MISSING))
    return int(np.sum(~np.isnan(labeled.labels)))


def accuracy_interval(is_correct: npt.NDArray[np.bool_], units: Integers) -> tuple[float, float]:
    """Returns the 95% interval of an accuracy.

    The score interval of Wilson (1927, JASA 22), which is right for few images and for accuracies
    near 1. A hundred images of one patient are not a hundred patients: with groups or duplicates
    the number of images is divided by the design effect (Kish 1965, Survey Sampling).

    Args:
        is_correct: Whether each image is predicted correctly, shape (num_examples,).
        units: See `Labeled`.

    Examples:
        >>> import numpy as np
        >>> low, high = accuracy_interval(np.arange(100) < 90, np.arange(100))
        >>> round(low, 4), round(high, 4)
        (0.8256, 0.9448)
    """
    share = float(is_correct.mean())
    return wilson_interval(share, _effective_number(is_correct, share, units))


def _effective_number(is_correct: npt.NDArray[np.bool_], share: float, units: Integers) -> float:
    """Returns how many independent images are as informative about an accuracy."""
    count = len(is_correct)
    index = np.unique(units, return_inverse=True)[1]
    # If all images of a unit are right or wrong together.
    fewest = count**2 / float(np.sum(np.square(np.bincount(index))))
    variance = _clustered_variance(is_correct - share, index)
    return min(max(share * (1 - share) / variance, fewest), count) if variance else fewest


def _clustered_variance(residuals: npt.NDArray[np.floating[Any]], index: Integers) -> float:
    """Returns the variance of a mean of examples that are drawn in units.

    Args:
        residuals: The values minus their mean, shape (num_examples,).
        index: The unit of each example, from 0 without gaps.
    """
    totals = np.bincount(index, weights=residuals)
    if len(totals) < 2:
        return 0.0
    correction = len(totals) / (len(totals) - 1)
    return float(np.sum(np.square(totals))) * correction / len(residuals) ** 2


def is_worse(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_], units: Integers) -> bool:
    """Tells whether a backbone is significantly less accurate than another, on the same images.

    The 95% interval of the difference in accuracy lies below 0. Both are right or wrong on the
    same images, which makes the difference far more certain than either accuracy.

    Args:
        one: Whether each image is predicted correctly by the backbone in question.
        other: The same of the other backbone.
        units: See `Labeled`.

    Examples:
        >>> import numpy as np
        >>> good, bad = np.arange(100) < 90, np.arange(100) < 80
        >>> is_worse(bad, good, np.arange(100)), is_worse(good, bad, np.arange(100))
        (True, False)
    """
    differences = one.astype(np.float64) - other
    mean = float(differences.mean())
    return _is_negative(mean, differences - mean, units)


def _is_negative(mean: float, residuals: npt.NDArray[np.floating[Any]], units: Integers) -> bool:
    """Tells whether the 95% interval of a mean of examples lies below 0.

    Args:
        mean: The mean.
        residuals: The values minus their mean, shape (num_examples,).
        units: See `Labeled`.
    """
    index = np.unique(units, return_inverse=True)[1]
    return mean + _STANDARD_ERRORS * math.sqrt(_clustered_variance(residuals, index)) < 0
