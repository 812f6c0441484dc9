"""Evaluate a run or a model on a split, every example once."""

import pathlib
from dataclasses import dataclass

import numpy as np

from tfxfer.errors import UsageError
from tfxfer.loops import Judge
from tfxfer.metrics import judging_split, summarise
from tfxfer.pipeline import Images, evaluation_batches, naming_unreadable_images
from tfxfer.sources import Source
from tfxfer.trained import TrainedClassifier, load


@dataclass(frozen=True)
class EvaluationResult:
    """How a classifier did.

    Attributes:
        data: The data set's name.
        split: "train", "validation", "test" or "all".
        accuracy: Share of examples whose most probable class is the label, in [0, 1].
        balanced_accuracy: Mean recall of the classes; see `metrics.balanced_accuracy`.
        loss: Mean cross-entropy in nats, without label smoothing.
        num_examples: How many images were looked at.
        uneven_classes: Whether their number differs much from class to class.
    """

    data: str
    split: str
    accuracy: float
    balanced_accuracy: float
    loss: float
    num_examples: int
    uneven_classes: bool


def evaluate(
    model: str | pathlib.Path,
    *,
    data: str | None = None,
    data_dir: str | None = None,
    split: str | None = None,
    batch_size: int = 64,
) -> EvaluationResult:
    """Returns how a run or a `.keras` file does on a split of its own or of other data.

    A run evaluated on its own data sees the very splits it was trained with. Classes of other data
    are matched by name.

    Args:
        model: A run's directory, or a `.keras` file with `classes.txt` beside it.
        data: As for `fit`; None takes the run's own.
        data_dir: Where TFDS data lie; None takes the run's own.
        split: "train", "validation", "test" or "all"; None takes the test split, or validation
            where the data have no test split.
        batch_size: Images per step; no influence on the result.

    Raises:
        UsageError: The model, the data or the split is not there.
        DataError: The data's classes are not the model's, or images cannot be read.
    """
    trained = load(model)
    source = trained.open_source(data, data_dir)
    return score(trained, source, split or judging_split(source.splits), batch_size)


def score(
    trained: TrainedClassifier, source: Source, split: str, batch_size: int = 64
) -> EvaluationResult:
    """Returns how a classifier that is loaded does on a split of data that are opened.

    Args, errors: As of `evaluate`.
    """
    if split != "all" and split not in source.splits:
        raise UsageError(
            f"'{source.name}' has no split '{split}'; it has {', '.join(source.splits)}."
        )
    names = list(source.splits) if split == "all" else [split]
    probabilities, labels = zip(
        *(_predict_split(trained, source, name, batch_size) for name in names), strict=True
    )
    numbers = summarise(np.concatenate(probabilities), np.concatenate(labels))
    return EvaluationResult(data=source.name, split=split, **numbers)


def _predict_split(
    trained: TrainedClassifier, source: Source, name: str, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns probabilities, (num_examples, num_classes), and the model's number of each label."""
    split = source.splits[name]
    labels = trained.labels(source, name)
    batches = evaluation_batches(Images(split, trained.input_size, memory_bytes=0), batch_size)
    with naming_unreadable_images(split):
        probabilities = Judge(trained.model, batches, labels, batch_size, name).outputs()
    return probabilities, labels
