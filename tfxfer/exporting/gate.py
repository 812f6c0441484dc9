"""A process with TensorFlow only, that runs an export before it is published."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from tfxfer.errors import ExportError
from tfxfer.runs.metrics_record import FitMetrics, evaluation_split
from tfxfer.system.timing.timeline import span

# Served and trained probabilities may differ by this much: float32 arithmetic in another order.
TOLERANCE = 1e-5

# Features are as large as they happen to be; this is in parts of the largest.
_FEATURE_TOLERANCE = 1e-4

# Of a number, in parts of the largest: a few times the precision of float32.
_VALUE_TOLERANCE = 5e-7

_HALF_PRECISION = {types_pb2.DT_HALF, types_pb2.DT_BFLOAT16}


class PlainTensorFlow:
    """A new process with TensorFlow only, without Keras and tfxfer, that runs a SavedModel.

    It starts on entry and imports TensorFlow while the model is still being written.

    Args:
        script: Path of the program: it reads a line of JSON, the request, and writes one.
    """

    def __init__(self, script: str) -> None:
        self._script = script

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile("w+")
        self._thread = ThreadPoolExecutor(1)
        # The process that trained may hold all of the GPU; what is compared is the function.
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            # -P: the folder of the script has modules of ours, whose names others may have.
            [sys.executable, "-P", self._script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._thread.shutdown()
        self._process.communicate()
        self._errors.close()

    def send(self, request: Any) -> None:
        """Sends the request; the process answers it while this one does other things.

        Args:
            request: JSON-serializable.
        """
        # In a thread, as the process reads only once it has imported TensorFlow.
        self._sent = self._thread.submit(self._process.communicate, json.dumps(request) + "\n")

    def answer(self) -> Any:
        """Returns the answer to the request; the process then ends.

        Raises:
            ExportError: TensorFlow cannot run the SavedModel.
        """
        with span("wait for the export's answers"):
            answer, _ = self._sent.result()
        if self._process.returncode != 0:
            self._errors.seek(0)
            lines = self._errors.read().strip().splitlines() or ["no error message"]
            raise refused(f"plain TensorFlow cannot run it: {lines[-1]}")
        return json.loads(answer.splitlines()[-1])


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


def check_probabilities(probabilities: np.ndarray) -> None:
    """Raises an ExportError unless each row sums to 1."""
    sums = probabilities.sum(axis=1)
    if not np.allclose(sums, 1, atol=1e-3):
        raise refused(f"the outputs of the model are not probabilities; one sums to {sums[0]:g}")


def check_precision(directory: pathlib.Path) -> None:
    """Raises an ExportError if a SavedModel computes in 16 bits."""
    half = half_precision_nodes(directory)
    if half:
        raise refused(f"{len(half)} of its nodes use half precision, such as '{half[0]}'")


def compare_features(answer: Any, features: np.ndarray) -> None:
    """Raises an ExportError unless an answer has the expected features."""
    difference = np.abs(np.array(answer) - features).max()
    if not difference <= _FEATURE_TOLERANCE * max(1.0, np.abs(features).max()):
        raise refused(f"features differ by up to {difference:.2g}")


def check_accuracy(metrics: FitMetrics, min_accuracy: float, path: pathlib.Path) -> None:
    """Raises an ExportError where a model is less accurate than it must be.

    Args:
        metrics: Scores of the model.
        min_accuracy: Minimum accuracy, in [0, 1]; 0 accepts any.
        path: The model, for the message.
    """
    if not min_accuracy:
        return
    split = evaluation_split(metrics.splits)
    found = metrics.splits[split].accuracy
    if found < min_accuracy:
        raise ExportError(
            f"The accuracy of '{path}' on {split} is {found:.4f}, below the required "
            f"{min_accuracy:g} (--min-accuracy). It was not published."
        )


def compare(how: str, answer: dict[str, Any], expected: np.ndarray) -> None:
    """Raises an ExportError unless an answer has the expected probabilities and their classes."""
    compare_probabilities(how, np.array(answer["probabilities"]), expected)
    chosen = np.take_along_axis(expected, np.array(answer["class_id"])[:, None], axis=1)[:, 0]
    if not np.all(chosen >= expected.max(axis=1) - TOLERANCE):
        raise refused(f"for {how}, the classes differ")


def compare_probabilities(how: str, found: np.ndarray, expected: np.ndarray) -> None:
    """Raises an ExportError unless probabilities are the expected ones."""
    difference = float(np.max(np.abs(found - expected)))
    if not difference <= TOLERANCE:
        raise refused(f"for {how}, probabilities differ by up to {difference:.2g}")


def compare_values(how: str, found: np.ndarray, expected: np.ndarray, scale: float) -> None:
    """Raises an ExportError unless numbers are the expected ones.

    Args:
        how: How the images were given, for the message.
        found: Numbers, (num_images,).
        expected: In the same shape.
        scale: Their standard deviation; float32 holds numbers far from 0 less exactly than that.
    """
    difference = float(np.max(np.abs(found - expected)))
    allowed = 10 * TOLERANCE * scale + _VALUE_TOLERANCE * float(np.max(np.abs(expected)))
    if not difference <= allowed:
        raise ExportError(
            f"The export does not match the evaluated model: for {how}, numbers differ by up to "
            f"{difference:.2g}. The tolerance is {allowed:.2g}. It was not published."
        )


def refused(reason: str) -> ExportError:
    """Returns the error of an export that must not be published."""
    return ExportError(
        f"The export does not match the evaluated model: {reason}. The tolerance is "
        f"{TOLERANCE:g}. It was not published."
    )
