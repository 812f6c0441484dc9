"""All metrics of predictions."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.labels.outputs import Outputs
from tfxfer.evaluation import metrics
from tfxfer.evaluation.multi_label.result import MultiLabelResult
from tfxfer.evaluation.numbers.result import NumberResult
from tfxfer.evaluation.one_label import evaluate_classes
from tfxfer.evaluation.ordinal.distances import mean_absolute_error, quadratic_kappa
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.evaluation.tasks.result import TasksResult
from tfxfer.runs.scores.summary import Summary

AnyResult = EvaluationResult | MultiLabelResult | TasksResult | NumberResult


def evaluate_predictions(
    data: str,
    split: str,
    outputs: Outputs,
    probabilities: npt.NDArray[np.float32],
    y_true: npt.NDArray[Any],
    notes: tuple[str, ...] = (),
) -> AnyResult:
    """Computes all metrics of predictions on a split.

    Args:
        data: Name of the dataset.
        split: Name of the split.
        outputs: What the columns of `probabilities` are of.
        probabilities: Shape (num_examples, num_classes).
        y_true: Class indices or numbers, (num_examples,), or several labels for each example.
        notes: Remarks on the images, shown with the metrics.
    """
    names, thresholds = outputs.names, outputs.thresholds
    if outputs.tasks is not None:
        return TasksResult(data, split, outputs.tasks, probabilities, y_true, notes)
    if outputs.number is not None:
        return NumberResult(data, split, outputs.number, probabilities, y_true, notes)
    if thresholds is not None:
        return MultiLabelResult(data, split, names, thresholds, probabilities, y_true, notes)
    result = evaluate_classes(data, split, names, probabilities, y_true, notes)
    return dataclasses.replace(result, is_ordered=True) if outputs.is_ordered else result


def summarize_predictions(
    outputs: Outputs, probabilities: npt.NDArray[np.float32], y_true: npt.NDArray[Any]
) -> Summary:
    """Computes the metrics of predictions on a split that `metrics.json` has.

    Args:
        outputs: What the columns of `probabilities` are of.
        probabilities: Shape (num_examples, num_classes).
        y_true: Class indices or numbers, (num_examples,), or several labels for each example.
    """
    if outputs.special:
        result = evaluate_predictions("", "", outputs, probabilities, y_true)
        return result.summary()
    summary = metrics.summarize(probabilities, y_true)
    if not outputs.is_ordered:
        return summary
    predicted = probabilities.argmax(axis=1)
    return dataclasses.replace(
        summary,
        mean_absolute_error=mean_absolute_error(y_true, predicted),
        quadratic_kappa=quadratic_kappa(y_true, predicted),
    )
