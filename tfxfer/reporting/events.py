"""What TensorBoard shows of a finished run, beside the curves: confusion, and images."""

import shutil

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.evaluation.confusion import Confusion
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
    """
    directory = findings.run.events / "evaluation"
    shutil.rmtree(directory, ignore_errors=True)
    result, names = findings.result, findings.result.class_names
    mistakes = findings.mistakes[:_IMAGES]
    writer = tf.summary.create_file_writer(str(directory))
    with writer.as_default(step=len(findings.epochs)):
        tf.summary.scalar("loss", result.loss)
        tf.summary.scalar("accuracy", result.accuracy)
        tf.summary.image("confusion matrix", _as_image(result.pairs)[None])
        tf.summary.text("confusion", _confusion_table(result.pairs, names))
        if len(mistakes):
            pictures = read_pictures(findings.images, mistakes, _SIDE)
            tf.summary.image("mistakes", pictures, max_outputs=_IMAGES)
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
            heads = ["sample", "label", "taken for", "confidence", "image"]
            tf.summary.text("labels of the mistakes", table(heads, rows))
    writer.close()


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
