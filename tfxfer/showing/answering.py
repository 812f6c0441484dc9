"""What a model answers about the content of one file."""

import pathlib
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.config.frame import FitImages
from tfxfer.data.image.decoding import decode_and_resize
from tfxfer.data.image.failures import READ_ERRORS, readable_reason
from tfxfer.errors import DataError
from tfxfer.evaluation.grad_cam import Explainer
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.system.isolation import isolated

# Number of most probable classes in an answer.
MOST_CLASSES = 5


@dataclass(frozen=True)
class Answer:
    """What a model says of an image.

    Attributes:
        ranked: The most probable classes with their probabilities, the first one first.
        square: The image as the model sees it, uint8 RGB, (height, width, 3).
        heat: Grad-CAM for the first class, in [0, 1], (rows, columns); None if the model cannot be
            explained.
        fit: How the image was fitted into what the model takes.
    """

    ranked: tuple[tuple[str, float], ...]
    square: npt.NDArray[np.uint8]
    heat: npt.NDArray[np.float32] | None
    fit: FitImages = "crop"


class Answerer:
    """A classifier that answers about one image at a time.

    Args:
        trained: The classifier.
    """

    def __init__(self, trained: TrainedClassifier) -> None:
        self.trained = trained
        explainer = Explainer(trained.model) if isinstance(trained.model, keras.Model) else None
        self._explainer = explainer if explainer is not None and explainer.can_explain else None

    @property
    def can_explain(self) -> bool:
        """Whether answers have a heat map."""
        return self._explainer is not None

    @isolated
    def warm_up(self) -> None:
        """Answers once about a black square, so that the first image need not wait."""
        height, width, _ = self.trained.frame.shape
        black = tf.io.encode_png(np.zeros((height + 1, width + 1, 3), np.uint8)).numpy()
        self.answer(black)

    @isolated
    def answer(self, content: bytes) -> Answer:
        """Returns what the model says; the probabilities are those of `tfxfer.predict`.

        Args:
            content: Of an image file, which is not trusted.

        Raises:
            DataError: It cannot be decoded; the message is the reason alone.
        """
        try:
            encoded = tf.constant(content, tf.string)
            square = decode_and_resize(encoded, self.trained.frame, portable=False).numpy()
        except READ_ERRORS as error:
            raise DataError(readable_reason(error)) from None
        (probabilities,) = self.trained.predict_squares(square[None].astype(np.float32))
        # Ties go to the first class, as for `tfxfer.predict`.
        order = np.argsort(-probabilities, kind="stable")[:MOST_CLASSES]
        names = self.trained.class_names
        ranked = tuple((names[index], float(probabilities[index])) for index in order)
        heat = None
        if self._explainer is not None:
            heat = self._explainer.heat(square[None], order[:1])[0]
        return Answer(ranked, square, heat, self.trained.frame.fit)


def read_content(path: str) -> bytes:
    """Returns the content of an uploaded file.

    Raises:
        DataError: It is gone; the message is the reason alone.
    """
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"the upload is gone ({error.strerror}); upload it again") from None
