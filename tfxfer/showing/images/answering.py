"""What a model answers about the content of one file."""

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.config.frame import FitImages
from tfxfer.data.image.channels import decode_and_resize
from tfxfer.data.image.failures import READ_ERRORS, readable_reason
from tfxfer.data.labels.outputs import Outputs
from tfxfer.errors import DataError
from tfxfer.evaluation.grad_cam import Explainer
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.inference.prediction import Doubt, doubt_of
from tfxfer.showing.markup import Ranked
from tfxfer.system.isolation import isolated

# Number of most probable classes in an answer.
MOST_CLASSES = 5


@dataclass(frozen=True)
class Answer:
    """What a model says of an image.

    Attributes:
        ranked: The most probable classes; of multi-label models, and all labels that it gets.
        square: The image as the model sees it, uint8, (height, width, channels): RGB or gray.
        heat: Grad-CAM for the first class, in [0, 1], (rows, columns); None if the model cannot be
            explained.
        fit: How the image was fitted into what the model takes.
        tasks: The most probable classes of each task; empty if there are none, else `ranked` has
            those of the first task.
        thresholds: Of each of several labels; None if an image has one class.
        doubt: What else a cautious model says of it.
    """

    ranked: Ranked
    square: npt.NDArray[np.uint8]
    heat: npt.NDArray[np.float32] | None
    fit: FitImages = "crop"
    tasks: Mapping[str, Ranked] = field(default_factory=dict, kw_only=True)
    thresholds: Mapping[str, float] | None = field(default=None, kw_only=True)
    doubt: Doubt | None = field(default=None, kw_only=True)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The labels whose probability is at least their threshold, of a multi-label model."""
        least = self.thresholds or {}
        return tuple(name for name, share in self.ranked if share >= least.get(name, np.inf))


class Answerer:
    """A classifier that answers about one image at a time.

    Args:
        trained: The classifier.
    """

    def __init__(self, trained: TrainedClassifier) -> None:
        self.trained = trained
        explainer = None
        if isinstance(trained.model, keras.Model):
            explainer = Explainer(trained.model, is_compiled=True)
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
        probabilities, judged = self.trained.judge_squares(square[None].astype(np.float32))
        row, outputs = probabilities[0], self.trained.outputs
        tasks = _by_task(row, outputs)
        ranked = next(iter(tasks.values()), None) or _ranked(row, outputs)
        first = np.array([_place_of_first(row, outputs)])
        heat = None if self._explainer is None else self._explainer.heat(square[None], first)[0]
        doubt = None if judged is None else doubt_of(judged, 0, row, outputs.names)
        least = outputs.thresholds
        thresholds = None
        if least is not None:
            thresholds = dict(zip(outputs.names, least.tolist(), strict=True))
        frame = self.trained.frame
        return Answer(
            ranked, square, heat, frame.fit, tasks=tasks, thresholds=thresholds, doubt=doubt
        )


def _ranked(row: npt.NDArray[np.float32], outputs: Outputs) -> Ranked:
    """Returns the most probable classes, and all labels that an image gets.

    Ties go to the first class, as for `tfxfer.predict`.
    """
    order = np.argsort(-row, kind="stable")
    is_shown = np.arange(len(order)) < MOST_CLASSES
    if outputs.thresholds is not None:
        is_shown |= outputs.decisions(row)[order]
    return tuple((outputs.names[place], float(row[place])) for place in order[is_shown])


def _by_task(row: npt.NDArray[np.float32], outputs: Outputs) -> dict[str, Ranked]:
    """Returns the most probable classes of each task, by its name; none if there are no tasks."""
    if outputs.tasks is None:
        return {}
    pairs = zip(outputs.tasks.columns.items(), outputs.tasks.classes, strict=True)
    return {task: _ranked(row[columns], Outputs(own)) for (task, columns), own in pairs}


def _place_of_first(row: npt.NDArray[np.float32], outputs: Outputs) -> int:
    """Returns the number of the output that is first in an answer."""
    if outputs.tasks is None:
        return int(row.argmax())
    return int(row[next(iter(outputs.tasks.columns.values()))].argmax())


def read_content(path: str) -> bytes:
    """Returns the content of an uploaded file.

    Raises:
        DataError: It is gone; the message is the reason alone.
    """
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"the upload is gone ({error.strerror}); upload it again") from None
