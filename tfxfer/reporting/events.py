"""What TensorBoard shows of a finished run, beside the curves: confusion, and images."""

import shutil

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.data.image.failures import readable_reason
from tfxfer.errors import RunError
from tfxfer.evaluation.confusion import Confusion
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.reporting.findings import Findings
from tfxfer.reporting.markdown import table
from tfxfer.reporting.pictures import read_pictures

# More classes than these are no table that one can read.
_TABLE_CLASSES = 20

_PAIRS = 50

# Pixels of a side of the matrix; of more classes than these those with the most mistakes are shown.
_MATRIX_SIDE = 512

_IMAGES = 16

_SIDE = 224


def write(findings: Findings) -> None:
    """Writes the confusion matrix and the most telling images of a run for TensorBoard.

    The matrix is an image, rows true and columns predicted, the darker the larger the share of the
    row, and a table in words, under "Text"; the images are the most confident mistakes, with their
    labels there, too.

    Raises:
        RunError: They cannot be written.
    """
    directory = findings.run.events / "evaluation"
    mistakes = findings.mistakes[:_IMAGES]
    pictures = read_pictures(findings.images, mistakes, _SIDE)
    shutil.rmtree(directory, ignore_errors=True)
    try:
        writer = tf.summary.create_file_writer(str(directory))
        with writer.as_default(step=len(findings.epochs)):
            _summarise(findings.result)
            if len(mistakes):
                tf.summary.image("mistakes", pictures, max_outputs=_IMAGES)
                tf.summary.text("labels of the mistakes", _mistakes_table(findings, mistakes))
        writer.close()
    except tf.errors.OpError as error:
        reason = readable_reason(error)
        raise RunError(f"Cannot write to '{directory}': {reason}.") from error


def _summarise(result: EvaluationResult) -> None:
    """Writes the scores and the confusion matrix."""
    tf.summary.scalar("loss", result.loss)
    tf.summary.scalar("accuracy", result.accuracy)
    tf.summary.image("confusion matrix", _as_image(result.pairs)[None])
    tf.summary.text("confusion", _confusion_table(result.pairs, result.class_names))


def _mistakes_table(findings: Findings, mistakes: npt.NDArray[np.int64]) -> str:
    """Returns what is said of some images in Markdown."""
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
    return table(["sample", "label", "taken for", "confidence", "image"], rows)


def _as_image(pairs: Confusion) -> npt.NDArray[np.uint8]:
    """Returns a matrix as grey squares, (height, width, 1), white for none of a row."""
    shown = pairs.classes_with_most_mistakes(_MATRIX_SIDE)
    shares = pairs.among(shown) / np.maximum(pairs.support[shown], 1)[:, None]
    square = _MATRIX_SIDE // len(shown)
    grey = (255 * (1 - shares)).round().astype(np.uint8)
    return np.kron(grey, np.ones((square, square), np.uint8))[..., None]


def _confusion_table(pairs: Confusion, names: tuple[str, ...]) -> str:
    """Returns a matrix in Markdown; where it is large, the pairs that are confused most."""
    if len(names) <= _TABLE_CLASSES:
        rows = [
            [name, *map(str, counts)]
            for name, counts in zip(names, pairs.dense().tolist(), strict=True)
        ]
        return table(["label / taken for", *names], rows)
    rows = [
        [names[label], names[taken], str(count)]
        for label, taken, count in pairs.most_confused(_PAIRS)
    ]
    return table(["label", "taken for", "images"], rows)
