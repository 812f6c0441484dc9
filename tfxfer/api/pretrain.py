"""`pretrain`: trains a backbone from scratch on a source dataset, for later transfer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from tfxfer.api.modality import by_backbone
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
from tfxfer.training.epochs.session import PretrainResult, Session
from tfxfer.training.preparation import PreparedRun, holding, prepare_run
from tfxfer.training.pretraining import predict_splits, train_epochs


@isolated
@by_backbone
def describe_plan(
    config: PretrainConfig, *, resume: str | Path | RunDirectory | None = None
) -> str:
    """Returns the plan of a pretraining as text, without writing files.

    Args:
        config: Settings.
        resume: An interrupted run to resume.

    Raises:
        UsageError: A setting is wrong, or differs from that of the run to resume.
    """
    plan = make_pretrain_plan(asked_settings(PretrainConfig, config, {}, resume))
    return plan.describe(plan.build_classifier())


@isolated
@by_backbone
def pretrain(
    config: PretrainConfig | None = None,
    *,
    resume: str | Path | RunDirectory | None = None,
    say: Say = print,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> PretrainResult:
    """Trains a backbone from scratch on a source dataset and saves it.

    An interrupted run is resumed when `pretrain` is called again with the same settings, or with
    `resume`.

    Args:
        config: Settings; None for the defaults.
        resume: An interrupted run to resume with its own settings.
        say: Called with each progress message.
        callbacks: Keras callbacks, as for `fit`.
        **settings: Settings by name, which override `config`; sections are dicts.

    Returns:
        The paths of the run and the backbone, and the metrics.

    Raises:
        UsageError: A setting is wrong, or differs from that of the run to resume.
        InterruptionError: Ctrl-C or SIGTERM; the message says how to resume.
        RunError: Data or training failed; the message says what.

    Examples:
        >>> import tfxfer
        >>> result = tfxfer.pretrain(data="photos", backbone="resnet50")  # doctest: +SKIP
        >>> tfxfer.fit(  # doctest: +SKIP
        ...     data="flowers", backbone="resnet50", weights=str(result.backbone)
        ... )
    """
    leave_gpu_to_jax()
    say = keep_going(say)
    run = None if resume is None else run_to_resume(resume)
    asked = asked_settings(PretrainConfig, config, settings, run)
    if run is not None and run.is_finished:
        say(f"The run '{run.path}' is already finished. To train again, use another --run.")
        return PretrainResult(run.path, run.backbone, read_metrics_json(run))
    with Interruptions() as interruptions:
        plan = make_pretrain_plan(asked)
        with holding(plan, "pretrain"):
            return _pretrain(plan, Session(interruptions, say, callbacks))


def _pretrain(plan: PretrainPlan, session: Session) -> PretrainResult:
    """Does what `pretrain` does, for a run that this process has locked."""
    say, clock = session.say, session.clock
    classifier = plan.build_classifier()
    say(plan.describe(classifier) + "\n")
    with naming_unreadable_images(*plan.source.splits.values()):
        run = prepare_run(plan, classifier, session)
        clock.lap("data")
        train_epochs(run)
        clock.lap("training")
        metrics = _evaluate(run)
    _save(run, metrics)
    run.journal.close()
    say(_summary(plan, metrics))
    return PretrainResult(plan.run.path, plan.run.backbone, metrics.as_json())


def _evaluate(run: PreparedRun[PretrainPlan]) -> PretrainMetrics:
    """Returns the metrics."""
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


def _save(run: PreparedRun[PretrainPlan], metrics: PretrainMetrics) -> None:
    """Saves the backbone and its card, and last the metrics, which mark the run as complete."""
    directory = run.plan.run
    with replacing(directory.backbone) as temporary:
        in_float32(run.classifier.backbone).save(temporary)
    with replacing(directory.card) as temporary:
        temporary.write_text(backbone_card(run.plan, metrics), encoding="utf-8")
    write_json(directory.metrics, metrics.as_json())


def _summary(plan: PretrainPlan, metrics: PretrainMetrics) -> str:
    """Returns the scores, where the results are, and the next command."""
    return "\n".join(
        [
            "",
            *describe_scores(metrics.splits),
            f"best            epoch {metrics.epoch} of {plan.config.epochs}",
            f"training time   {readable_seconds(metrics.training_seconds)}",
            f"backbone        {plan.run.backbone}",
            f"card            {plan.run.card}",
            "",
            "Next:",
            f"  tfxfer fit --backbone {plan.backbone.name} "
            f"--weights {in_shell(plan.run.backbone)} --data DATA",
        ]
    )
