"""Report: a page that says what a run was asked, what it did, and how good it is; or several runs.

Beside the page a run gets the numbers as JSON, what was said of each image, and a model card.
"""

import pathlib
from collections.abc import Callable
from typing import NoReturn

from tfxfer.config import FitConfig
from tfxfer.errors import UsageError
from tfxfer.evaluation import score
from tfxfer.history import read_history
from tfxfer.isolation import isolated
from tfxfer.outputs import check_output
from tfxfer.paths import user_path
from tfxfer.pipeline import Images, naming_unreadable_images
from tfxfer.reporting import events, model_card, page, side_by_side
from tfxfer.reporting.findings import Findings
from tfxfer.run_directory import (
    RunDirectory,
    check_writable,
    open_run,
    read_metrics,
    replacing,
    replacing_named,
    write_json,
)
from tfxfer.seen import BoundSource
from tfxfer.tables import TableWriter
from tfxfer.trained import load

__all__ = ["Findings", "report", "write_report"]

# What several runs side by side are written to unless it is said.
_SIDE_BY_SIDE = "comparison.html"


@isolated
def report(
    *runs: str | pathlib.Path,
    output: str | pathlib.Path | None = None,
    data: str | None = None,
    data_dir: str | None = None,
    say: Callable[[str], None] = print,
) -> pathlib.Path:
    """Writes a page on a finished run, or one that shows several side by side; returns its path.

    The page is a single file that needs no network nor anything beside it. For one run the
    model is asked about all images of the test split, or of validation where there is no test; the
    run's `evaluation.json`, `predictions.csv` and `README.md`, the model card, are written anew,
    too, unless the page goes elsewhere: then nothing is written into the run, which may be
    read-only. For several runs what lies in them is read, and neither images nor models are, but
    for those that were never reported on.

    Args:
        *runs: Directories of finished runs.
        output: Where the page goes; None is `report.html` in the run and, for several runs,
            `comparison.html` in the working directory.
        data: For one run: where its data are now, or other data; None takes the run's own.
        data_dir: Likewise, where TFDS data lie.
        say: Takes what must be known of the data, and what was not written.

    Raises:
        UsageError: Something is no finished run, or nothing can be written there.
        DataError: The data of a run are not where they were, or cannot be read.
    """
    if not runs:
        raise UsageError("No run was named.")
    opened = [open_run(path) for path in runs]
    usual = _SIDE_BY_SIDE if len(opened) > 1 else opened[0].report
    check_output(output or usual)  # before the work
    if len(opened) > 1:
        if data is not None or data_dir is not None:
            raise UsageError(
                "Of several runs what lies in them is shown; --data and --data-dir go with one run."
            )
        text = side_by_side.render([_read_or_judge(run) for run in opened])
        return _write(output or _SIDE_BY_SIDE, text)
    (run,) = opened
    into_run = output is None or pathlib.Path(output).resolve().parent == run.path.resolve()
    if into_run:
        check_writable(run.path, "output")
    findings = _judged(run, data, data_dir)
    if data is not None:
        for note in findings.result.notes:
            say(f"note: {note}")
    if into_run:
        return write_report(findings, output)
    page_path = _write(output or run.report, page.render(findings))
    names = ", ".join(path.name for path in (run.evaluation, run.predictions, run.model_card))
    say(f"Nothing was written into '{run.path}': its {names} are as they were.")
    return page_path


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


def _judged(run: RunDirectory, data: str | None = None, data_dir: str | None = None) -> Findings:
    """Returns what is known of a run after its model was asked about its data, or others."""
    metrics = read_metrics(run)
    trained = load(run.path)
    source = trained.open_source(data, data_dir)
    name = source.judging
    (judges,) = source.part(name).values() if name != "all" else (_no_judge(source),)
    notes = (*metrics["data"].get("notes", ()), *source.notes)
    with naming_unreadable_images(judges):
        return Findings(
            run=run,
            config=trained.config or FitConfig(),
            metrics=metrics,
            epochs=read_history(run),
            model=trained.model,
            result=score(trained, source, name),
            images=Images(judges, trained.input_size, memory_bytes=0),
            labels={key: trained.labels(source, one) for key, one in source.splits.items()},
            notes=tuple(dict.fromkeys(notes)),
        )


def _no_judge(source: BoundSource) -> NoReturn:
    """Raises a UsageError for data that cannot judge the model."""
    raise UsageError(
        f"'{source.name}' has neither a test nor a validation split that the model has not seen. "
        f"{source.absent.get('test', '')}"
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


def _read_or_judge(run: RunDirectory) -> side_by_side.Reported:
    """Returns what is known of a run: what its report left or, without one, what is found now."""
    if run.evaluation.is_file() and run.predictions.is_file():
        return side_by_side.read(run)
    findings = _judged(run)
    right = findings.predicted == findings.result.labels
    return side_by_side.Reported(
        name=run.path.resolve().name,
        config=findings.config,
        metrics=findings.metrics,
        epochs=findings.epochs,
        scores=findings.result.as_json(),
        right={findings.describe(number): bool(one) for number, one in enumerate(right)},
    )


def _write(path: str | pathlib.Path, text: str) -> pathlib.Path:
    """Writes a page, and returns its path."""
    with replacing_named(path) as temporary:
        temporary.write_text(text, "utf-8")
    return user_path(path)
