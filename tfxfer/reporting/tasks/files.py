"""The files of the report of several tasks, besides the page and the card."""

import tensorflow as tf

from tfxfer.reporting.events import summaries
from tfxfer.reporting.markdown import table
from tfxfer.reporting.tasks.findings import TasksFindings
from tfxfer.system.tables import write_table


def write_predictions(findings: TasksFindings) -> None:
    """Writes the label, the prediction and its probability of each task, sorted by image."""
    result = findings.result
    rows = []
    for number in range(result.num_examples):
        row = [findings.describe(number)]
        labels, predicted = findings.labels_of(number), findings.predicted_for(number)
        for task, columns in result.tasks.columns.items():
            share = result.probabilities[number, columns].max()
            row += [labels[task], predicted[task], f"{share:.6f}"]
        rows.append(row)
    titles = ("{}", "{} predicted", "{} confidence")
    ours = [title.format(task) for task in result.tasks.names for title in titles]
    write_table(findings.run.predictions, ["image", *ours], sorted(rows))


def write_events(findings: TasksFindings) -> None:
    """Writes the metrics and a table of the tasks for TensorBoard.

    Raises:
        RunError: The events cannot be written.
    """
    result = findings.result
    rows = [
        [name, f"{one.accuracy:.4f}", f"{one.classes.macro()['f1']:.4f}", f"{one.num_examples:,}"]
        for name, one in result.of_task.items()
    ]
    with summaries(findings):
        tf.summary.scalar("loss", result.loss)
        tf.summary.scalar("accuracy", result.accuracy)
        for name, one in result.of_task.items():
            tf.summary.scalar(f"accuracy/{name}", one.accuracy)
        tf.summary.text("tasks", table(["task", "accuracy", "macro F1", "images"], rows))
