"""`fit`: from data and a backbone to a classifier that is ready to serve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.data.image.readability import Unreadable, naming_unreadable_images
from tfxfer.data.record import describe_skipped
from tfxfer.errors import UsageError
from tfxfer.evaluation.calibration import describe_calibration
from tfxfer.evaluation.metrics import describe_scores
from tfxfer.evaluation.scoring import evaluate_predictions
from tfxfer.exporting.clients import how_to_try
from tfxfer.exporting.publishing import CHECK_IMAGES, export_saved_model
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.planning.plan import Plan, make_plan
from tfxfer.planning.resuming import asked_settings
from tfxfer.reporting.findings import Findings
from tfxfer.reporting.writing import write_report
from tfxfer.runs.history import History
from tfxfer.runs.metrics_record import FitMetrics, judging_split, read_metrics
from tfxfer.runs.naming import run_to_resume
from tfxfer.system.devices import leave_gpu_to_jax
from tfxfer.system.files import write_json
from tfxfer.system.isolation import isolated
from tfxfer.system.names import in_shell
from tfxfer.system.progress import Clock, Say, readable_seconds
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.system.streams import keep_going
from tfxfer.training.beginning import Session, holding
from tfxfer.training.comparison import Comparison, compare_with_scratch
from tfxfer.training.transfer import Trained, begin_fit, evaluate, train_phases


@dataclass(frozen=True)
class FitResult:
    """Where a fit's results are, and what came out.

    Attributes:
        run: The run's directory.
        model: The `.keras` file: RGB in [0, 255] in, probabilities out.
        export: The version directory of the SavedModel.
        metrics: What `metrics.json` holds.
    """

    run: Path
    model: Path
    export: Path
    metrics: Mapping[str, Any]


@isolated
def describe_plan(config: FitConfig, *, resume: str | Path | RunDirectory | None = None) -> str:
    """Returns what `fit` would do, as text; no weights are loaded and nothing is written."""
    plan = make_plan(asked_settings(FitConfig, config, {}, resume))
    return plan.describe(plan.build_classifier(weights="none"))


@isolated
def fit(
    config: FitConfig | None = None,
    *,
    resume: str | Path | RunDirectory | None = None,
    say: Say = print,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> FitResult:
    """Trains a classifier on a pretrained backbone, exports it, and returns where it is.

    `tfxfer.fit(data="photos", backbone="resnet50", finetune={"epochs": 3})` does what
    `tfxfer fit --data photos --backbone resnet50 --finetune-epochs 3` does. A run that was
    interrupted goes on where it was when the same settings are given again; on a CPU it ends as it
    would have, bit for bit.

    Args:
        config: Settings; None for the defaults.
        resume: An interrupted run to go on with, under its own settings.
        say: Takes each line for the person who watches.
        callbacks: Keras' own, such as those of Weights & Biases or MLflow. Each phase is a `fit` of
            its own for them; of a head that is solved they are not told. The logs of
            an epoch have "loss", "accuracy", "val_loss", "val_accuracy" and "learning_rate".
        **settings: Settings by name that win over `config`, sections as dictionaries.

    Raises:
        UsageError: A setting is wrong, or is not that of the run to go on with.
        InterruptionError: Ctrl-C or SIGTERM; the message says how to go on.
        RunError: Data, weights, training or export failed; the message says what.
    """
    leave_gpu_to_jax()
    say = keep_going(say)
    run = None if resume is None else run_to_resume(resume)
    asked = asked_settings(FitConfig, config, settings, run)
    if run is not None and run.is_finished:
        say(f"The run '{run.path}' is finished.")
        metrics = read_metrics(run)
        if metrics.export is None:
            raise UsageError(
                f"The run '{run.path}' is finished, but was never exported: "
                f"`tfxfer export {in_shell(run.path)}` does that."
            )
        export = _where_exported(metrics.export, asked)
        return FitResult(run.path, run.model, export, metrics.as_json())
    with Interruptions() as interruptions:
        plan = make_plan(asked)
        with holding(plan, "fit"):
            return _fit(plan, asked, Session(interruptions, say, callbacks))


def _fit(plan: Plan, asked: FitConfig, session: Session) -> FitResult:
    """Does what `fit` does, of a run that this process has."""
    say, clock = session.say, session.clock
    classifier = plan.build_classifier(plan.config.weights)
    say(plan.describe(classifier) + "\n")
    clock.lap("data")
    with naming_unreadable_images(*plan.source.splits.values()):
        fitting = begin_fit(plan, classifier, session, asked)
        trained = evaluate(fitting, train_phases(fitting))
    version = _export(trained, clock)
    metrics = _write_metrics(plan, replace(trained.metrics, export=str(version)), clock)
    say(_summary(plan, trained.journal.history, metrics, fitting.run.skipped))
    if plan.config.compare_scratch:
        comparison = _compare(trained, session)
        metrics = _write_metrics(plan, replace(metrics, comparison=comparison.record()), clock)
        say(f"{comparison.describe()}\n")
    page = _report(trained, metrics)
    clock.lap("report")
    metrics = _write_metrics(plan, metrics, clock)
    trained.journal.close()
    say(_next_steps(plan, version, page))
    return FitResult(plan.run.path, plan.run.model, version, metrics.as_json())


def _export(trained: Trained, clock: Clock) -> Path:
    """Exports what was trained, unless that was done before an interruption; returns where."""
    plan = trained.plan
    version = _exported_before(plan)
    if version is not None:
        return version
    # Before the export too: should it fail, `tfxfer export` tries again without training.
    _write_metrics(plan, trained.metrics, clock)
    with naming_unreadable_images(*plan.source.splits.values()):
        examples = trained.images["validation"].encoded(CHECK_IMAGES)
    version = export_saved_model(
        TrainedClassifier(trained.model, plan.source.class_names, plan.run.model, plan.config),
        plan.export_directory,
        examples,
        trained.metrics,
        plan.config.min_accuracy,
    )
    clock.lap("export")
    return version


def _write_metrics(plan: Plan, metrics: FitMetrics, clock: Clock) -> FitMetrics:
    """Writes what came out, with the seconds so far, and returns it."""
    metrics = replace(metrics, seconds=clock.seconds)
    write_json(plan.run.metrics, metrics.as_json())
    return metrics


def _compare(trained: Trained, session: Session) -> Comparison:
    """Returns what transfer was worth."""
    config, run = trained.plan.config, trained.plan.run
    # A run that is resumed is asked for by settings that are all decided.
    first_asked = replace(
        read_recipe(run.asked, FitConfig()),
        **{key: config.get(key) for key in ("data", "data_dir", "weights", "cache_dir")},
    )
    comparison = compare_with_scratch(first_asked, trained, session.interruptions, session.say)
    session.clock.lap("comparison")
    return comparison


def _exported_before(plan: Plan) -> Path | None:
    """Returns the export that a run had published when it was interrupted."""
    if not plan.run.metrics.is_file():
        return None
    said = read_metrics(plan.run).export
    version = None if said is None else _where_exported(said, plan.config)
    return version if version is not None and version.is_dir() else None


def _where_exported(said: str, config: FitConfig) -> Path:
    """Returns where an export lies, from the path that was written down in another directory.

    Args:
        said: The path, which may be relative to the directory in which the run was started.
        config: The settings of the run, whose paths lead there from here.
    """
    return Path(config.export_dir, *Path(said).parts[-2:])  # its name, and its version


def _report(trained: Trained, metrics: FitMetrics) -> Path:
    """Writes the page that a person reads, from what is in memory, and returns where it is."""
    plan, source, images = trained.plan, trained.plan.source, trained.images
    name = judging_split(trained.probabilities)
    probabilities, labels = trained.probabilities[name], images[name].labels
    findings = Findings(
        run=plan.run,
        config=plan.config,
        metrics=metrics,
        epochs=trained.journal.history.epochs,
        model=trained.model,
        result=evaluate_predictions(source.name, name, source.class_names, probabilities, labels),
        images=images[name],
        labels={split: one.labels for split, one in images.items()},
        notes=source.notes,
    )
    with naming_unreadable_images(*source.splits.values()):
        return write_report(findings)


def _summary(plan: Plan, history: History, metrics: FitMetrics, skipped: list[Unreadable]) -> str:
    """Returns what came out and where it is."""
    best = history.best
    calibration = []
    if metrics.calibration:
        split = judging_split(metrics.splits)
        calibration = [describe_calibration(metrics.calibration, split)]
    return "\n".join(
        [
            "",
            *describe_scores(metrics.splits),
            *calibration,
            *describe_skipped(plan.run, skipped),
            f"best epoch: {best.epoch} of the {best.phase} phase" if best else "",
            f"took {readable_seconds(metrics.seconds['total'])}",
            f"model   {plan.run.model}",
            f"export  {metrics.export}",
        ]
    )


def _next_steps(plan: Plan, version: Path, page: Path) -> str:
    """Returns where the report is, and the commands to type next."""
    run = in_shell(plan.run.path)
    commands = [
        f"tfxfer predict {run} IMAGE...",
        f"tfxfer evaluate {run}",
        f"tensorboard --logdir {run}",
        *how_to_try(version),
    ]
    return "\n".join([f"report  {page}", "", "Next:", *(f"  {command}" for command in commands)])
