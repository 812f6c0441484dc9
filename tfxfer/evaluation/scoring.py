"""Evaluates a classifier on a split."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.batches import evaluation_batches
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.data.seen import BoundSource
from tfxfer.data.source import Split
from tfxfer.evaluation import calibration, metrics
from tfxfer.evaluation.confusion import Confusion
from tfxfer.evaluation.metrics import ClassScores
from tfxfer.evaluation.multi_label.result import MultiLabelResult
from tfxfer.evaluation.result import TOP_K, EvaluationResult
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.models.objectives import accuracy
from tfxfer.runs.scores.summary import Summary
from tfxfer.system.progress import Progress

AnyResult = EvaluationResult | MultiLabelResult


def score(
    trained: TrainedClassifier, source: BoundSource, split: str, batch_size: int = 64
) -> AnyResult:
    """Evaluates a loaded classifier on a split of an opened source.

    Args:
        trained: The classifier.
        source: Data opened for this classifier.
        split: "train", "validation", "test" or "all".
        batch_size: Images per batch.

    Raises:
        TfxferError: As `tfxfer.evaluate`.
    """
    parts = source.part(split)
    labels = np.concatenate([trained.labels(source, part) for part in parts.values()])
    predicted = [_predict_split(trained, part, name, batch_size) for name, part in parts.items()]
    probabilities = np.concatenate(predicted)
    notes = source.notes_on(split)
    names, thresholds = trained.class_names, trained.thresholds
    return evaluate_predictions(source.name, split, names, probabilities, labels, notes, thresholds)


def why_not_evaluable(source: BoundSource) -> str:
    """Returns why no split of the data can be used to evaluate a model."""
    message = f"'{source.name}' has no test or validation images that the model was not trained on."
    return " ".join([message, *filter(None, [source.absent.get("test")])])


def evaluate_predictions(
    data: str,
    split: str,
    class_names: tuple[str, ...],
    probabilities: npt.NDArray[np.float32],
    y_true: npt.NDArray[Any],
    notes: tuple[str, ...] = (),
    thresholds: npt.NDArray[np.float64] | None = None,
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
    """
    if thresholds is not None:
        return MultiLabelResult(data, split, class_names, thresholds, probabilities, y_true, notes)
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
    )


def summarize_predictions(
    class_names: tuple[str, ...],
    probabilities: npt.NDArray[np.float32],
    y_true: npt.NDArray[Any],
    thresholds: npt.NDArray[np.float64] | None = None,
) -> Summary:
    """Computes the metrics of predictions on a split that `metrics.json` has.

    Args:
        class_names: In the order of the columns of `probabilities`.
        probabilities: Shape (num_examples, num_classes).
        y_true: Class indices, shape (num_examples,), or several labels for each example.
        thresholds: Of each of several labels, (num_labels,); None for one class for each image.
    """
    if thresholds is None:
        return metrics.summarize(probabilities, y_true)
    return MultiLabelResult("", "", class_names, thresholds, probabilities, y_true).summary()


def _predict_split(
    trained: TrainedClassifier, split: Split, name: str, batch_size: int
) -> npt.NDArray[np.float32]:
    """Returns the probabilities of the images of a split, shape (num_examples, num_classes)."""
    batches = evaluation_batches(Images(split, trained.input_size, memory_bytes=0), batch_size)
    with naming_unreadable_images(split), Progress(name, len(split), batch_size) as progress:
        return trained.predict_dataset(batches, len(split), batch_size, progress.update)
