"""Precision and recall of each label over all thresholds: average precision, curves, thresholds."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.models.sigmoids import DEFAULT_THRESHOLD

Floats = npt.NDArray[np.float64]


class Ranking:
    """The examples of each label, ordered by their probability once, for many weightings."""

    def __init__(self, probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        """Orders the examples.

        Args:
            probabilities: Shape (num_examples, num_labels).
            labels: 0, 1, or NaN where unknown, in the same shape.
        """
        columns = np.asarray(probabilities).T  # (num_labels, num_examples)
        targets = np.asarray(labels).T
        self._order = np.argsort(-columns, axis=1, kind="stable")
        self._sorted = np.take_along_axis(columns, self._order, axis=1)
        found = np.take_along_axis(targets, self._order, axis=1)
        self._is_positive, self._is_known = found == 1, ~np.isnan(found)
        # Examples of equal probability are one point of the curve: the last of them.
        is_last = np.ones(columns.shape, np.bool_)
        is_last[:, :-1] = self._sorted[:, 1:] != self._sorted[:, :-1]
        places = np.where(is_last, np.arange(columns.shape[1]), columns.shape[1])
        self._ends = np.minimum.accumulate(places[:, ::-1], axis=1)[:, ::-1]
        is_first = np.ones(columns.shape, np.bool_)
        is_first[:, 1:] = is_last[:, :-1]
        places = np.where(is_first, np.arange(columns.shape[1]), 0)
        self._starts = np.maximum.accumulate(places, axis=1)

    def average_precision(self, counts: npt.NDArray[Any] | None = None) -> Floats:
        """Returns the average precision of each label, (num_labels,); NaN without positives.

        The sum over the distinct probabilities of the precision times the step in recall, as in
        scikit-learn's `average_precision_score`.

        Args:
            counts: How often each example counts, (num_examples,); None counts each once.
        """
        weight = self._is_known.astype(np.float64)
        if counts is not None:
            weight *= np.asarray(counts)[self._order]
        positives = weight * self._is_positive
        above = np.take_along_axis(np.cumsum(weight, axis=1), self._ends, axis=1)
        right = np.take_along_axis(np.cumsum(positives, axis=1), self._ends, axis=1)
        precision = right / np.maximum(above, np.finfo(np.float64).tiny)
        total = positives.sum(axis=1)
        found = np.full(len(total), np.nan)
        np.divide((positives * precision).sum(axis=1), total, out=found, where=total > 0)
        return found

    def slopes(self) -> Floats:
        """Returns what one more example changes, (num_labels, num_examples).

        The derivative of the average precision of each label by how often an example counts, where
        all count once; NaN without positives. Its sum of squares estimates the variance of the
        average precision (the infinitesimal jackknife of Efron 1981, Biometrika 68).
        """
        weight = self._is_known.astype(np.float64)
        positives = weight * self._is_positive
        above = np.take_along_axis(np.cumsum(weight, axis=1), self._ends, axis=1)
        right = np.take_along_axis(np.cumsum(positives, axis=1), self._ends, axis=1)
        above = np.maximum(above, 1.0)  # where it is less, nothing is known
        total = positives.sum(axis=1, keepdims=True)
        total[total == 0] = np.nan
        average = self.average_precision()[:, None]
        # A positive adds its own precision, and raises that of all at or below it; any example
        # lowers theirs.
        raised = self._at_or_below(positives / above)
        gains = positives * (right / above - average + raised)
        losses = weight * self._at_or_below(positives * right / np.square(above))
        found = np.empty(weight.shape)
        np.put_along_axis(found, self._order, (gains - losses) / total, axis=1)
        return found

    def _at_or_below(self, values: Floats) -> Floats:
        """Returns for each example, in order, the sum over those of no higher probability."""
        sums = np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
        return np.take_along_axis(sums, self._starts, axis=1)

    def curve(self, label: int) -> tuple[Floats, Floats, Floats]:
        """Returns thresholds, descending, with the precision and recall of a label at each.

        A label is predicted where its probability is at least the threshold. All are of shape
        (num_points,), and empty without positives.
        """
        known = self._is_known[label]
        values, is_positive = self._sorted[label][known], self._is_positive[label][known]
        if not is_positive.any():
            return np.zeros(0), np.zeros(0), np.zeros(0)
        last = np.flatnonzero(np.append(values[1:] != values[:-1], True))
        right = np.cumsum(is_positive)[last]
        return values[last].astype(np.float64), right / (last + 1), right / is_positive.sum()


def mean_average_precision(average_precision: Floats) -> float:
    """Returns the mean over the labels that at least one example has; NaN if there is none.

    Examples:
        >>> mean_average_precision(np.array([0.5, 1.0, np.nan]))
        0.75
    """
    there = average_precision[~np.isnan(average_precision)]
    return float(there.mean()) if len(there) else float("nan")


def best_thresholds(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Returns the threshold of each label with the highest F1, (num_labels,).

    It is halfway between two probabilities, so that rounding does not change a prediction. Of
    several with the same F1 the nearest to 0.5 wins. Without positives it is 0.5.

    Args:
        probabilities: Of examples that were not trained on, (num_examples, num_labels).
        labels: 0, 1, or NaN where unknown, in the same shape.

    Examples:
        >>> best_thresholds([[0.9], [0.4], [0.2]], [[1], [1], [0]]).round(2)
        array([0.3])
    """
    ranking = Ranking(probabilities, labels)
    chosen = []
    for label in range(np.asarray(labels).shape[1]):
        values, precision, recall = ranking.curve(label)
        if not len(values):
            chosen.append(DEFAULT_THRESHOLD)
            continue
        f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(np.float64).tiny)
        below = np.append(values[1:], 0.0)
        middle = (values + below) / 2
        best = np.flatnonzero(f1 >= f1.max() - 1e-12)
        nearest = best[np.argmin(np.abs(middle[best] - DEFAULT_THRESHOLD))]
        chosen.append(float(middle[nearest]))
    return np.array(chosen)
