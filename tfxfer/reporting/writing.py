"""Writes the report of a run: page, metrics, predictions, model card and TensorBoard events."""

import pathlib

from tfxfer.config.paths import user_path
from tfxfer.reporting import events, model_card, page
from tfxfer.reporting.findings import Findings
from tfxfer.system.files import replacing, replacing_named, write_json
from tfxfer.system.tables import TableWriter


def write_report(findings: Findings, output: str | pathlib.Path | None = None) -> pathlib.Path:
    """Writes all files of the report, the page last, and returns the path of the page.

    Args:
        findings: Settings, metrics and predictions of the run.
        output: Path of the page; None is `report.html` in the run.
    """
    run = findings.run
    write_json(run.evaluation, findings.result.as_json())
    _write_predictions(findings)
    events.write(findings)
    with replacing(run.model_card) as temporary:
        temporary.write_text(model_card.render(findings), "utf-8", "backslashreplace")
    return write(output or run.report, page.render(findings))


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
    with (
        replacing(findings.run.predictions) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = TableWriter(file)
        table.writerow(["image", "label", "predicted", "confidence", "label_probability"])
        for row in sorted(rows):
            table.writerow(row)


def write(path: str | pathlib.Path, text: str) -> pathlib.Path:
    """Writes a page, and returns its path."""
    with replacing_named(path) as temporary:
        temporary.write_text(text, "utf-8")
    return user_path(path)
