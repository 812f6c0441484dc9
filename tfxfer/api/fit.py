"""`fit`: trains and exports an image classifier on a pretrained backbone."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from tfxfer.api.fitting.caution import with_caution
from tfxfer.api.fitting.contest import with_better_of_two
from tfxfer.api.fitting.summary import next_steps, summary
from tfxfer.api.fitting.together import (
    agreed,
    check_one_way,
    check_together,
    following,
    leading,
)
from tfxfer.api.modality import by_backbone
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import AUTO, FitConfig
from tfxfer.curation.grouping import near_copies_to_group
from tfxfer.curation.section.of_fit import DataOfFit
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.exporting.publishing import CHECK_IMAGES, export_saved_model
from tfxfer.planning.plan import Plan, make_plan
from tfxfer.planning.resuming import asked_settings
from tfxfer.planning.wording import plan_row
from tfxfer.ranking.decisions.augmenting import with_augmentation
from tfxfer.ranking.decisions.automatic import (
    describe_automatic,
    with_best_backbone,
    with_best_stages,
)
from tfxfer.ranking.decisions.dry_run import plan_in_words
from tfxfer.ranking.decisions.framing import Framing, framing_of, noted, recorded_fit
from tfxfer.ranking.folding.final import on_everything
from tfxfer.ranking.folding.fits import cross_validate_fits
from tfxfer.ranking.folding.heads import cross_validate
from tfxfer.ranking.folding.held_out import judged_on_validation
from tfxfer.ranking.result import Ranking
from tfxfer.reporting.writing import AnyFindings, draw, findings_of, write_report
from tfxfer.runs.metrics_record import write_metrics
from tfxfer.runs.naming import run_to_resume
from tfxfer.runs.scores.folds import FoldsRecord
from tfxfer.runs.versions import exported_before
from tfxfer.system.devices import leave_gpu_to_jax
from tfxfer.system.files import write_json
from tfxfer.system.isolation import isolated
from tfxfer.system.processes.following import interruptions
from tfxfer.system.processes.team import alone, is_first
from tfxfer.system.progress import Say
from tfxfer.system.run_layout import FRAMING, RunDirectory
from tfxfer.system.streams import keep_going
from tfxfer.system.timing.clock import Clock
from tfxfer.system.timing.timeline import span
from tfxfer.training.comparison import Comparison, compare_with_scratch
from tfxfer.training.epochs.session import FitResult, Session, finished_fit
from tfxfer.training.frozen.activations import ActivationSource
from tfxfer.training.preparation import holding
from tfxfer.training.transfer import PreparedFit, Trained, evaluate, prepare_fit, train_phases


@isolated
@by_backbone
def describe_plan(config: FitConfig, *, resume: str | Path | RunDirectory | None = None) -> str:
    """Returns the plan of a fit as text, without loading weights or writing files.

    Args:
        config: Settings.
        resume: An interrupted run to resume.

    Raises:
        UsageError: A setting is wrong, or differs from that of the run to resume.
    """
    asked = asked_settings(FitConfig, config, {}, resume)
    check_together(asked)
    if asked.backbone == AUTO:
        return describe_automatic(asked)
    plan = plan_in_words(asked)
    check_one_way(plan)
    return plan.describe(plan.build_classifier(weights="none"))


@isolated
@by_backbone
def fit(
    config: FitConfig | None = None,
    *,
    resume: str | Path | RunDirectory | None = None,
    say: Say = print,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> FitResult:
    """Trains an image classifier on a pretrained backbone and exports it.

    An interrupted run is resumed when `fit` is called again with the same settings, or with
    `resume`. It resumes exactly where it stopped; on a CPU the result is the same bit for bit.

    Args:
        config: Settings; None for the defaults.
        resume: An interrupted run to resume with its own settings.
        say: Called with each progress message.
        callbacks: Keras callbacks, such as those of Weights & Biases or MLflow. Each phase calls
            `model.fit` once, with gradual unfreezing each part of it; a head trained by L-BFGS does
            not. The logs of an epoch have "loss", "accuracy", "val_loss", "val_accuracy" and
            "learning_rate".
        **settings: Settings by name, which override `config`; sections are dicts.

    Returns:
        The paths of the run, the model and the export, and the metrics.

    Raises:
        UsageError: A setting is wrong, or differs from that of the run to resume.
        InterruptionError: Ctrl-C or SIGTERM; the message says how to resume.
        RunError: Data, weights, training or export failed; the message says what.

    Examples:
        >>> import tfxfer
        >>> result = tfxfer.fit(  # doctest: +SKIP
        ...     data="photos", backbone="resnet50", finetune={"epochs": 3}
        ... )
        >>> result.metrics["test"]["accuracy"]  # doctest: +SKIP
        0.9916434540389972
        >>> tfxfer.fit(resume="runs/photos-resnet50")  # doctest: +SKIP
    """
    leave_gpu_to_jax()
    say = keep_going(say)
    run = None if resume is None else run_to_resume(resume)
    asked = asked_settings(FitConfig, config, settings, run)
    if run is not None and run.is_finished:
        return finished_fit(run, asked.export_dir, say)
    check_together(asked)
    with interruptions() as received:
        config, ranking = with_best_backbone(asked, say)
        asked, ranking = with_better_of_two(asked, config, ranking, received, say)
        asked = recorded_fit(asked)
        with span("make the plan"):
            with alone():
                near_copies = near_copies_to_group(asked)
            plan = make_plan(asked, near_copies)
            framing = framing_of(plan, asked, say)
            if framing is not None:
                asked = replace(asked, fit_images=framing.fit)
                if framing.fit != plan.config.fit_images:
                    plan = make_plan(asked, near_copies)
            plan = agreed(plan)
        session = Session(received, say, callbacks)
        if not is_first():
            return following(plan, session)
        with holding(plan, "fit"):
            return leading(_fit(noted(plan, framing), asked, ranking, framing, session))


def _fit(
    plan: Plan,
    asked: FitConfig,
    ranking: Ranking | None,
    framing: Framing | None,
    session: Session,
) -> FitResult:
    """Does what `fit` does, for a run that this process has locked."""
    say, clock = session.say, session.clock
    with span("build the network"):
        classifier = plan.build_classifier(plan.config.weights)
    say(plan.describe(classifier) + "\n")
    clock.lap("data")
    with naming_unreadable_images(*plan.source.splits.values()):
        fitting = prepare_fit(plan, classifier, session, asked)
        if ranking is not None:
            write_json(plan.run.ranking, ranking.as_json())
        if framing is not None:
            write_json(plan.run.decision(FRAMING), framing.as_json())
        examined = DataOfFit.of(fitting)
        fitting = with_best_stages(with_augmentation(fitting, asked, say), session)
        fitting, folds = _cross_validate(fitting, session)
        phases = train_phases(fitting)
    with alone():
        return _finish(phases, folds, examined, session)


def _finish(
    phases: tuple[PreparedFit, ActivationSource],
    folds: FoldsRecord | None,
    examined: DataOfFit | None,
    session: Session,
) -> FitResult:
    """Evaluates, exports and reports a fit whose phases are done."""
    say, clock, fitting = session.say, session.clock, phases[0]
    plan = fitting.run.plan
    with naming_unreadable_images(*plan.source.splits.values()):
        trained = with_caution(evaluate(*phases), session)
    trained = replace(trained, metrics=replace(trained.metrics, folds=folds))
    findings = _findings(trained)

    def prepare_report() -> None:
        if examined is not None:
            examined.write_findings(trained, say)
        with span("draw the report"):
            draw(findings)

    version = _export(trained, clock, meanwhile=prepare_report)
    metrics = write_metrics(plan.run, replace(trained.metrics, export=str(version)), clock)
    say(summary(trained, metrics, fitting.run.skipped))
    if plan.config.compare_scratch:
        comparison = _compare(trained, session)
        metrics = write_metrics(plan.run, replace(metrics, comparison=comparison.record()), clock)
        say(f"{comparison.describe()}\n")
    with naming_unreadable_images(*plan.source.splits.values()):
        page = write_report(replace(findings, metrics=metrics))
    clock.lap("report")
    metrics = write_metrics(plan.run, metrics, clock)
    trained.journal.close()
    say(next_steps(plan, version, page))
    return FitResult(plan.run.path, plan.run.model, version, metrics.as_json())


def _cross_validate(
    fitting: PreparedFit, session: Session
) -> tuple[PreparedFit, FoldsRecord | None]:
    """Returns the fit that follows a cross-validation, and its scores; None without one."""
    num_folds = fitting.materials.config.folds
    if not num_folds:
        return fitting, None
    if fitting.materials.config.folds_finetune:
        found = cross_validate_fits(fitting, session)
    else:
        found = cross_validate(fitting.materials, num_folds)
    session.say(plan_row("folds", found.record.describe()) + "\n")
    found = judged_on_validation(fitting, found, session)
    session.clock.lap("folds")
    return on_everything(fitting, found), found.record


def _export(trained: Trained, clock: Clock, meanwhile: Callable[[], None]) -> Path:
    """Exports a trained model, unless that was done before an interruption; returns the path.

    Args:
        trained: The model.
        clock: Of the run.
        meanwhile: Called while the export is checked.
    """
    plan = trained.plan
    version = exported_before(plan.run, plan.config.export_dir)
    if version is not None:
        return version
    # Also before the export: if it fails, `tfxfer export` can retry without training.
    write_metrics(plan.run, trained.metrics, clock)
    with naming_unreadable_images(*plan.source.splits.values()):
        version = export_saved_model(
            trained.classifier(),
            plan.export_directory,
            trained.images.get("validation", trained.images["train"]).encoded(CHECK_IMAGES),
            trained.metrics,
            plan.config.min_accuracy,
            meanwhile,
        )
    clock.lap("export")
    return version


def _compare(trained: Trained, session: Session) -> Comparison:
    """Returns how much pretraining helped."""
    config, run = trained.plan.config, trained.plan.run
    # The settings of a resumed run are all decided; those the user gave are in the run.
    first_asked = replace(
        read_recipe(run.asked, FitConfig()),
        **{key: config.get(key) for key in ("data", "data_dir", "weights", "cache_dir")},
    ).with_settings({"augment": {"flip": config.augment.flip}})
    comparison = compare_with_scratch(first_asked, trained, session.interruptions, session.say)
    session.clock.lap("comparison")
    return comparison


def _findings(trained: Trained) -> AnyFindings:
    """Returns what the report is written from, with the metrics before the export."""
    plan, images, result = trained.plan, trained.images, trained.result()
    return findings_of(
        result,
        run=plan.run,
        config=plan.config,
        metrics=trained.metrics,
        epochs=trained.journal.history.epochs,
        model=trained.model,
        images=trained.evaluated(result.split),
        labels={split: one.labels for split, one in images.items()},
        notes=plan.source.notes,
    )
