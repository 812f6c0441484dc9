"""Evaluates an image classifier on a split."""

import numpy as np
import numpy.typing as npt

from tfxfer.data.batches import evaluation_batches
from tfxfer.data.cache import places
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.data.seen import BoundSource
from tfxfer.data.source import Split
from tfxfer.evaluation.calibration import apply_temperature
from tfxfer.evaluation.predictions import AnyResult, evaluate_predictions
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.inference.loading import for_many
from tfxfer.runs.metrics_record import read_metrics
from tfxfer.runs.scores.out_of_fold import read_predictions
from tfxfer.runs.scores.summary import OUT_OF_FOLD
from tfxfer.system.progress import Progress
from tfxfer.system.run_layout import RunDirectory


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
    fast = for_many(trained, len(labels))
    predicted = [_predict_split(fast, part, name, batch_size) for name, part in parts.items()]
    probabilities = np.concatenate(predicted)
    notes = source.notes_on(split)
    outputs = trained.outputs
    return evaluate_predictions(source.name, split, outputs, probabilities, labels, notes)


def out_of_fold_images(
    trained: TrainedClassifier, source: BoundSource, *, beside_test: bool = False
) -> tuple[Split, npt.NDArray[np.float32]] | None:
    """Returns the images that judge a run that was trained on all its images, and what they got.

    Args:
        trained: The classifier.
        source: Data to evaluate it on.
        beside_test: Whether they are also wanted where there is a test split, which judges better,
            but must not choose anything.

    Returns:
        The images and their probabilities, (num_images, num_classes), by models that were not
        trained on them; None if the run was trained otherwise, or these are not its data.

    Raises:
        UsageError: The predictions cannot be read.
    """
    is_joined = trained.seen is not None and trained.seen.is_joined
    run = RunDirectory(trained.path.parent)
    is_wanted = beside_test or source.evaluation_split == "all"
    is_known = "train" in source.everything and run.out_of_fold.is_file()
    if not (is_joined and is_wanted and is_known):
        return None
    split, (digests, probabilities) = source.everything["train"], read_predictions(run)
    rows = places(digests, split.digests())
    return None if (rows < 0).any() else (split.select(rows), probabilities)


def out_of_fold_result(
    trained: TrainedClassifier,
    source: BoundSource,
    temperature: float = 1.0,
    *,
    beside_test: bool = False,
) -> AnyResult | None:
    """Returns the result of a run that was trained on all its images, from other models.

    Their predictions stand for those of a split that the model had not seen.

    Args:
        trained: The classifier.
        source: Data to evaluate it on.
        temperature: By which the logits are divided, besides that of the run.
        beside_test: As of `out_of_fold_images`.

    Returns:
        None as `out_of_fold_images`.

    Raises:
        UsageError: The predictions cannot be read.
    """
    judged = out_of_fold_images(trained, source, beside_test=beside_test)
    if judged is None:
        return None
    split, probabilities = judged
    calibration = read_metrics(RunDirectory(trained.path.parent)).calibration
    if calibration is not None and calibration.applied:
        temperature *= calibration.temperature
    found = apply_temperature(probabilities, temperature)
    labels = trained.labels(source, split)
    outputs, notes = trained.outputs, source.notes
    return evaluate_predictions(source.name, OUT_OF_FOLD, outputs, found, labels, notes)


def why_not_evaluable(source: BoundSource) -> str:
    """Returns why no split of the data can be used to evaluate a model."""
    message = f"'{source.name}' has no test or validation images that the model was not trained on."
    return " ".join([message, *filter(None, [source.absent.get("test")])])


def _predict_split(
    trained: TrainedClassifier, split: Split, name: str, batch_size: int
) -> npt.NDArray[np.float32]:
    """Returns the probabilities of the images of a split, shape (num_examples, num_classes)."""
    batches = evaluation_batches(Images(split, trained.frame, memory_bytes=0), batch_size)
    with naming_unreadable_images(split), Progress(name, len(split), batch_size) as progress:
        return trained.predict_dataset(batches, len(split), batch_size, progress.update)
