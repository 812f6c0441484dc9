"""The training images that are nearest to an image by the model's features."""

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tfxfer.data.batches import evaluation_batches
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.failures import READ_ERRORS
from tfxfer.data.seen import BoundSource
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.models.heads import with_features
from tfxfer.reporting.thumbnails import shrunk
from tfxfer.system.devices import without_xla
from tfxfer.system.isolation import isolated

# Of so many training images, evenly spaced, the nearest are searched, as their features take time.
MOST_SEARCHED = 1000

# As many as are shown, and their side in pixels.
MOST_SHOWN, SIDE = 4, 96

# Images per step. Between steps an answer has the cores, and the search can be stopped.
_TOGETHER = 4
_SECONDS_BETWEEN = 0.005


@dataclass(frozen=True)
class NearImage:
    """A training image near to another one.

    Attributes:
        pixels: What the model sees of it, uint8 RGB or gray, shrunk to at most `SIDE` pixels.
        label: Its class in the data.
        similarity: Cosine of the angle between the features of both, at most 1.
    """

    pixels: npt.NDArray[np.uint8]
    label: str
    similarity: float


class NearestImages:
    """Finds the nearest training images of a run; their features are computed meanwhile.

    Args:
        trained: The classifier.
        source: The run's data.
    """

    def __init__(self, trained: TrainedClassifier, source: BoundSource) -> None:
        train = source.splits["train"]
        count = min(len(train), MOST_SEARCHED)
        chosen = np.arange(count)  # some data can be read only from the first to the last
        if train.read_image is not None:
            chosen = np.linspace(0, len(train) - 1, count).round().astype(np.int64)
        split = train.select(chosen)
        self._images = Images(split, trained.frame, memory_bytes=0)
        self._labels = [source.class_names[label] for label in split.labels]
        self._model: Any = _features_of(trained.model)
        self._thumbnails: npt.NDArray[np.uint8] | None = None
        self._directions: npt.NDArray[np.float32] | None = None
        self._cores = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self.compute, daemon=True)

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def is_ready(self) -> bool:
        """Whether the features of the training images are computed."""
        return self._directions is not None

    @property
    def is_computing(self) -> bool:
        """Whether they still are."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Starts to compute the features, in a thread of their own."""
        self._thread.start()

    def stop(self) -> None:
        """Stops it."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    @isolated
    def compute(self) -> None:
        """Computes the features; none where they are unknown, or an image cannot be read."""
        if self._model is None:
            return
        found, thumbnails = [], []
        try:
            batches = evaluation_batches(self._images, _TOGETHER)
            for squares, _ in batches.as_numpy_iterator():
                with self._cores:
                    filled = np.resize(squares, (_TOGETHER, *squares.shape[1:]))
                    found.append(self._directions_of(filled)[: len(squares)])
                thumbnails.append(shrunk(squares, SIDE))
                # A lock goes to whoever asks first, so that others need a moment to ask.
                if self._stopped.wait(_SECONDS_BETWEEN):
                    return
            self._directions_of(squares[:1])  # compiled before the first image that is shown
        except READ_ERRORS:
            return
        self._thumbnails = np.concatenate(thumbnails)
        self._directions = np.concatenate(found)

    def paused(self) -> AbstractContextManager[object]:
        """Returns a context in which an answer has the cores."""
        return self._cores

    @isolated
    def of(self, square: npt.NDArray[np.uint8]) -> Sequence[NearImage]:
        """Returns the nearest training images, the nearest first; none until `is_ready`.

        Args:
            square: The image as the model sees it, (height, width, channels).
        """
        if self._directions is None or self._thumbnails is None:
            return []
        similarity = self._directions @ self._directions_of(square[None])[0]
        order = np.argsort(-similarity, kind="stable")[:MOST_SHOWN]
        return [
            NearImage(self._thumbnails[index], self._labels[index], float(similarity[index]))
            for index in order
        ]

    def _directions_of(self, squares: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Returns the features of squares divided by their length, (batch, num_features)."""
        found = np.asarray(self._model.predict_on_batch(squares.astype(np.float32)))
        length = np.linalg.norm(found, axis=1, keepdims=True)
        return (found / np.where(length > 0, length, 1)).astype(np.float32)


def _features_of(model: keras.Model) -> keras.Model | None:
    """Returns the model of the features that the head takes; None if they are unknown."""
    outputs = with_features(model).output
    if "features" not in outputs:
        return None
    return without_xla(keras.Model(model.input, outputs["features"]))
