"""Writes the results of a run on texts: report, model card, metrics and predictions."""

import pathlib

from tfxfer.config.paths import user_path
from tfxfer.system.files import replacing, replacing_named, write_json
from tfxfer.system.tables import TableWriter
from tfxfer.text.reporting.card import render_card
from tfxfer.text.reporting.findings import TextFindings
from tfxfer.text.reporting.page import render


def write_text_report(
    findings: TextFindings, output: str | pathlib.Path | None = None
) -> pathlib.Path:
    """Writes all results into the run, and returns the path of the report.

    Args:
        findings: The findings.
        output: Another file for the report.
    """
    run, result = findings.run, findings.result
    write_json(run.evaluation, result.as_json())
    with (
        replacing(run.predictions) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = TableWriter(file)
        table.writerow(["id", "label", "predicted", "confidence"])
        rows = zip(
            findings.scored.ids,
            result.labels,
            findings.predicted,
            result.probabilities,
            strict=True,
        )
        for one, label, predicted, row in rows:
            names = (result.class_names[label], result.class_names[predicted])
            table.writerow([one, *names, f"{row[predicted]:.6f}"])
    with replacing(run.model_card) as temporary:
        temporary.write_text(render_card(findings), encoding="utf-8")
    return write(output or run.report, render(findings))


def write(path: str | pathlib.Path, text: str) -> pathlib.Path:
    """Writes a page, and returns its path."""
    with replacing_named(path) as temporary:
        temporary.write_text(text, "utf-8")
    return user_path(path)
