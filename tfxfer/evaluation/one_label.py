"""All metrics of predictions of one class for each example."""

import numpy as np
import numpy.typing as npt

from tfxfer.evaluation import calibration, metrics
from tfxfer.evaluation.confusion import Confusion
from tfxfer.evaluation.metrics import ClassScores
from tfxfer.evaluation.result import TOP_K, EvaluationResult
from tfxfer.models.objectives import accuracy


def evaluate_classes(
    data: str,
    split: str,
    class_names: tuple[str, ...],
    probabilities: npt.NDArray[np.float32],
    y_true: npt.NDArray[np.int64],
    notes: tuple[str, ...] = (),
    unit: str = "images",
) -> EvaluationResult:
    """Computes all metrics of predictions of one class for each example.

    Args:
        data: Name of the dataset.
        split: Name of the split.
        class_names: In the order of the columns of `probabilities`.
        probabilities: Shape (num_examples, num_classes); rows sum to 1.
        y_true: Class indices, shape (num_examples,).
        notes: Remarks on the examples, shown with the metrics.
        unit: What the examples are.
    """
    num_classes = len(class_names)
    pairs = Confusion.from_predictions(y_true, probabilities.argmax(axis=1), num_classes)
    in_top = metrics.in_top_k(probabilities, y_true, TOP_K)
    return EvaluationResult(
        data=data,
        split=split,
        class_names=class_names,
        accuracy=accuracy(probabilities, y_true),
        balanced_accuracy=metrics.balanced_accuracy(probabilities, y_true),
        loss=metrics.cross_entropy(probabilities, y_true),
        num_examples=len(y_true),
        imbalanced=metrics.is_imbalanced(y_true),
        top_5_accuracy=float(in_top.mean()) if num_classes > TOP_K else None,
        pairs=pairs,
        classes=ClassScores.from_counts(pairs.num_correct, pairs.num_predicted, pairs.support),
        calibration=calibration.calibration(probabilities, y_true),
        probabilities=probabilities,
        labels=y_true,
        notes=notes,
        unit=unit,
    )
