"""Writes the report of a run: page, metrics, predictions, model card and TensorBoard events."""

import pathlib
from typing import Any

from tfxfer.config.paths import user_path
from tfxfer.evaluation.multi_label.result import MultiLabelResult
from tfxfer.evaluation.numbers.result import NumberResult
from tfxfer.evaluation.predictions import AnyResult
from tfxfer.evaluation.tasks.result import TasksResult
from tfxfer.reporting import events, model_card, page
from tfxfer.reporting.findings import Findings
from tfxfer.reporting.multi_label import card as multi_label_card
from tfxfer.reporting.multi_label import files
from tfxfer.reporting.multi_label import page as multi_label_page
from tfxfer.reporting.multi_label.findings import MultiLabelFindings
from tfxfer.reporting.numbers import card as number_card
from tfxfer.reporting.numbers import files as number_files
from tfxfer.reporting.numbers import page as number_page
from tfxfer.reporting.numbers.findings import NumberFindings
from tfxfer.reporting.tasks import card as tasks_card
from tfxfer.reporting.tasks import files as tasks_files
from tfxfer.reporting.tasks import page as tasks_page
from tfxfer.reporting.tasks.findings import TasksFindings
from tfxfer.system.files import replacing, replacing_named, write_json
from tfxfer.system.tables import write_table

AnyFindings = Findings | MultiLabelFindings | TasksFindings | NumberFindings


def findings_of(result: AnyResult, **others: Any) -> AnyFindings:
    """Returns the findings of a run.

    Args:
        result: Its metrics, of labels of any kind.
        **others: The other fields of `RunFindings`.
    """
    if isinstance(result, MultiLabelResult):
        return MultiLabelFindings(result=result, **others)
    if isinstance(result, TasksResult):
        return TasksFindings(result=result, **others)
    if isinstance(result, NumberResult):
        return NumberFindings(result=result, **others)
    return Findings(result=result, **others)


def draw(findings: AnyFindings) -> None:
    """Draws the images of a page before all of its metrics are known.

    It takes most of the time of a report. `findings` keeps them, as do its copies with other
    metrics.
    """
    if isinstance(findings, MultiLabelFindings):
        multi_label_page.draw(findings)
    elif isinstance(findings, TasksFindings):
        tasks_page.draw(findings)
    elif isinstance(findings, NumberFindings):
        number_page.draw(findings)
    else:
        page.draw(findings)


def render_page(findings: AnyFindings) -> str:
    """Returns the page of a run as self-contained HTML."""
    if isinstance(findings, MultiLabelFindings):
        return multi_label_page.render(findings)
    if isinstance(findings, TasksFindings):
        return tasks_page.render(findings)
    if isinstance(findings, NumberFindings):
        return number_page.render(findings)
    return page.render(findings)


def write_report(findings: AnyFindings, output: str | pathlib.Path | None = None) -> pathlib.Path:
    """Writes all files of the report, the page last, and returns the path of the page.

    Args:
        findings: Settings, metrics and predictions of the run.
        output: Path of the page; None is `report.html` in the run.
    """
    run = findings.run
    write_json(run.evaluation, findings.result.as_json())
    if isinstance(findings, MultiLabelFindings):
        files.write_predictions(findings)
        files.write_events(findings)
        card = multi_label_card.render(findings)
    elif isinstance(findings, TasksFindings):
        tasks_files.write_predictions(findings)
        tasks_files.write_events(findings)
        card = tasks_card.render(findings)
    elif isinstance(findings, NumberFindings):
        number_files.write_predictions(findings)
        number_files.write_events(findings)
        card = number_card.render(findings)
    else:
        _write_predictions(findings)
        events.write(findings)
        card = model_card.render(findings)
    with replacing(run.model_card) as temporary:
        temporary.write_text(card, "utf-8", "backslashreplace")
    return write(output or run.report, render_page(findings))


def _write_predictions(findings: Findings) -> None:
    """Writes the prediction for each image as CSV, sorted by image."""
    result, names = findings.result, findings.result.class_names
    rows = []
    for number, (label, predicted) in enumerate(
        zip(result.labels, findings.predicted, strict=True)
    ):
        shares = result.probabilities[number]
        rows.append(
            [
                findings.describe(number),
                names[label],
                names[predicted],
                f"{shares[predicted]:.6f}",
                f"{shares[label]:.6f}",
            ]
        )
    titles = ["image", "label", "predicted", "confidence", "label_probability"]
    write_table(findings.run.predictions, titles, sorted(rows))


def write(path: str | pathlib.Path, text: str) -> pathlib.Path:
    """Writes a page, and returns its path."""
    with replacing_named(path) as temporary:
        temporary.write_text(text, "utf-8")
    return user_path(path)
