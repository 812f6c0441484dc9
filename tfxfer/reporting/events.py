"""TensorBoard summaries of a finished run: metrics, confusion matrix and mistakes."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.data.image.failures import readable_reason
from tfxfer.errors import RunError
from tfxfer.evaluation.confusion import Confusion
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.reporting.findings import Findings, RunFindings
from tfxfer.reporting.markdown import table
from tfxfer.reporting.thumbnails import read_thumbnails, visible

# With more classes the table lists the most frequent mistakes.
_TABLE_CLASSES = 20

_PAIRS = 50

# Side of the image of the matrix in pixels. It shows at most as many classes: those with the most
# mistakes.
_MATRIX_SIDE = 512

_IMAGES = 16

_SIDE = 224


def write(findings: Findings) -> None:
    """Writes metrics, the confusion matrix and the most confident mistakes for TensorBoard.

    The matrix is written as an image (rows true, columns predicted, darker for a larger share of
    the row) and as a table, under "Text". So are the labels of the mistakes.

    Raises:
        RunError: The events cannot be written.
    """
    mistakes = findings.mistakes[:_IMAGES]
    thumbnails = visible(read_thumbnails(findings.images, mistakes, _SIDE))
    with summaries(findings):
        _write_summaries(findings.result)
        if len(mistakes):
            tf.summary.image("most_confident_mistakes", thumbnails, max_outputs=_IMAGES)
            tf.summary.text("most_confident_mistakes/labels", _mistakes_table(findings, mistakes))


@contextlib.contextmanager
def summaries(findings: RunFindings[Any]) -> Iterator[None]:
    """Writes the summaries made inside in place of those of an earlier report of the run.

    Raises:
        RunError: They cannot be written.
    """
    directory = findings.run.events / "evaluation"
    shutil.rmtree(directory, ignore_errors=True)
    try:
        writer = tf.summary.create_file_writer(str(directory))
        with writer.as_default(step=len(findings.epochs)):
            yield
        writer.close()
    except tf.errors.OpError as error:
        reason = readable_reason(error)
        raise RunError(f"Cannot write to '{directory}': {reason}.") from error


def _write_summaries(result: EvaluationResult) -> None:
    """Writes loss, accuracy and the confusion matrix."""
    tf.summary.scalar("loss", result.loss)
    tf.summary.scalar("accuracy", result.accuracy)
    tf.summary.image("confusion_matrix", _as_image(result.pairs)[None])
    tf.summary.text("confusion_matrix/table", _confusion_table(result.pairs, result.class_names))


def _mistakes_table(findings: Findings, mistakes: npt.NDArray[np.int64]) -> str:
    """Returns a table of labels and predictions in Markdown."""
    result, names = findings.result, findings.result.class_names
    rows = [
        [
            str(place),
            names[result.labels[number]],
            names[findings.predicted[number]],
            f"{findings.confidence[number]:.3f}",
            findings.describe(int(number)),
        ]
        for place, number in enumerate(mistakes)
    ]
    return table(["sample", "label", "predicted as", "confidence", "image"], rows)


def _as_image(pairs: Confusion) -> npt.NDArray[np.uint8]:
    """Returns the matrix as gray squares, shape (height, width, 1), uint8; white is 0."""
    shown = pairs.classes_with_most_mistakes(_MATRIX_SIDE)
    shares = pairs.among(shown) / np.maximum(pairs.support[shown], 1)[:, None]
    square = _MATRIX_SIDE // len(shown)
    gray = (255 * (1 - shares)).round().astype(np.uint8)
    return np.kron(gray, np.ones((square, square), np.uint8))[..., None]


def _confusion_table(pairs: Confusion, names: tuple[str, ...]) -> str:
    """Returns the matrix in Markdown or, with many classes, the most frequent mistakes."""
    if len(names) <= _TABLE_CLASSES:
        rows = [
            [name, *map(str, counts)]
            for name, counts in zip(names, pairs.dense().tolist(), strict=True)
        ]
        return table(["label / predicted as", *names], rows)
    rows = [
        [names[label], names[predicted], str(count)]
        for label, predicted, count in pairs.most_confused(_PAIRS)
    ]
    return table(["label", "predicted as", "images"], rows)
