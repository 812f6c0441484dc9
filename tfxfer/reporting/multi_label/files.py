"""The files of a multi-label report, besides the page and the card."""

import tensorflow as tf

from tfxfer.config.schema import LABEL_SEPARATOR
from tfxfer.reporting.events import summaries
from tfxfer.reporting.markdown import table
from tfxfer.reporting.multi_label.findings import MultiLabelFindings
from tfxfer.system.tables import write_table


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
    probabilities = [f"probability of {name}" for name in result.class_names]
    titles = ["image", "labels", "predicted", *probabilities]
    write_table(findings.run.predictions, titles, sorted(rows))


def write_events(findings: MultiLabelFindings) -> None:
    """Writes the metrics and a table of the labels for TensorBoard.

    Raises:
        RunError: The events cannot be written.
    """
    result = findings.result
    columns = (result.average_precision, result.thresholds, result.classes.f1)
    rows = [
        [name, *(f"{float(column[index]):.4f}" for column in columns)]
        for index, name in enumerate(result.class_names)
    ]
    with summaries(findings):
        tf.summary.scalar("loss", result.loss)
        tf.summary.scalar("accuracy", result.accuracy)
        tf.summary.scalar("mean_average_precision", result.mean_average_precision)
        tf.summary.scalar("macro_f1", result.macro_f1)
        titles = ["label", "average precision", "threshold", "F1"]
        tf.summary.text("labels", table(titles, rows))
