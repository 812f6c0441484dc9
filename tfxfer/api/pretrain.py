"""Pretrain: train a backbone from scratch on a source set, for later transfer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from tfxfer.config.schema import PretrainConfig
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.evaluation.metrics import describe_scores, summarize
from tfxfer.models.layers import in_float32
from tfxfer.planning.plan import PretrainPlan, make_pretrain_plan
from tfxfer.planning.resuming import asked_settings
from tfxfer.reporting.backbone_card import backbone_card
from tfxfer.runs.metrics_record import Parameters, PretrainMetrics, read_metrics_json
from tfxfer.runs.naming import run_to_resume
from tfxfer.system.devices import leave_gpu_to_jax
from tfxfer.system.files import replacing, write_json
from tfxfer.system.isolation import isolated
from tfxfer.system.names import in_shell
from tfxfer.system.progress import Say, readable_seconds
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.system.streams import keep_going
from tfxfer.training.beginning import BegunRun, Session, begin_run, holding
from tfxfer.training.epochs.validation import predict_splits
from tfxfer.training.pretraining import train_epochs


@dataclass(frozen=True)
class PretrainResult:
    """Where a pretraining's results are, and what came out.

    Attributes:
        run: The run's directory.
        backbone: The `.keras` file of the backbone without classifier, for `--weights`.
        metrics: What `metrics.json` holds.
    """

    run: Path
    backbone: Path
    metrics: Mapping[str, Any]


@isolated
def describe_plan(
    config: PretrainConfig, *, resume: str | Path | RunDirectory | None = None
) -> str:
    """Returns what `pretrain` would do, as text; nothing is written."""
    plan = make_pretrain_plan(asked_settings(PretrainConfig, config, {}, resume))
    return plan.describe(plan.build_classifier())


@isolated
def pretrain(
    config: PretrainConfig | None = None,
    *,
    resume: str | Path | RunDirectory | None = None,
    say: Say = print,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> PretrainResult:
    """Trains a backbone from random weights on a source set, saves it, and returns where it is.

    `tfxfer.pretrain(data="photos", backbone="resnet50", epochs=90)` does what
    `tfxfer pretrain --data photos --backbone resnet50 --epochs 90` does. A run that was interrupted
    goes on where it was when the same settings are given again.

    Args:
        config: Settings; None for the defaults.
        resume: An interrupted run to go on with, under its own settings.
        say: Takes each line for the person who watches.
        callbacks: Keras' own, as for `fit`.
        **settings: Settings by name that win over `config`, sections as dictionaries.

    Raises:
        UsageError: A setting is wrong, or is not that of the run to go on with.
        InterruptionError: Ctrl-C or SIGTERM; the message says how to go on.
        RunError: Data or training failed; the message says what.
    """
    leave_gpu_to_jax()
    say = keep_going(say)
    run = None if resume is None else run_to_resume(resume)
    asked = asked_settings(PretrainConfig, config, settings, run)
    if run is not None and run.is_finished:
        say(f"The run '{run.path}' is finished.")
        return PretrainResult(run.path, run.backbone, read_metrics_json(run))
    with Interruptions() as interruptions:
        plan = make_pretrain_plan(asked)
        with holding(plan, "pretrain"):
            return _pretrain(plan, Session(interruptions, say, callbacks))


def _pretrain(plan: PretrainPlan, session: Session) -> PretrainResult:
    """Does what `pretrain` does, of a run that this process has."""
    say, clock = session.say, session.clock
    classifier = plan.build_classifier()
    say(plan.describe(classifier) + "\n")
    with naming_unreadable_images(*plan.source.splits.values()):
        run = begin_run(plan, classifier, session)
        clock.lap("data")
        train_epochs(run)
        clock.lap("training")
        metrics = _evaluate(run)
    _save(run, metrics)
    run.journal.close()
    say(_summary(plan, metrics))
    return PretrainResult(plan.run.path, plan.run.backbone, metrics.as_json())


def _evaluate(run: BegunRun[PretrainPlan]) -> PretrainMetrics:
    """Returns what came out."""
    plan, classifier, history = run.plan, run.classifier, run.journal.history
    found = predict_splits(classifier.with_probabilities(), run.images, plan.config.batch_size)
    scores = {
        name: summarize(probabilities, run.images[name].labels)
        for name, probabilities in found.items()
    }
    run.clock.lap("evaluation")
    return PretrainMetrics(
        splits=scores,
        seconds=run.clock.seconds,
        num_classes=len(plan.source.class_names),
        parameters=Parameters(classifier.num_parameters(), classifier.num_trainable()),
        epoch=history.best.epoch if history.best else 0,
        training_seconds=round(sum(epoch.seconds for epoch in history.epochs), 1),
    )


def _save(run: BegunRun[PretrainPlan], metrics: PretrainMetrics) -> None:
    """Saves the backbone, its card and what came out; the last says that the rest is whole."""
    directory = run.plan.run
    with replacing(directory.backbone) as temporary:
        in_float32(run.classifier.backbone).save(temporary)
    with replacing(directory.card) as temporary:
        temporary.write_text(backbone_card(run.plan, metrics), encoding="utf-8")
    write_json(directory.metrics, metrics.as_json())


def _summary(plan: PretrainPlan, metrics: PretrainMetrics) -> str:
    """Returns what came out, where it is, and the next command to type."""
    return "\n".join(
        [
            "",
            *describe_scores(metrics.splits),
            f"best epoch: {metrics.epoch} of {plan.config.epochs}",
            f"trained for {readable_seconds(metrics.training_seconds)}",
            f"backbone  {plan.run.backbone}",
            f"card      {plan.run.card}",
            "",
            "Next:",
            f"  tfxfer fit --backbone {plan.backbone.name} "
            f"--weights {in_shell(plan.run.backbone)} --data DATA",
        ]
    )
