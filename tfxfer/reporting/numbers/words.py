"""Metrics as text: errors of a number are in its unit, of any size."""

from tfxfer.data.labels.numbers import readable
from tfxfer.evaluation.intervals import BOOTSTRAP_SAMPLES, INTERVALS
from tfxfer.evaluation.numbers.result import NumberResult
from tfxfer.runs.history import Epoch
from tfxfer.runs.metrics_record import FitMetrics


def measured(value: float, result: object) -> str:
    """Returns a metric of a result, of labels of any kind, as text."""
    return readable(value) if isinstance(result, NumberResult) else f"{value:.4f}"


def metric_of_epoch(epoch: Epoch, metrics: FitMetrics) -> str:
    """Returns the metric of an epoch on validation, with its name.

    Args:
        epoch: The epoch.
        metrics: Of its run.
    """
    if metrics.target is None:
        return f"accuracy {epoch.validation_accuracy:.4f}"
    error = (1 - epoch.validation_accuracy) * float(metrics.target["spread"])
    return f"mean absolute error {readable(error)}"


def optimism_in_words(optimism: float, metrics: FitMetrics) -> str:
    """Returns by how much a score is too good.

    Args:
        optimism: By how much the accuracy is too high.
        metrics: Of the run.
    """
    if metrics.target is None:
        points = 100 * optimism
        how_much = f"about {points:.1f}" if points >= 0.05 else "less than 0.1"
        return f"accuracy too high by {how_much} percentage points"
    error = optimism * float(metrics.target["spread"])
    return f"mean absolute error too low by about {readable(error)}"


def intervals_in_words(result: object) -> str:
    """Returns how the intervals of a result are computed."""
    is_number = isinstance(result, NumberResult)
    return f"{BOOTSTRAP_SAMPLES:,} bootstrap samples" if is_number else INTERVALS
