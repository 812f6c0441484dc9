"""Metrics of ordered classes: how far a prediction is from the label, in classes."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.labels.tasks import Tasks
from tfxfer.evaluation.ordinal.distances import mean_absolute_error, quadratic_kappa
from tfxfer.evaluation.predictions import AnyResult, summarize_predictions
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.runs.scores.summary import Summary


def in_order(result: AnyResult, *, is_ordered: bool) -> AnyResult:
    """Returns metrics with those of ordered classes, where the classes have an order."""
    if not is_ordered or not isinstance(result, EvaluationResult):
        return result
    return dataclasses.replace(result, is_ordered=True)


def summaries(
    class_names: tuple[str, ...],
    probabilities: Mapping[str, npt.NDArray[Any]],
    labels: Mapping[str, npt.NDArray[Any]],
    thresholds: npt.NDArray[np.float64] | None,
    tasks: Tasks | None,
    *,
    is_ordered: bool,
) -> dict[str, Summary]:
    """Returns the metrics of predictions that `metrics.json` has, by split.

    Args:
        class_names: In the order of the columns of the probabilities.
        probabilities: By split, (num_examples, num_classes) each.
        labels: By split.
        thresholds: Of each of several labels, (num_labels,); None for one class for each image.
        tasks: The tasks whose classes the columns are; None if there are none.
        is_ordered: Whether the classes have an order.
    """
    found = {
        name: summarize_predictions(class_names, some, labels[name], thresholds, tasks)
        for name, some in probabilities.items()
    }
    if not is_ordered:
        return found
    return {
        name: with_distances(one, probabilities[name], labels[name]) for name, one in found.items()
    }


def with_distances(
    summary: Summary, probabilities: npt.NDArray[Any], labels: npt.NDArray[Any]
) -> Summary:
    """Returns the scores of a split with those of ordered classes."""
    predicted = probabilities.argmax(axis=1)
    return dataclasses.replace(
        summary,
        mean_absolute_error=mean_absolute_error(labels, predicted),
        quadratic_kappa=quadratic_kappa(labels, predicted),
    )
