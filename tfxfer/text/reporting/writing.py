"""Writes the results of a run on texts: report, model card, metrics and predictions."""

import pathlib

from tfxfer.config.paths import user_path
from tfxfer.system.files import replacing, replacing_named, write_json
from tfxfer.system.tables import write_table
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
    names = result.class_names
    rows = [
        [one, names[label], names[predicted], f"{shares[predicted]:.6f}"]
        for one, label, predicted, shares in zip(
            findings.scored.ids,
            result.labels,
            findings.predicted,
            result.probabilities,
            strict=True,
        )
    ]
    write_table(run.predictions, ["id", "label", "predicted", "confidence"], rows)
    with replacing(run.model_card) as temporary:
        temporary.write_text(render_card(findings), encoding="utf-8")
    return write(output or run.report, render(findings))


def write(path: str | pathlib.Path, text: str) -> pathlib.Path:
    """Writes a page, and returns its path."""
    with replacing_named(path) as temporary:
        temporary.write_text(text, "utf-8")
    return user_path(path)
