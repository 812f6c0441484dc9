"""`report`: writes the HTML report of a run, or a comparison of several runs."""

import pathlib
from collections.abc import Callable

from tfxfer.api.modality import by_model
from tfxfer.config.decided import decided_fit
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.errors import UsageError
from tfxfer.evaluation.cautious import choosing_images
from tfxfer.evaluation.scoring import (
    out_of_fold_images,
    out_of_fold_result,
    score,
    why_not_evaluable,
)
from tfxfer.inference.loading import load
from tfxfer.reporting import side_by_side
from tfxfer.reporting.findings import Findings
from tfxfer.reporting.writing import (
    AnyFindings,
    findings_of,
    render_page,
    write,
    write_report,
)
from tfxfer.runs.directory import open_run
from tfxfer.runs.history import read_history
from tfxfer.runs.metrics_record import read_metrics
from tfxfer.system.files import check_output, check_writable
from tfxfer.system.isolation import isolated
from tfxfer.system.names import in_shell
from tfxfer.system.run_layout import RunDirectory

# Default output of a comparison of several runs.
_SIDE_BY_SIDE = "comparison.html"


@isolated
@by_model
def report(
    *runs: str | pathlib.Path,
    output: str | pathlib.Path | None = None,
    data: str | None = None,
    data_dir: str | None = None,
    say: Callable[[str], None] = print,
) -> pathlib.Path:
    """Writes the HTML report of a finished run, or a comparison of several runs.

    The report is a single self-contained file. For one run, the model is evaluated on the test
    split, or on validation without one, and the run's `evaluation.json`, `predictions.csv` and
    `README.md` (the model card) are rewritten too. With `output` outside the run nothing is written
    into the run, which may be read-only. For several runs their existing results are read; only
    runs without a report are evaluated.

    Args:
        *runs: Directories of finished runs.
        output: Output file; by default `report.html` in the run or, for several runs,
            `comparison.html` in the working directory.
        data: For one run: the new location of its data, or other data; by default the run's own.
        data_dir: For one run: directory of TFDS datasets.
        say: Called with each note on the data, and on files that were not written.

    Returns:
        The path of the report.

    Raises:
        UsageError: A directory is not a finished run, or the output cannot be written.
        DataError: The data of a run were moved, or cannot be read.

    Examples:
        >>> import tfxfer
        >>> tfxfer.report("runs/photos")  # doctest: +SKIP
        PosixPath('runs/photos/report.html')
        >>> tfxfer.report("runs/resnet50", "runs/efficientnet_b0")  # doctest: +SKIP
        PosixPath('comparison.html')
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
                "--data and --data-dir need a single run; a comparison of several shows their "
                "existing results."
            )
        text = side_by_side.render([_read_or_evaluate(run) for run in opened])
        return write(output or _SIDE_BY_SIDE, text)
    (run,) = opened
    into_run = output is None or pathlib.Path(output).resolve().parent == run.path.resolve()
    if into_run:
        check_writable(run.path, "output")
    findings = _evaluated(run, data, data_dir)
    if data is not None:
        for note in findings.result.notes:
            say(f"note: {note}")
    if into_run:
        return write_report(findings, output)
    page_path = write(output or run.report, render_page(findings))
    names = ", ".join(path.name for path in (run.evaluation, run.predictions, run.model_card))
    say(f"Nothing was written into '{run.path}': its {names} are unchanged.")
    return page_path


def _evaluated(
    run: RunDirectory, data: str | None = None, data_dir: str | None = None
) -> AnyFindings:
    """Returns the findings of a run after evaluating its model on its data, or on other data."""
    metrics = read_metrics(run)
    trained = load(run.path)
    source = choosing_images(trained, trained.open_source(data, data_dir))
    name = source.evaluation_split
    out_of_fold = out_of_fold_result(trained, source)
    if name == "all" and out_of_fold is None:
        raise UsageError(why_not_evaluable(source))
    judged = out_of_fold_images(trained, source)
    if judged is None:
        (split,) = source.part(name).values()
    else:
        split, _ = judged
    recorded = metrics.data.notes if metrics.data else None
    notes = (*(recorded or ()), *source.notes)
    with naming_unreadable_images(split):
        return findings_of(
            score(trained, source, name) if out_of_fold is None else out_of_fold,
            run=run,
            config=decided_fit(read_recipe(run.config, FitConfig())),
            metrics=metrics,
            epochs=read_history(run),
            model=trained.model,
            images=Images(split, trained.frame, memory_bytes=0),
            labels={key: trained.labels(source, one) for key, one in source.splits.items()},
            notes=tuple(dict.fromkeys(notes)),
        )


def _read_or_evaluate(run: RunDirectory) -> side_by_side.Reported:
    """Returns the results of a run: from its report or, without one, from an evaluation."""
    metrics = read_metrics(run)
    if any(one is not None for one in (metrics.thresholds, metrics.tasks, metrics.target)):
        raise _not_of_classes(run)
    if run.evaluation.is_file() and run.predictions.is_file():
        return side_by_side.read(run)
    findings = _evaluated(run)
    if not isinstance(findings, Findings):
        raise _not_of_classes(run)
    is_correct = findings.predicted == findings.result.labels
    return side_by_side.Reported(
        name=run.path.resolve().name,
        config=findings.config,
        metrics=findings.metrics,
        epochs=findings.epochs,
        scores=findings.result.as_json(),
        is_correct={findings.describe(i): bool(one) for i, one in enumerate(is_correct)},
    )


def _not_of_classes(run: RunDirectory) -> UsageError:
    metrics = read_metrics(run)
    kind = "multi-label" if metrics.tasks is None else "multi-task"
    kind = kind if metrics.target is None else "numeric"
    return UsageError(
        f"The run '{run.path}' is {kind}; only runs with one class per image can be compared. "
        f"Report each by itself: `tfxfer report {in_shell(run.path)}`."
    )
