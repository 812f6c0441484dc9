"""`report` on a run on texts."""

import pathlib
from collections.abc import Callable

import numpy as np

from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.runs.directory import open_run
from tfxfer.runs.history import read_history
from tfxfer.runs.metrics_record import read_metrics
from tfxfer.system.files import check_output, check_writable
from tfxfer.system.run_layout import RunDirectory
from tfxfer.text.planning.defaults import decided_text_fit
from tfxfer.text.reporting.findings import TextFindings
from tfxfer.text.reporting.page import render
from tfxfer.text.reporting.writing import write, write_text_report
from tfxfer.text.serving.loading import load_texts
from tfxfer.text.serving.scoring import score_texts


def report(
    *runs: str | pathlib.Path,
    output: str | pathlib.Path | None = None,
    data: str | None = None,
    data_dir: str | None = None,
    say: Callable[[str], None] = print,
) -> pathlib.Path:
    """Writes the HTML report of a finished run on texts; see `tfxfer.report`.

    Raises:
        UsageError: Several runs are given, which can only be compared for images.
    """
    if len(runs) > 1:
        raise UsageError(
            "Runs on texts have reports of their own and cannot be compared on one page yet. Name "
            "one run."
        )
    run = open_run(runs[0])
    check_output(output or run.report, "--output", run.files, "text")
    into_run = output is None or pathlib.Path(output).resolve().parent == run.path.resolve()
    if into_run:
        check_writable(run.path, "output")
    findings = _evaluated(run, data, data_dir)
    for note in findings.result.notes:
        say(f"note: {note}")
    if into_run:
        return write_text_report(findings, output)
    path = write(output or run.report, render(findings))
    say(f"Nothing else was written into '{run.path}'.")
    return path


def _evaluated(
    run: RunDirectory, data: str | None = None, data_dir: str | None = None
) -> TextFindings:
    """Returns the findings of a run after evaluating its model on its data, or on other data."""
    trained = load_texts(run.path)
    source = trained.open_source(data, data_dir)
    scored = score_texts(trained, source, None, is_own=data is None)
    metrics = read_metrics(run)
    recorded = (metrics.data.notes if metrics.data else None) or []
    labels = trained.labels_of(source)
    return TextFindings(
        run=run,
        config=decided_text_fit(read_recipe(run.config, FitConfig())),
        metrics=metrics,
        epochs=read_history(run),
        scored=scored,
        counts={
            key: np.bincount(labels[one.labels], minlength=len(trained.class_names))
            for key, one in source.splits.items()
        },
        notes=tuple(dict.fromkeys((*recorded, *source.notes))),
        model=trained.model,
    )
