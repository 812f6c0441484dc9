"""`fit` on texts: trains and exports a classifier of texts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.evaluation.calibration import (
    apply_temperature,
    calibrate,
    describe_calibration,
    divide_logits,
)
from tfxfer.evaluation.metrics import describe_gap, describe_scores, summarize
from tfxfer.evaluation.one_label import evaluate_classes
from tfxfer.exporting.clients import how_to_try
from tfxfer.planning.resuming import asked_settings
from tfxfer.planning.wording import describe_next_steps, plan_row
from tfxfer.runs.failures import describing_failures
from tfxfer.runs.lock import locked
from tfxfer.runs.metrics_record import (
    BestEpoch,
    DataRecord,
    FitMetrics,
    Parameters,
    evaluation_split,
    write_metrics,
)
from tfxfer.runs.naming import run_to_resume
from tfxfer.runs.versions import exported_before
from tfxfer.system.files import replacing
from tfxfer.system.names import in_shell
from tfxfer.system.processes.team import current
from tfxfer.system.progress import Say, readable_duration
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.system.streams import keep_going
from tfxfer.text.planning.description import describe_text_plan
from tfxfer.text.planning.plan import TextPlan, make_text_plan
from tfxfer.text.reporting.findings import TextFindings
from tfxfer.text.reporting.writing import write_text_report
from tfxfer.text.serving.loading import TrainedTexts
from tfxfer.text.serving.publishing import export_text_model
from tfxfer.text.serving.scoring import UNIT, Scored
from tfxfer.text.training.baseline import NAME, Baseline, fit_baseline
from tfxfer.text.training.phases import TextRun, prepare_text_run, train_fit
from tfxfer.training.epochs.session import FitResult, Session, finished_fit
from tfxfer.training.epochs.validation import SCORED_SPLITS


def describe_plan(config: FitConfig, *, resume: str | Path | RunDirectory | None = None) -> str:
    """Returns the plan of a fit on texts, without writing files."""
    _check_alone()
    return describe_text_plan(make_text_plan(asked_settings(FitConfig, config, {}, resume)))


def fit(
    config: FitConfig | None = None,
    *,
    resume: str | Path | RunDirectory | None = None,
    say: Say = print,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> FitResult:
    """Trains a classifier of texts and exports it; see `tfxfer.fit`."""
    _check_alone()
    say = keep_going(say)
    run = None if resume is None else run_to_resume(resume)
    asked = asked_settings(FitConfig, config, settings, run)
    if run is not None and run.is_finished:
        return finished_fit(run, asked.export_dir, say)
    with Interruptions() as interruptions:
        plan = make_text_plan(asked)
        session = Session(interruptions, say, callbacks)
        with describing_failures(plan.run, plan.config, "fit"), locked(plan.run):
            return _fit(plan, asked, session)


def _check_alone() -> None:
    """Raises a UsageError if several processes are to train together."""
    if current().count > 1:
        raise UsageError("A classifier of texts is trained by one process: omit --distributed.")


def _fit(plan: TextPlan, asked: FitConfig, session: Session) -> FitResult:
    """Does what `fit` does, for a run that this process has locked."""
    say, clock = session.say, session.clock
    say(describe_text_plan(plan) + "\n")
    clock.lap("data")
    run = prepare_text_run(plan, session, asked)
    train_fit(run)
    trained, metrics, probabilities = _evaluate(run)
    version = exported_before(plan.run, plan.config.export_dir)
    if version is None:
        # Also before the export: if it fails, `tfxfer export` can retry without training.
        write_metrics(plan.run, metrics, clock)
        texts = plan.source.splits["validation"].texts
        version = export_text_model(
            trained, plan.export_directory, texts, metrics, plan.config.min_accuracy
        )
        clock.lap("export")
    metrics = write_metrics(plan.run, replace(metrics, export=str(version)), clock)
    say(_summary(run, metrics))
    page = write_text_report(_findings(run, trained, metrics, probabilities))
    clock.lap("report")
    metrics = write_metrics(plan.run, metrics, clock)
    run.journal.close()
    say(_next_steps(plan, version, page))
    return FitResult(plan.run.path, plan.run.model, version, metrics.as_json())


def _evaluate(
    run: TextRun[TextPlan],
) -> tuple[TrainedTexts, FitMetrics, dict[str, np.ndarray]]:
    """Evaluates the trained classifier, calibrates it if `calibrate` is set, and saves it.

    Returns:
        The classifier, its metrics, and its probabilities by evaluated split.
    """
    plan, config, classifier = run.plan, run.plan.config, run.classifier
    names = [name for name in SCORED_SPLITS if name in run.examples]
    probabilities = {
        name: classifier.objective.activate(run.predictor(name).outputs()) for name in names
    }
    labels = {name: run.examples[name].labels for name in names}
    calibration = calibrate(probabilities, labels)
    if config.calibrate:
        divide_logits(classifier.head, calibration.temperature)
        probabilities = {
            name: apply_temperature(rows, calibration.temperature)
            for name, rows in probabilities.items()
        }
    model = classifier.with_probabilities()
    with replacing(plan.run.model) as temporary:
        model.save(temporary)
    run.clock.lap("evaluation")
    baseline = _baseline(run)
    best, notes = run.journal.history.best, run.journal.notes
    metrics = FitMetrics(
        splits={name: summarize(rows, labels[name]) for name, rows in probabilities.items()},
        calibration=replace(calibration, applied=config.calibrate),
        best=BestEpoch(best.phase, best.epoch) if best else None,
        data=DataRecord(plan.source.name, run.fingerprint, list(plan.source.notes)),
        num_classes=len(plan.source.class_names),
        parameters=Parameters(classifier.num_parameters(), notes.num_trained),
        penalty=notes.penalty,
        start_penalty=notes.start_penalty,
        further={"baseline": baseline.as_json()},
    )
    max_words = config.text.max_words
    trained = TrainedTexts(model, plan.source.class_names, plan.run.model, config, max_words)
    return trained, metrics, probabilities


def _baseline(run: TextRun[TextPlan]) -> Baseline:
    """Returns the baseline on the same splits, and says what it reaches."""
    splits = run.plan.source.splits
    texts = {name: split.texts for name, split in splits.items()}
    labels = {name: split.labels for name, split in splits.items()}
    baseline = fit_baseline(texts, labels, run.examples["train"].weights)
    run.clock.lap("baseline")
    return baseline


def _findings(
    run: TextRun[TextPlan],
    trained: TrainedTexts,
    metrics: FitMetrics,
    probabilities: dict[str, np.ndarray],
) -> TextFindings:
    """Returns what the report is written from."""
    source, name = run.plan.source, evaluation_split(probabilities)
    split = source.splits[name]
    result = evaluate_classes(
        source.name, name, source.class_names, probabilities[name], split.labels, unit=UNIT
    )
    return TextFindings(
        run=run.plan.run,
        config=run.plan.config,
        metrics=metrics,
        epochs=run.journal.history.epochs,
        scored=Scored(result, tuple(split.ids), tuple(split.texts)),
        counts={
            key: np.bincount(one.labels, minlength=len(source.class_names))
            for key, one in source.splits.items()
        },
        notes=source.notes,
        model=trained.model,
    )


def _summary(run: TextRun[TextPlan], metrics: FitMetrics) -> str:
    """Returns the scores, how they compare with the baseline, and where the results are."""
    plan, best = run.plan, run.journal.history.best
    split = evaluation_split(metrics.splits)
    baseline = Baseline.of_json(metrics.further["baseline"])
    lines = ["", *describe_scores(metrics.splits, UNIT)]
    if gap := describe_gap(metrics.splits, UNIT):
        lines.append(gap)
    if metrics.calibration:
        lines.append(describe_calibration(metrics.calibration, split))
    theirs = ", ".join(f"{name} accuracy {x:.4f}" for name, x in baseline.accuracy.items())
    lines += [
        plan_row("baseline", f"{NAME}: {theirs}"),
        plan_row("", baseline.verdict(split, metrics.splits[split].accuracy)),
    ]
    if best:
        lines.append(plan_row("best weights", f"{best.phase} phase, epoch {best.epoch}"))
    return "\n".join(
        [
            *lines,
            plan_row("duration", readable_duration(metrics.seconds)),
            plan_row("model", str(plan.run.model)),
            plan_row("export", str(metrics.export)),
        ]
    )


def _next_steps(plan: TextPlan, version: Path, page: Path) -> str:
    """Returns where the report is, and the next commands."""
    run = in_shell(plan.run.path)
    serve, ask = how_to_try(version)
    steps = {
        f"tfxfer predict {run} FILE...": "classify text files",
        f"tfxfer evaluate {run} --data DATA": "evaluate on other data",
        serve: "serve the export with TensorFlow Serving",
        ask: "send it an example request",
    }
    return describe_next_steps(page, steps)
