"""What a model makes of images that have no label yet."""

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from tfxfer.config.frame import RGB
from tfxfer.data.batches import evaluation_batches
from tfxfer.data.contents import Integers
from tfxfer.data.image.dataset import BATCHES_AHEAD, Images
from tfxfer.data.image.order import Places
from tfxfer.data.image.readability import readable, reasons_unreadable
from tfxfer.data.source import Split
from tfxfer.data.sources.channels import split_with_channels
from tfxfer.data.sources.files import split_of_files
from tfxfer.errors import UsageError
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.models.heads import with_features
from tfxfer.models.prediction import predict_batches
from tfxfer.system.devices import without_xla
from tfxfer.system.progress import Progress
from tfxfer.training.examples import Floats


@dataclass(frozen=True, eq=False)
class Unlabeled:
    """Images without a label, as a model sees them.

    Attributes:
        split: All files.
        places: Which of them could be read, ascending, (num_images,).
        features: The pooled features that the head takes, (num_images, num_features).
        probabilities: Of the classes, (num_images, num_classes).
        unreadable: The other files, each with the reason.
    """

    split: Split
    places: Integers
    features: Floats
    probabilities: Floats
    unreadable: tuple[tuple[str, str], ...]


def unlabeled_split(files: Sequence[pathlib.Path], channels: int = RGB) -> Split:
    """Returns files without labels as a split; its labels are placeholders."""
    split = split_of_files(list(map(str, files)), np.zeros(len(files), np.int64))
    return split_with_channels(split, channels)


def read_unlabeled(trained: TrainedClassifier, split: Split, batch_size: int) -> Unlabeled:
    """Returns what a model makes of images, in one pass; unreadable ones are left out.

    Args:
        trained: The classifier.
        split: The files.
        batch_size: Images per step; does not change the result.

    Raises:
        UsageError: The model was not built by tfxfer.
    """
    model = _with_features(trained)
    images = Images(split, trained.frame, memory_bytes=0)
    batches = readable(split, images.prepare).batch(batch_size).prefetch(BATCHES_AHEAD)
    places, features, probabilities = [], [], []
    with Progress("files", len(split)) as progress:
        for indices, squares in batches.as_numpy_iterator():
            # Fill the last batch: another shape would be compiled again.
            filled = np.resize(squares, (batch_size, *squares.shape[1:])).astype(np.float32)
            found = model.predict_on_batch(filled)
            places.append(indices)
            features.append(np.asarray(found["features"])[: len(indices)])
            probabilities.append(np.asarray(found["probabilities"])[: len(indices)])
            progress.update(int(indices[-1]) + 1)
    if not places:
        (reason, *_) = reasons_unreadable(split, Places(np.zeros(1, np.int64)))
        raise UsageError(
            f"None of the {len(split):,} files can be read: '{split.describe(0)}' {reason}."
        )
    there = np.concatenate(places).astype(np.int64)
    missing = Places(np.setdiff1d(np.arange(len(split)), there))
    reasons = reasons_unreadable(split, missing) if len(missing) else []
    unreadable = zip(map(split.describe, missing.tolist()), reasons, strict=True)
    return Unlabeled(
        split, there, np.concatenate(features), np.concatenate(probabilities), tuple(unreadable)
    )


def features_of_labeled(
    trained: TrainedClassifier, splits: Sequence[Split], batch_size: int
) -> Floats:
    """Returns the features of all images of some splits, (num_images, num_features).

    Raises:
        DataError: An image cannot be read.
    """
    model = _with_features(trained)
    model = without_xla(keras.Model(model.input, model.output["features"]))
    rows = [np.zeros((0, model.output_shape[-1]), np.float32)]
    for split in splits:
        images = Images(split, trained.frame, memory_bytes=0)
        batches = evaluation_batches(images, batch_size)
        with Progress("labeled images", len(split), batch_size) as progress:
            rows.append(predict_batches(model, batches, len(split), batch_size, progress.update))
    return np.concatenate(rows)


def _with_features(trained: TrainedClassifier) -> keras.Model:
    """Returns the model with its features as a second output.

    Raises:
        UsageError: It has none that are known.
    """
    model = with_features(trained.model)
    if "features" not in model.output:
        raise UsageError(
            f"The model '{trained.path}' was not built by tfxfer, so its features are unknown. "
            "Give a run, such as runs/NAME."
        )
    return without_xla(model)
