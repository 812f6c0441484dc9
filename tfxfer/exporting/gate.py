"""What an export must be before it is published, and the errors if it is not."""

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from tfxfer.errors import ExportError
from tfxfer.exporting.served_graph import Answer, same
from tfxfer.runs.metrics_record import FitMetrics, evaluation_split

# Served and trained probabilities may differ by this much: float32 arithmetic in another order. An
# image alone passes other kernels than a batch; that has made up to 1.1e-5 (MobileNetV2 at 96
# pixels, from random weights, AVX-512). A wrong resize makes a thousand times that.
TOLERANCE = 5e-5

# Features are as large as they happen to be; this is in parts of the largest.
_FEATURE_TOLERANCE = 1e-4

# Of a number, in parts of the largest: a few times the precision of float32.
_VALUE_TOLERANCE = 5e-7

_HALF_PRECISION = {types_pb2.DT_HALF, types_pb2.DT_BFLOAT16}

# Operations that call Python, which a server does not have.
_PYTHON = {"EagerPyFunc", "PyFunc", "PyFuncStateless"}


def half_precision_nodes(directory: pathlib.Path) -> list[str]:
    """Returns the names of the nodes of a SavedModel that compute in 16 bits."""
    return [
        node.name
        for node in _nodes(directory)
        if any({value.type, *value.list.type} & _HALF_PRECISION for value in node.attr.values())
    ]


def foreign_operations(directory: pathlib.Path) -> list[str]:
    """Returns the operations of a SavedModel that not every server has, sorted.

    They call Python, or belong to a library besides TensorFlow.
    """
    used = {node.op for node in _nodes(directory)}
    return sorted(used - ({*dir(tf.raw_ops)} - _PYTHON))


def _nodes(directory: pathlib.Path) -> Iterator[Any]:
    """Yields the nodes of the graphs of a SavedModel, and those of its functions."""
    content = saved_model_pb2.SavedModel.FromString((directory / "saved_model.pb").read_bytes())
    for graph in (meta.graph_def for meta in content.meta_graphs):
        yield from graph.node
        for function in graph.library.function:
            yield from function.node_def


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


def check_operations(directory: pathlib.Path) -> None:
    """Raises an ExportError if a SavedModel needs what TensorFlow Serving may not have."""
    foreign = foreign_operations(directory)
    if foreign:
        raise ExportError(
            "The export needs operations that TensorFlow Serving does not have: "
            f"{', '.join(foreign)}. It was not published."
        )


def check_repeated(answer: Answer, again: Answer) -> None:
    """Raises an ExportError unless two answers to one request are the same to the bit."""
    if not same(answer, again):
        raise refused("the same request gave two different results")


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


def compare(how: str, answer: Answer, expected: np.ndarray) -> None:
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
    allowed = 2 * TOLERANCE * scale + _VALUE_TOLERANCE * float(np.max(np.abs(expected)))
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
