"""The metrics of a model that predicts a number, on a split: printed, as JSON, with intervals."""

import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.labels.numbers import Number, readable
from tfxfer.evaluation.intervals import IN_BRACKETS, bootstrap_intervals, intervals_as_json
from tfxfer.models.losses.huber import huber
from tfxfer.runs.scores.summary import Summary

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NumberResult:
    """The metrics of a model that predicts a number, on a split, in the unit of the number.

    Attributes:
        data: Name of the dataset.
        split: "train", "validation", "test" or "all".
        number: The target.
        probabilities: Predicted numbers, (num_examples, 1), in the order of the data.
        labels: True numbers, (num_examples,).
        notes: Remarks on the images, such as how many were left out or trained on.
    """

    data: str
    split: str
    number: Number
    probabilities: npt.NDArray[np.float32] = field(repr=False)
    labels: Floats = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of the model's only output."""
        return (self.number.name,)

    @property
    def num_examples(self) -> int:
        """Number of images."""
        return len(self.labels)

    @functools.cached_property
    def predicted(self) -> Floats:
        """The predicted numbers, (num_examples,)."""
        return np.asarray(self.probabilities[:, 0], np.float64)

    @functools.cached_property
    def errors(self) -> Floats:
        """Predicted less true numbers, (num_examples,)."""
        return np.asarray(self.predicted - self.labels)

    @property
    def mean_absolute_error(self) -> float:
        """Mean absolute error."""
        return float(np.abs(self.errors).mean())

    @property
    def root_mean_squared_error(self) -> float:
        """Square root of the mean squared error."""
        return math.sqrt(float(np.square(self.errors).mean()))

    @property
    def median_absolute_error(self) -> float:
        """Median absolute error: half of the images have a smaller one."""
        return float(np.median(np.abs(self.errors)))

    @property
    def r2(self) -> float:
        """Coefficient of determination, at most 1; 0 if all numbers are the same.

        Same as scikit-learn's `r2_score`, except where that is undefined.
        """
        return _r2(self.labels, self.errors)

    @property
    def baseline_error(self) -> float:
        """Mean absolute error of always predicting the median of the training numbers."""
        return float(np.abs(self.labels - self.number.median).mean())

    @property
    def accuracy(self) -> float:
        """Share of the baseline's error that is avoided, at most 1; see `models.regression`."""
        return 1 - self.mean_absolute_error / self.number.spread

    @property
    def loss(self) -> float:
        """Mean Huber loss of the standardized number."""
        return float(huber(self.errors / self.number.std).mean())

    @property
    def calibration(self) -> None:
        """A number has no probability that could be calibrated."""
        return None

    @functools.cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """95% intervals of the metrics as (low, high); see `intervals.bootstrap_intervals`."""
        return _intervals(self)

    def summary(self) -> Summary:
        """Returns the metrics as `metrics.json` holds them."""
        return Summary(
            accuracy=self.accuracy,
            loss=self.loss,
            num_examples=self.num_examples,
            mean_absolute_error=self.mean_absolute_error,
            root_mean_squared_error=self.root_mean_squared_error,
            median_absolute_error=self.median_absolute_error,
            r2=self.r2,
            baseline_error=self.baseline_error,
        )

    def rows(self) -> list[tuple[str, float, tuple[float, float]]]:
        """Returns the metrics to show, each as (name, value, 95% interval)."""
        rows = [
            ("mean absolute error", "mean_absolute_error"),
            ("median absolute error", "median_absolute_error"),
            ("root mean squared error", "root_mean_squared_error"),
            ("R²", "r2"),
            ("error of the training median", "baseline_error"),
        ]
        return [(name, getattr(self, key), self.intervals[key]) for name, key in rows]

    def as_json(self) -> dict[str, Any]:
        """Returns everything except the predictions, ready for JSON."""
        keys = (
            *("mean_absolute_error", "median_absolute_error", "root_mean_squared_error"),
            *("r2", "baseline_error", "loss"),
        )
        return {
            "data": self.data,
            "split": self.split,
            "target": self.number.as_json(),
            "num_examples": self.num_examples,
            "notes": list(self.notes),
            **{key: getattr(self, key) for key in keys},
            "intervals": intervals_as_json(self.intervals),
        }

    def describe(self) -> str:
        """Returns the metrics as text."""
        lines = [f"{self.data} {self.split}, {self.num_examples:,} images: {self.number.name}"]
        lines += [f"  note: {note}" for note in self.notes]
        lines += [
            f"  {name:30s}{readable(value):>10s}  ({readable(low)} to {readable(high)})"
            for name, value, (low, high) in self.rows()
        ]
        lines.append(IN_BRACKETS)
        return "\n".join(lines)


def _r2(labels: Floats, errors: Floats) -> float:
    """Returns the coefficient of determination; 0 if all numbers are the same."""
    total = float(np.square(labels - labels.mean()).sum())
    return 1 - float(np.square(errors).sum()) / total if total > 0 else 0.0


def _intervals(result: NumberResult) -> dict[str, tuple[float, float]]:
    """Returns the bootstrap intervals of all metrics, computed on the same samples.

    They do not depend on the order of the images.
    """
    order = np.lexsort((result.errors, result.labels))
    labels, errors = result.labels[order], result.errors[order]
    sizes, distances = np.abs(errors), np.abs(labels - result.number.median)
    losses = huber(errors / result.number.std)

    def statistics(drawn: npt.NDArray[np.int64]) -> dict[str, float]:
        of_drawn = errors[drawn]
        return {
            "mean_absolute_error": float(sizes[drawn].mean()),
            "median_absolute_error": float(np.median(sizes[drawn])),
            "root_mean_squared_error": math.sqrt(float(np.square(of_drawn).mean())),
            "r2": _r2(labels[drawn], of_drawn),
            "baseline_error": float(distances[drawn].mean()),
            "loss": float(losses[drawn].mean()),
        }

    return bootstrap_intervals(statistics, len(labels))
