"""Verification before publication: a SavedModel must predict what the evaluated model predicts."""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import keras
import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from tfxfer.data.image.decoding import decode, decode_and_resize
from tfxfer.errors import ExportError
from tfxfer.exporting import plain_tensorflow
from tfxfer.models.heads import with_features

# Served and trained probabilities may differ by this much: float32 arithmetic in another order.
TOLERANCE = 1e-5

# Features are as large as they happen to be; this is in parts of the largest.
_FEATURE_TOLERANCE = 1e-4

_HALF_PRECISION = {types_pb2.DT_HALF, types_pb2.DT_BFLOAT16}


@dataclass(frozen=True)
class NamedLabels:
    """The labels of which an image may have several, (num_labels,) each."""

    class_names: tuple[str, ...]
    thresholds: np.ndarray


class Gate:
    """A new process with TensorFlow only, without Keras and tfxfer, that runs a SavedModel.

    It starts on entry and imports TensorFlow while the model is still being written.
    """

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile("w+")
        # The process that trained may hold all of the GPU; what is compared is the function.
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            # -P: the folder of the script has modules of ours, whose names others may have.
            [sys.executable, "-P", plain_tensorflow.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def check(
        self,
        directory: pathlib.Path,
        model: keras.Model,
        encoded_images: Sequence[bytes],
        labels: NamedLabels | None = None,
    ) -> None:
        """Raises an ExportError unless the SavedModel predicts what the model predicts.

        The new process runs all images in one batch, twice, each image alone, the pixels of the
        first one, and the features.

        Args:
            directory: Of the SavedModel.
            model: Images in [0, 255] to probabilities.
            encoded_images: Real image files, at least one.
            labels: What it names, where an image may have several labels; None for one class.
        """
        half = half_precision_nodes(directory)
        if half:
            raise _refused(f"{len(half)} of its nodes use half precision, such as '{half[0]}'")
        outputs = _expected(model, encoded_images)
        expected = _Expected(outputs["probabilities"], labels)
        expected.check()
        answers = self._ask(directory, encoded_images)
        if answers["together"] != answers["again"]:
            raise _refused("the same request gave two different results")
        singly = {
            name: [answer[name][0] for answer in answers["singly"]] for name in answers["together"]
        }
        expected.compare("all images in one batch", answers["together"])
        expected.compare("one image at a time", singly)
        expected.compare("decoded pixels", answers["pixels"])
        if "features" in outputs:
            features = outputs["features"]
            difference = np.abs(np.array(answers["features"]["features"]) - features).max()
            if not difference <= _FEATURE_TOLERANCE * max(1.0, np.abs(features).max()):
                raise _refused(f"features differ by up to {difference:.2g}")

    def _ask(self, directory: pathlib.Path, encoded_images: Sequence[bytes]) -> dict[str, Any]:
        pixels = decode(encoded_images[0]).numpy()
        request = {
            "directory": str(directory),
            "images": [base64.b64encode(image).decode() for image in encoded_images],
            "pixels": {"data": base64.b64encode(pixels.tobytes()).decode(), "shape": pixels.shape},
        }
        answer, _ = self._process.communicate(json.dumps(request) + "\n")
        if self._process.returncode != 0:
            self._errors.seek(0)
            lines = self._errors.read().strip().splitlines() or ["no error message"]
            raise _refused(f"plain TensorFlow cannot run it: {lines[-1]}")
        return json.loads(answer.splitlines()[-1])  # type: ignore[no-any-return]


def half_precision_nodes(directory: pathlib.Path) -> list[str]:
    """Returns the names of the nodes of a SavedModel that compute in 16 bits."""
    content = saved_model_pb2.SavedModel.FromString((directory / "saved_model.pb").read_bytes())
    graphs = [meta.graph_def for meta in content.meta_graphs]
    nodes = [node for graph in graphs for node in graph.node]
    nodes += [node for graph in graphs for body in graph.library.function for node in body.node_def]
    return [
        node.name
        for node in nodes
        if any({value.type, *value.list.type} & _HALF_PRECISION for value in node.attr.values())
    ]


def _expected(model: keras.Model, encoded_images: Sequence[bytes]) -> dict[str, np.ndarray]:
    """Returns the probabilities and, where the model has them, the features of image files."""
    size = model.input_shape[1]
    images = np.stack([decode_and_resize(encoded, size).numpy() for encoded in encoded_images])
    # On a GPU float32 may be multiplied in fewer bits; the answers come from a CPU.
    with keras.device("cpu:0"):
        found = with_features(model)(images.astype("float32"), training=False)
    return {name: np.asarray(value) for name, value in found.items()}


@dataclass(frozen=True)
class _Expected:
    """What the answers of an export must be.

    Attributes:
        probabilities: Of the images, (num_images, num_classes).
        labels: See `Gate.check`.
    """

    probabilities: np.ndarray
    labels: NamedLabels | None

    def check(self) -> None:
        """Raises an ExportError unless these are probabilities."""
        if self.labels is not None:
            low, high = self.probabilities.min(), self.probabilities.max()
            if not (low >= 0 and high <= 1):  # NaN is neither
                raise _refused(
                    f"the outputs of the model are not probabilities; they are in [{low:g}, "
                    f"{high:g}]"
                )
            return
        sums = self.probabilities.sum(axis=1)
        if not np.allclose(sums, 1, atol=1e-3):
            raise _refused(
                f"the outputs of the model are not probabilities; one sums to {sums[0]:g}"
            )

    def compare(self, how: str, answer: dict[str, Any]) -> None:
        """Raises an ExportError unless an answer has these probabilities and what follows of them.

        Args:
            how: How the images were given, for the message.
            answer: To the first images, or to all.
        """
        found = np.array(answer["probabilities"])
        expected = self.probabilities[: len(found)]
        difference = float(np.max(np.abs(found - expected)))
        if not difference <= TOLERANCE:
            raise _refused(f"for {how}, probabilities differ by up to {difference:.2g}")
        if self.labels is not None:
            self._compare_labels(how, answer, expected, self.labels)
            return
        chosen = np.take_along_axis(expected, np.array(answer["class_id"])[:, None], axis=1)[:, 0]
        if not np.all(chosen >= expected.max(axis=1) - TOLERANCE):
            raise _refused(f"for {how}, the classes differ")

    def _compare_labels(
        self, how: str, answer: dict[str, Any], expected: np.ndarray, labels: NamedLabels
    ) -> None:
        chosen, names = np.array(answer["chosen"], bool), np.array(answer["labels"])
        is_close = np.abs(expected - labels.thresholds) <= TOLERANCE
        if not np.all((chosen == (expected >= labels.thresholds)) | is_close):
            raise _refused(f"for {how}, the chosen labels differ")
        if not np.array_equal(names, np.where(chosen, labels.class_names, "")):
            raise _refused(f"for {how}, the names of the labels differ")


def _refused(reason: str) -> ExportError:
    return ExportError(
        f"The export does not match the evaluated model: {reason}. The tolerance is "
        f"{TOLERANCE:g}. It was not published."
    )
