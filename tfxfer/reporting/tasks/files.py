"""The files of the report of several tasks, besides the page and the card."""

import shutil

import tensorflow as tf

from tfxfer.data.image.failures import readable_reason
from tfxfer.errors import RunError
from tfxfer.reporting.markdown import table
from tfxfer.reporting.tasks.findings import TasksFindings
from tfxfer.system.files import replacing
from tfxfer.system.tables import TableWriter


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
    with (
        replacing(findings.run.predictions) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        records = TableWriter(file)
        titles = ("{}", "{} predicted", "{} confidence")
        ours = [title.format(task) for task in result.tasks.names for title in titles]
        records.writerow(["image", *ours])
        for row in sorted(rows):
            records.writerow(row)


def write_events(findings: TasksFindings) -> None:
    """Writes the metrics and a table of the tasks for TensorBoard.

    Raises:
        RunError: The events cannot be written.
    """
    result, directory = findings.result, findings.run.events / "evaluation"
    shutil.rmtree(directory, ignore_errors=True)
    rows = [
        [name, f"{one.accuracy:.4f}", f"{one.classes.macro()['f1']:.4f}", f"{one.num_examples:,}"]
        for name, one in result.of_task.items()
    ]
    try:
        writer = tf.summary.create_file_writer(str(directory))
        with writer.as_default(step=len(findings.epochs)):
            tf.summary.scalar("loss", result.loss)
            tf.summary.scalar("accuracy", result.accuracy)
            for name, one in result.of_task.items():
                tf.summary.scalar(f"accuracy/{name}", one.accuracy)
            tf.summary.text("tasks", table(["task", "accuracy", "macro F1", "images"], rows))
        writer.close()
    except tf.errors.OpError as error:
        reason = readable_reason(error)
        raise RunError(f"Cannot write to '{directory}': {reason}.") from error
