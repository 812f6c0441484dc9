"""`report`: writes the page of a run, or of several side by side."""

import pathlib
from collections.abc import Callable

from tfxfer.config.decided import decided_fit
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.errors import UsageError
from tfxfer.evaluation.scoring import score, why_not_evaluable
from tfxfer.inference.loading import load
from tfxfer.reporting import page, side_by_side
from tfxfer.reporting.findings import Findings
from tfxfer.reporting.writing import write, write_report
from tfxfer.runs.directory import open_run
from tfxfer.runs.history import read_history
from tfxfer.runs.metrics_record import read_metrics
from tfxfer.system.files import check_output, check_writable
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import RunDirectory

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
    read = [file for run in opened for file in run.files]
    check_output(output or usual, "--output", read, "text")  # before the work
    if len(opened) > 1:
        if data is not None or data_dir is not None:
            raise UsageError(
                "Of several runs what lies in them is shown; --data and --data-dir go with one run."
            )
        text = side_by_side.render([_read_or_judge(run) for run in opened])
        return write(output or _SIDE_BY_SIDE, text)
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
    page_path = write(output or run.report, page.render(findings))
    names = ", ".join(path.name for path in (run.evaluation, run.predictions, run.model_card))
    say(f"Nothing was written into '{run.path}': its {names} are as they were.")
    return page_path


def _judged(run: RunDirectory, data: str | None = None, data_dir: str | None = None) -> Findings:
    """Returns what is known of a run after its model was asked about its data, or others."""
    metrics = read_metrics(run)
    trained = load(run.path)
    source = trained.open_source(data, data_dir)
    name = source.judging
    if name == "all":
        raise UsageError(why_not_evaluable(source))
    (judges,) = source.part(name).values()
    told = metrics.data.notes if metrics.data else None
    notes = (*(told or ()), *source.notes)
    with naming_unreadable_images(judges):
        return Findings(
            run=run,
            config=decided_fit(read_recipe(run.config, FitConfig())),
            metrics=metrics,
            epochs=read_history(run),
            model=trained.model,
            result=score(trained, source, name),
            images=Images(judges, trained.input_size, memory_bytes=0),
            labels={key: trained.labels(source, one) for key, one in source.splits.items()},
            notes=tuple(dict.fromkeys(notes)),
        )


def _read_or_judge(run: RunDirectory) -> side_by_side.Reported:
    """Returns what is known of a run: what its report left or, without one, what is found now."""
    if run.evaluation.is_file() and run.predictions.is_file():
        return side_by_side.read(run)
    findings = _judged(run)
    is_correct = findings.predicted == findings.result.labels
    return side_by_side.Reported(
        name=run.path.resolve().name,
        config=findings.config,
        metrics=findings.metrics,
        epochs=findings.epochs,
        scores=findings.result.as_json(),
        is_correct={findings.describe(i): bool(one) for i, one in enumerate(is_correct)},
    )
