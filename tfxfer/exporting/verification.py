"""Verification before publication: a SavedModel must predict what the evaluated model predicts."""

import contextlib
import pathlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras
import numpy as np

from tfxfer.config.frame import Frame
from tfxfer.data.image.channels import decode_and_resize, decode_channels
from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.labels.tasks import Tasks
from tfxfer.errors import ExportError
from tfxfer.exporting.caution import NamedCaution
from tfxfer.exporting.gate import (
    TOLERANCE,
    check_operations,
    check_precision,
    check_probabilities,
    check_repeated,
    compare,
    compare_features,
    compare_probabilities,
    compare_values,
    refused,
)
from tfxfer.exporting.served_graph import Answer, ServedGraph
from tfxfer.models.heads import with_features
from tfxfer.models.preprocessing import frame_of
from tfxfer.system.devices import without_xla
from tfxfer.system.timing.timeline import span

# How images are given to an export, for messages.
_TOGETHER = "all images in one batch"
_SINGLY = "one image at a time"
_PIXELS = "decoded pixels"
_FEATURES = "features"


def check_export(
    directory: pathlib.Path,
    model: keras.Model,
    encoded_images: Sequence[bytes],
    outputs: Outputs,
    caution: NamedCaution | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Raises an ExportError unless a SavedModel predicts what its model predicts.

    Its graph runs all images in one batch, twice, each image alone, the pixels of the first one,
    and the features.

    Args:
        directory: Of the SavedModel.
        model: Images in [0, 255] to probabilities.
        encoded_images: Real image files, at least one.
        outputs: What its outputs are of.
        caution: What it says of unknown images and prediction sets; None for nothing.
        meanwhile: Called while the graph runs.
    """
    check_precision(directory)
    check_operations(directory)
    frame = frame_of(model)
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(_ask, directory, encoded_images, frame.channels)
        files = _framed(encoded_images, frame)
        found = _answers(model, files)
        _Expected(found["probabilities"], outputs).check()
        meanwhile()
        with span("wait for the export's answers"):
            answers = asked.result()
    try:
        _compare(answers, found, outputs, caution)
    except ExportError:
        # In a graph TensorFlow fuses layers, which rounds otherwise than one after the other.
        # Some networks, such as MobileNetV3, show it; they were evaluated as graphs.
        _compare(answers, _answers(model, files, as_graph=True), outputs, caution)


def _ask(
    directory: pathlib.Path, encoded_images: Sequence[bytes], channels: int
) -> dict[str, Answer]:
    """Returns the answers of a SavedModel, by how the images are given.

    Raises:
        ExportError: TensorFlow cannot run it, or it gives two answers to one question.
    """
    images = list(encoded_images)
    with contextlib.closing(ServedGraph(directory)) as served:
        answers = {
            _TOGETHER: served.answer("serving_default", images),
            _SINGLY: served.answer_singly("serving_default", images),
            _PIXELS: served.answer(
                "pixels", decode_channels(images[0], channels, portable=True).numpy()[None]
            ),
        }
        check_repeated(answers[_TOGETHER], served.answer("serving_default", images))
        if served.has("features"):
            answers[_FEATURES] = served.answer("features", images)
    return answers


def _compare(
    answers: Mapping[str, Answer],
    found: Mapping[str, np.ndarray],
    outputs: Outputs,
    caution: NamedCaution | None,
) -> None:
    """Raises an ExportError unless the answers of an export are what its model found."""
    expected = _Expected(found["probabilities"], outputs)
    for how in (_TOGETHER, _SINGLY, _PIXELS):
        expected.compare(how, answers[how])
        if caution is not None:
            caution.check(how, answers[how], found["features"], found["probabilities"])
    if "features" in found:
        compare_features(answers[_FEATURES]["features"], found["features"])


def _framed(encoded_images: Sequence[bytes], frame: Frame) -> np.ndarray:
    """Returns image files as the model takes them, float32."""
    images = [decode_and_resize(encoded, frame).numpy() for encoded in encoded_images]
    return np.stack(images).astype("float32")


def _answers(
    model: keras.Model, images: np.ndarray, *, as_graph: bool = False
) -> dict[str, np.ndarray]:
    """Returns the probabilities and, where the model has them, the features of images.

    Args:
        model: Images in [0, 255] to probabilities.
        images: (num_images, height, width, channels).
        as_graph: Whether to run it as a graph, as `predict` does, not layer by layer.
    """
    whole = with_features(model)
    # On a GPU float32 may be multiplied in fewer bits; the answers come from a CPU.
    with keras.device("cpu:0"):
        if as_graph:
            found = without_xla(whole).predict_on_batch(images)
        else:
            found = whole(images, training=False)
    return {name: np.asarray(value) for name, value in found.items()}


@dataclass(frozen=True)
class _Expected:
    """What the answers of an export must be.

    Attributes:
        probabilities: Of the images, (num_images, num_classes).
        outputs: What they are of.
    """

    probabilities: np.ndarray
    outputs: Outputs

    def check(self) -> None:
        """Raises an ExportError unless these are probabilities."""
        if self.outputs.tasks is not None:
            for columns in self.outputs.tasks.columns.values():
                check_probabilities(self.probabilities[:, columns])
            return
        if self.outputs.number is not None:
            if not np.isfinite(self.probabilities).all():
                raise refused("the outputs of the model are not all numbers")
            return
        if self.outputs.thresholds is not None:
            low, high = self.probabilities.min(), self.probabilities.max()
            if not (low >= 0 and high <= 1):  # NaN is neither
                raise refused(
                    f"the outputs of the model are not probabilities; they are in [{low:g}, "
                    f"{high:g}]"
                )
            return
        check_probabilities(self.probabilities)

    def compare(self, how: str, answer: Answer) -> None:
        """Raises an ExportError unless an answer has these probabilities and what follows of them.

        Args:
            how: How the images were given, for the message.
            answer: To the first images, or to all.
        """
        if self.outputs.number is not None:
            found = np.array(answer["value"])
            compare_values(how, found, self.probabilities[: len(found), 0], self.outputs.scale)
            return
        found = np.array(answer["probabilities"])
        expected = self.probabilities[: len(found)]
        if not self.outputs.special:
            compare(how, answer, expected)
            return
        compare_probabilities(how, found, expected)
        if self.outputs.tasks is not None:
            _compare_tasks(how, answer, expected, self.outputs.tasks)
        else:
            self._compare_labels(how, answer, expected)

    def _compare_labels(self, how: str, answer: Answer, expected: np.ndarray) -> None:
        thresholds = self.outputs.thresholds
        chosen, names = np.array(answer["chosen"], bool), np.array(answer["labels"])
        is_close = np.abs(expected - thresholds) <= TOLERANCE
        if not np.all((chosen == (expected >= thresholds)) | is_close):
            raise refused(f"for {how}, the chosen labels differ")
        if not np.array_equal(names, np.where(chosen, self.outputs.names, "")):
            raise refused(f"for {how}, the names of the labels differ")


def _compare_tasks(how: str, answer: Answer, expected: np.ndarray, tasks: Tasks) -> None:
    """Raises an ExportError unless an answer has the expected class of each task, and its name."""
    for (task, columns), own in zip(tasks.columns.items(), tasks.classes, strict=True):
        part = {
            "probabilities": answer[f"{task}_probabilities"],
            "class_id": answer[f"{task}_class_id"],
        }
        compare(f"{how}, task {task}", part, expected[:, columns])
        names = [own[place] for place in part["class_id"]]
        if names != list(answer[f"{task}_label"]):
            raise refused(f"for {how}, task {task}, the names of the classes differ")
