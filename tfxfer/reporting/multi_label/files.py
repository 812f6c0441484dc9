"""The files of a multi-label report, besides the page and the card."""

import shutil

import tensorflow as tf

from tfxfer.config.schema import LABEL_SEPARATOR
from tfxfer.data.image.failures import readable_reason
from tfxfer.errors import RunError
from tfxfer.reporting.markdown import table
from tfxfer.reporting.multi_label.findings import MultiLabelFindings
from tfxfer.system.files import replacing
from tfxfer.system.tables import TableWriter


def write_predictions(findings: MultiLabelFindings) -> None:
    """Writes the labels and probabilities of each image as CSV, sorted by image."""
    result = findings.result
    rows = [
        [
            findings.describe(number),
            LABEL_SEPARATOR.join(findings.labels_of(number)),
            LABEL_SEPARATOR.join(findings.predicted_for(number)),
            *(f"{share:.6f}" for share in result.probabilities[number]),
        ]
        for number in range(result.num_examples)
    ]
    with (
        replacing(findings.run.predictions) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        records = TableWriter(file)
        probabilities = [f"probability of {name}" for name in result.class_names]
        records.writerow(["image", "labels", "predicted", *probabilities])
        for row in sorted(rows):
            records.writerow(row)


def write_events(findings: MultiLabelFindings) -> None:
    """Writes the metrics and a table of the labels for TensorBoard.

    Raises:
        RunError: The events cannot be written.
    """
    result, directory = findings.result, findings.run.events / "evaluation"
    shutil.rmtree(directory, ignore_errors=True)
    columns = (result.average_precision, result.thresholds, result.classes.f1)
    rows = [
        [name, *(f"{float(column[index]):.4f}" for column in columns)]
        for index, name in enumerate(result.class_names)
    ]
    try:
        writer = tf.summary.create_file_writer(str(directory))
        with writer.as_default(step=len(findings.epochs)):
            tf.summary.scalar("loss", result.loss)
            tf.summary.scalar("accuracy", result.accuracy)
            tf.summary.scalar("mean_average_precision", result.mean_average_precision)
            tf.summary.scalar("macro_f1", result.macro_f1)
            titles = ["label", "average precision", "threshold", "F1"]
            tf.summary.text("labels", table(titles, rows))
        writer.close()
    except tf.errors.OpError as error:
        reason = readable_reason(error)
        raise RunError(f"Cannot write to '{directory}': {reason}.") from error
