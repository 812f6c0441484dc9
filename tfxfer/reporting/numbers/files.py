"""The files of the report on a number, besides the page and the card."""

import tensorflow as tf

from tfxfer.data.labels.numbers import exact_text
from tfxfer.reporting.events import summaries
from tfxfer.reporting.numbers.findings import NumberFindings
from tfxfer.system.tables import write_table


def write_predictions(findings: NumberFindings) -> None:
    """Writes the true and the predicted number of each image as CSV, sorted by image."""
    result = findings.result
    rows = [
        [
            findings.describe(number),
            exact_text(float(result.labels[number])),
            f"{result.predicted[number]:.9g}",
            f"{result.errors[number]:.9g}",
        ]
        for number in range(result.num_examples)
    ]
    write_table(findings.run.predictions, ["image", "label", "predicted", "error"], sorted(rows))


def write_events(findings: NumberFindings) -> None:
    """Writes the metrics for TensorBoard.

    Raises:
        RunError: The events cannot be written.
    """
    result = findings.result
    with summaries(findings):
        tf.summary.scalar("loss", result.loss)
        tf.summary.scalar("mean_absolute_error", result.mean_absolute_error)
        tf.summary.scalar("root_mean_squared_error", result.root_mean_squared_error)
        tf.summary.scalar("r2", result.r2)
        tf.summary.histogram("errors", result.errors)
