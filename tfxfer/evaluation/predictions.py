"""All metrics of predictions."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.labels.tasks import Tasks
from tfxfer.evaluation import metrics
from tfxfer.evaluation.multi_label.result import MultiLabelResult
from tfxfer.evaluation.one_label import evaluate_classes
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.evaluation.tasks.result import TasksResult
from tfxfer.runs.scores.summary import Summary

AnyResult = EvaluationResult | MultiLabelResult | TasksResult


def evaluate_predictions(
    data: str,
    split: str,
    class_names: tuple[str, ...],
    probabilities: npt.NDArray[np.float32],
    y_true: npt.NDArray[Any],
    notes: tuple[str, ...] = (),
    thresholds: npt.NDArray[np.float64] | None = None,
    tasks: Tasks | None = None,
) -> AnyResult:
    """Computes all metrics of predictions on a split.

    Args:
        data: Name of the dataset.
        split: Name of the split.
        class_names: In the order of the columns of `probabilities`.
        probabilities: Shape (num_examples, num_classes).
        y_true: Class indices, shape (num_examples,), or several labels for each example.
        notes: Remarks on the images, shown with the metrics.
        thresholds: Of each of several labels, (num_labels,); None for one class for each image.
        tasks: The tasks whose classes the columns are; None if there are none.
    """
    if tasks is not None:
        return TasksResult(data, split, tasks, probabilities, y_true, notes)
    if thresholds is not None:
        return MultiLabelResult(data, split, class_names, thresholds, probabilities, y_true, notes)
    return evaluate_classes(data, split, class_names, probabilities, y_true, notes)


def summarize_predictions(
    class_names: tuple[str, ...],
    probabilities: npt.NDArray[np.float32],
    y_true: npt.NDArray[Any],
    thresholds: npt.NDArray[np.float64] | None = None,
    tasks: Tasks | None = None,
) -> Summary:
    """Computes the metrics of predictions on a split that `metrics.json` has.

    Args:
        class_names: In the order of the columns of `probabilities`.
        probabilities: Shape (num_examples, num_classes).
        y_true: Class indices, shape (num_examples,), or several labels for each example.
        thresholds: Of each of several labels, (num_labels,); None for one class for each image.
        tasks: The tasks whose classes the columns are; None if there are none.
    """
    if tasks is not None:
        return TasksResult("", "", tasks, probabilities, y_true).summary()
    if thresholds is None:
        return metrics.summarize(probabilities, y_true)
    return MultiLabelResult("", "", class_names, thresholds, probabilities, y_true).summary()
