"""Runs a classifier over a split and scores what it says."""

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
from tfxfer.evaluation.result import TOP, EvaluationResult
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.models.objectives import accuracy
from tfxfer.system.progress import Progress


def score(
    trained: TrainedClassifier, source: BoundSource, split: str, batch_size: int = 64
) -> EvaluationResult:
    """Returns how a classifier that is loaded does on a split of data that are opened for it.

    Args, errors: As of `evaluate`.
    """
    parts = source.part(split)
    labels = np.concatenate([trained.labels(source, part) for part in parts.values()])
    predicted = [_predict_split(trained, part, name, batch_size) for name, part in parts.items()]
    probabilities = np.concatenate(predicted)
    notes = source.notes_on(split)
    return judge(source.name, split, trained.class_names, probabilities, labels, notes)


def why_no_judge(source: BoundSource) -> str:
    """Returns why nothing of some data can judge a model, where that is so."""
    no_judge = (
        f"'{source.name}' has neither a test nor a validation split that the model has not seen."
    )
    return " ".join([no_judge, *filter(None, [source.absent.get("test")])])


def judge(
    data: str,
    split: str,
    class_names: tuple[str, ...],
    probabilities: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    notes: tuple[str, ...] = (),
) -> EvaluationResult:
    """Returns how good probabilities are.

    Args:
        data: The data set's name.
        split: Of it.
        class_names: In the order of the columns.
        probabilities: Shape (num_examples, num_classes), rows summing to 1.
        labels: Class indices, shape (num_examples,).
        notes: What must be known of the images.
    """
    num_classes = len(class_names)
    pairs = Confusion.of(probabilities.argmax(axis=1), labels, num_classes)
    in_top = metrics.is_in_top_k(probabilities, labels, TOP)
    return EvaluationResult(
        data=data,
        split=split,
        class_names=class_names,
        accuracy=accuracy(probabilities, labels),
        balanced_accuracy=metrics.balanced_accuracy(probabilities, labels),
        loss=metrics.cross_entropy(probabilities, labels),
        num_examples=len(labels),
        uneven_classes=metrics.has_uneven_classes(labels),
        top_5_accuracy=float(in_top.mean()) if num_classes > TOP else None,
        pairs=pairs,
        classes=ClassScores.of_counts(pairs.right, pairs.taken, pairs.support),
        calibration=calibration.calibration(probabilities, labels),
        probabilities=probabilities,
        labels=labels,
        notes=notes,
    )


def _predict_split(
    trained: TrainedClassifier, split: Split, name: str, batch_size: int
) -> npt.NDArray[np.float32]:
    """Returns the probabilities of the images of a split, (num_examples, num_classes)."""
    batches = evaluation_batches(Images(split, trained.input_size, memory_bytes=0), batch_size)
    with naming_unreadable_images(split), Progress(name, len(split), batch_size) as progress:
        return trained.predict_dataset(batches, len(split), batch_size, progress.update)
