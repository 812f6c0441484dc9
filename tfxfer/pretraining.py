"""Pretrain: train a backbone from scratch on a source set, for later transfer."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfxfer.card import backbone_card
from tfxfer.classifier import Classifier, copy_weights, in_float32
from tfxfer.config import PretrainConfig, to_toml
from tfxfer.data_record import describe_skipped, record_data
from tfxfer.interruption import Interruptions
from tfxfer.isolation import isolated
from tfxfer.journal import Journal
from tfxfer.loops import (
    Batches,
    Judge,
    PhaseTraining,
    finish,
    judge_logits,
    keeping_the_best,
    predict_splits,
)
from tfxfer.metrics import describe_scores, summarise
from tfxfer.names import in_shell
from tfxfer.pipeline import (
    Images,
    evaluation_batches,
    naming_unreadable_images,
    open_images,
    training_batches,
)
from tfxfer.places import note_places
from tfxfer.plan import PretrainPlan, asked_settings, make_pretrain_plan
from tfxfer.precision import leave_gpu_to_jax
from tfxfer.progress import Clock, readable_seconds
from tfxfer.run_directory import (
    locked,
    read_metrics,
    replacing,
    run_to_resume,
    start_run,
    write_json,
)
from tfxfer.streams import keep_going
from tfxfer.trouble import naming_trouble
from tfxfer.weighting import training_weights

Say = Callable[[str], None]


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
def describe_plan(config: PretrainConfig, *, resume: str | Path | None = None) -> str:
    """Returns what `pretrain` would do, as text; nothing is written."""
    plan = make_pretrain_plan(asked_settings(PretrainConfig, config, {}, resume))
    return plan.describe(plan.build_classifier())


@isolated
def pretrain(
    config: PretrainConfig | None = None,
    *,
    resume: str | Path | None = None,
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
    asked = asked_settings(PretrainConfig, config, settings, resume)
    if resume is not None and (run := run_to_resume(resume)).is_finished:
        say(f"The run '{run.path}' is finished.")
        return PretrainResult(run.path, run.backbone, read_metrics(run))
    with Interruptions() as interruptions:
        plan = make_pretrain_plan(asked)
        with naming_trouble(plan.run, plan.config, "pretrain"), locked(plan.run):
            return _pretrain(plan, interruptions, say, callbacks)


def _pretrain(
    plan: PretrainPlan,
    interruptions: Interruptions,
    say: Say,
    callbacks: Sequence[keras.callbacks.Callback],
) -> PretrainResult:
    """Does what `pretrain` does, of a run that this process has."""
    clock = Clock()
    classifier = plan.build_classifier()
    say(plan.describe(classifier) + "\n")
    splits, run = plan.source.splits, plan.run
    images, skipped = open_images(splits, plan.config)
    facts = {"data": plan.source.fingerprint(), "weights": classifier.digest()}
    journal = Journal(run, plan.config, facts, interruptions, say, callbacks)
    start_run(run, to_toml(plan.config), plan.source.class_names)
    note_places(run, plan.config)
    record_data(run, plan.source, images, skipped)
    for line in describe_skipped(run, skipped):
        say(line)
    history = journal.history
    clock.lap("data")
    with naming_unreadable_images(*splits.values()):
        _train(plan, classifier, images, journal)
        clock.lap("training")
        model = classifier.with_probabilities()
        found = predict_splits(model, images, plan.config.batch_size)
        metrics: dict[str, Any] = {
            name: summarise(probabilities, images[name].labels)
            for name, probabilities in found.items()
        }
        clock.lap("evaluation")
    metrics |= {
        "seconds": clock.seconds,
        "num_classes": len(plan.source.class_names),
        "parameters": {"total": classifier.num_parameters(), "trained": classifier.num_trainable()},
        "epoch": history.best.epoch if history.best else 0,
        "training_seconds": round(sum(epoch.seconds for epoch in history.epochs), 1),
    }
    with replacing(run.backbone) as temporary:
        in_float32(classifier.backbone).save(temporary)
    with replacing(run.card) as temporary:
        temporary.write_text(backbone_card(plan, metrics), encoding="utf-8")
    write_json(run.metrics, metrics)
    journal.close()
    say(_summary(plan, metrics))
    return PretrainResult(run.path, run.backbone, metrics)


def _train(
    plan: PretrainPlan, classifier: Classifier, images: dict[str, Images], journal: Journal
) -> None:
    """Trains everything for what is left; the best weights end up in the classifier."""
    config, model = plan.config, classifier.model
    labels = images["validation"].labels
    train = images["train"].weighted(training_weights(images["train"].split, "none"))
    judged = evaluation_batches(images["validation"], config.batch_size)
    exact = in_float32(model)  # as it is saved
    judge = Judge(exact, judged, labels, config.batch_size, "validation")

    def validate() -> tuple[float, float]:
        copy_weights(model, exact)
        return judge_logits(judge.outputs(), labels, config.label_smoothing)

    def batches(first: int, end: int, step: int) -> tf.data.Dataset:
        return training_batches(
            train,
            config.batch_size,
            seed=config.seed,
            epochs=end,
            augment=config.augment,
            first_epoch=first,
            first_step=step,
        )

    def save() -> None:
        with replacing(plan.run.best_weights) as temporary:
            model.save_weights(temporary)

    if not journal.is_past("pretrain"):
        steps = math.ceil(len(train) / config.batch_size)
        begun = journal.begin("pretrain")
        with keeping_the_best(journal, model, save, plan.run.best_weights):
            PhaseTraining(
                journal=journal,
                config=config,
                name="pretrain",
                phase=config,
                model=model,
                kept=model,
                batches=Batches(steps, batches),
                validate=validate,
            ).run(begun)
    finish(journal, model, plan.run.best_weights)


def _summary(plan: PretrainPlan, metrics: Mapping[str, Any]) -> str:
    """Returns what came out, where it is, and the next command to type."""
    return "\n".join(
        [
            "",
            *describe_scores(metrics),
            f"best epoch: {metrics['epoch']} of {plan.config.epochs}",
            f"trained for {readable_seconds(metrics['training_seconds'])}",
            f"backbone  {plan.run.backbone}",
            f"card      {plan.run.card}",
            "",
            "Next:",
            f"  tfxfer fit --backbone {plan.backbone.name} "
            f"--weights {in_shell(plan.run.backbone)} --data DATA",
        ]
    )
