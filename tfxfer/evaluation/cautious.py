"""Makes a trained classifier cautious: it tells unknown images, and gives prediction sets."""

import dataclasses

import keras
import numpy as np
import numpy.typing as npt

from tfxfer.data.batches import evaluation_batches
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.data.seen import BoundSource
from tfxfer.data.source import Split
from tfxfer.errors import UsageError
from tfxfer.evaluation.cautioning import MOST_KEPT, Calibrating, Rates, make_cautious
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.models.heads import with_features
from tfxfer.system.devices import without_xla
from tfxfer.system.progress import Progress

Floats = npt.NDArray[np.float32]

# Among so many training images, drawn at random, those to keep are chosen.
_CANDIDATES = 2 * MOST_KEPT

_TOGETHER = 64


def with_caution(
    trained: TrainedClassifier, source: BoundSource, rates: Rates
) -> TrainedClassifier:
    """Returns a classifier that also tells unknown images, and gives prediction sets.

    The limits are from test, which neither chose the epoch nor fitted a temperature; without a test
    split they are from validation, and the record says that it did.

    Args:
        trained: A classifier of one class per image.
        source: Its data.
        rates: The rates to keep.

    Raises:
        UsageError: The model or the data are not suited, or there are too few images.
        DataError: An image cannot be read.
    """
    _check(trained, source)
    name = source.evaluation_split
    if name == "all":
        raise UsageError(
            f"--unknown needs images that the model was not trained on, but '{source.name}' has "
            "neither a test nor a validation split of such images."
        )
    split = source.splits[name]
    features, probabilities = _outputs(trained, split, name)
    seed = 0 if trained.config is None else trained.config.seed
    calibrating = Calibrating(
        features, probabilities, trained.labels(source, split), name, name == "test"
    )
    train, _ = _outputs(trained, _some(source.everything["train"], seed), "train")
    caution = make_cautious(train, calibrating, rates, seed)
    return dataclasses.replace(trained, caution=caution)


def _check(trained: TrainedClassifier, source: BoundSource) -> None:
    """Raises a UsageError if a classifier cannot be made cautious."""
    if trained.thresholds is not None or trained.tasks is not None:
        kind = "multi-label" if trained.tasks is None else "multi-task"
        raise UsageError(
            f"Setting 'unknown' (--unknown) is for models with one class per image, but "
            f"'{trained.path}' is {kind}. Leave it out."
        )
    if "features" not in with_features(trained.model).output:
        raise UsageError(
            f"--unknown compares features, but the model '{trained.path}' was not built by tfxfer, "
            "so its features are unknown. Leave it out."
        )
    if not source.num_trained_on or "train" not in source.everything:
        raise UsageError(
            f"--unknown needs the images that the model was trained on, and '{source.name}' is not "
            "known to have them. Give the data of its run with --data, or leave it out."
        )


def _some(split: Split, seed: int) -> Split:
    """Returns a split, or some of its images where there are more than candidates."""
    if len(split) <= _CANDIDATES:
        return split
    chosen = np.random.default_rng(seed).permutation(len(split))[:_CANDIDATES]
    return split.select(np.sort(chosen))


def _outputs(trained: TrainedClassifier, split: Split, name: str) -> tuple[Floats, Floats]:
    """Returns the features and the probabilities of the images of a split, in its order."""
    model: keras.Model = without_xla(with_features(trained.model))
    batches = evaluation_batches(Images(split, trained.frame, memory_bytes=0), _TOGETHER)
    features, probabilities = [], []
    with naming_unreadable_images(split), Progress(name, len(split), _TOGETHER) as progress:
        for number, (squares, _) in enumerate(batches.as_numpy_iterator(), start=1):
            # A smaller last batch would be compiled again.
            filled = np.resize(squares, (_TOGETHER, *squares.shape[1:])).astype(np.float32)
            found = model.predict_on_batch(filled)
            features.append(np.asarray(found["features"])[: len(squares)])
            probabilities.append(np.asarray(found["probabilities"])[: len(squares)])
            progress.update(number)
    return np.concatenate(features), np.concatenate(probabilities)
