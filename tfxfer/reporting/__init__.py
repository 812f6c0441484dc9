"""Report: a page that says what a run was asked, what it did, and how good it is; or several runs.

Beside the page a run gets the numbers as JSON, what was said of each image, and a model card.
"""

import pathlib

from tfxfer.config import FitConfig
from tfxfer.errors import UsageError
from tfxfer.evaluation import score
from tfxfer.history import read_history
from tfxfer.metrics import judging_split
from tfxfer.pipeline import Images, naming_unreadable_images
from tfxfer.reporting import events, model_card, page, side_by_side
from tfxfer.reporting.findings import Findings
from tfxfer.run_directory import (
    RunDirectory,
    check_output,
    open_run,
    read_metrics,
    replacing,
    replacing_named,
    write_json,
)
from tfxfer.tables import TableWriter
from tfxfer.trained import load

__all__ = ["Findings", "report", "write_report"]

# What several runs side by side are written to unless it is said.
_SIDE_BY_SIDE = "comparison.html"


def report(*runs: str | pathlib.Path, output: str | pathlib.Path | None = None) -> pathlib.Path:
    """Writes a page on a finished run, or one that shows several side by side; returns its path.

    The page is a single file that needs neither a network nor anything beside it. For one run the
    model is asked about all images of the test split, or of validation where there is no test; the
    run's `evaluation.json`, `predictions.csv` and `README.md`, the model card, are written anew,
    too. For several runs what lies in them is read, and neither images nor models are.

    Args:
        *runs: Directories of finished runs.
        output: Where the page goes; None is `report.html` in the run and, for several runs,
            `comparison.html` in the working directory.

    Raises:
        UsageError: Something is no finished run, its data are not where they were, or nothing can
            be written there.
        DataError: Images cannot be read any more.
    """
    if not runs:
        raise UsageError("No run was named.")
    opened = [open_run(path) for path in runs]
    if output is not None:
        check_output(output)  # before the work
    if len(opened) > 1:
        text = side_by_side.render([_read_or_report(run) for run in opened])
        return _write(output or _SIDE_BY_SIDE, text)
    return _report_one(opened[0], output)


def write_report(findings: Findings, output: str | pathlib.Path | None = None) -> pathlib.Path:
    """Writes all that reports on a run, the page last, and returns the page's path.

    Args:
        findings: What is known of the run.
        output: Where the page goes; None is `report.html` in the run.
    """
    run = findings.run
    write_json(run.evaluation, findings.result.as_json())
    _write_predictions(findings)
    events.write(findings)
    with replacing(run.model_card) as temporary:
        temporary.write_text(model_card.render(findings), "utf-8", "backslashreplace")
    return _write(output or run.report, page.render(findings))


def _report_one(run: RunDirectory, output: str | pathlib.Path | None = None) -> pathlib.Path:
    """Writes the page of a run from its model and its data."""
    metrics = read_metrics(run)
    trained = load(run.path)
    source = trained.open_source()
    name = judging_split(source.splits)
    with naming_unreadable_images(source.splits[name]):
        return write_report(
            Findings(
                run=run,
                config=trained.config or FitConfig(),
                metrics=metrics,
                epochs=read_history(run),
                model=trained.model,
                result=score(trained, source, name),
                images=Images(source.splits[name], trained.input_size, memory_bytes=0),
                labels={split: trained.labels(source, split) for split in source.splits},
                notes=tuple(metrics["data"].get("notes", ())),
            ),
            output,
        )


def _write_predictions(findings: Findings) -> None:
    """Writes what was said of each image, in the order of their names."""
    result, names = findings.result, findings.result.class_names
    rows = []
    for number, (label, taken) in enumerate(zip(result.labels, findings.predicted, strict=True)):
        shares = result.probabilities[number]
        rows.append(
            [
                findings.describe(number),
                names[label],
                names[taken],
                f"{shares[taken]:.6f}",
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


def _read_or_report(run: RunDirectory) -> side_by_side.Reported:
    """Returns what is known of a run that has been reported on, after it was where it was not."""
    if not run.evaluation.is_file() or not run.predictions.is_file():
        _report_one(run)
    return side_by_side.read(run)


def _write(path: str | pathlib.Path, text: str) -> pathlib.Path:
    """Writes a page, and returns its path."""
    with replacing_named(path) as temporary:
        temporary.write_text(text, "utf-8")
    return pathlib.Path(path)
