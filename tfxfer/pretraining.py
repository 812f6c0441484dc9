"""Pretrain: train a backbone from scratch on a source set, for later transfer."""

import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from tfxfer.card import backbone_card
from tfxfer.checkpoint import restore_checkpoint, save_checkpoint
from tfxfer.classifier import Classifier, in_float32
from tfxfer.config import PretrainConfig, to_toml
from tfxfer.data_record import describe_skipped, record_data
from tfxfer.history import History, PhaseRecorder
from tfxfer.loops import Judge, compiled_view, judge_logits, run_epochs, score_splits
from tfxfer.metrics import describe_scores
from tfxfer.pipeline import (
    Images,
    evaluation_batches,
    naming_unreadable_images,
    open_images,
    training_batches,
)
from tfxfer.plan import PretrainPlan, make_pretrain_plan
from tfxfer.precision import leave_gpu_to_jax
from tfxfer.progress import Clock, readable_seconds
from tfxfer.run_directory import replacing, start_run, write_json
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


def describe_plan(config: PretrainConfig) -> str:
    """Returns what `pretrain` would do, as text; nothing is written."""
    plan = make_pretrain_plan(config)
    return plan.describe(plan.build_classifier())


def pretrain(
    config: PretrainConfig | None = None, *, say: Say = print, **settings: Any
) -> PretrainResult:
    """Trains a backbone from random weights on a source set, saves it, and returns where it is.

    `tfxfer.pretrain(data="photos", backbone="resnet50", epochs=90)` does what
    `tfxfer pretrain --data photos --backbone resnet50 --epochs 90` does. A run that was interrupted
    goes on from its last epoch when the same settings are given again.

    Args:
        config: Settings; None for the defaults.
        say: Takes each line for the person who watches.
        **settings: Settings by name that win over `config`, sections as dictionaries.

    Raises:
        UsageError: A setting is wrong.
        RunError: Data or training failed; the message says what.
    """
    clock = Clock()
    leave_gpu_to_jax()
    plan = make_pretrain_plan((config or PretrainConfig()).with_settings(settings))
    classifier = plan.build_classifier()
    say(plan.describe(classifier) + "\n")
    splits = plan.source.splits
    images, skipped = open_images(splits, plan.config)
    start_run(plan.run, to_toml(plan.config), plan.source.class_names)
    record_data(plan.run, plan.source, images, skipped)
    for line in describe_skipped(plan.run, skipped):
        say(line)
    history = History(plan.run)
    clock.lap("data")
    with naming_unreadable_images(*splits.values()):
        _train(plan, classifier, images, history, say)
        history.close()
        clock.lap("training")
        metrics: dict[str, Any] = {
            **score_splits(classifier.with_probabilities(), images, plan.config.batch_size)
        }
        clock.lap("evaluation")
    metrics |= {
        "seconds": clock.seconds,
        "num_classes": len(plan.source.class_names),
        "parameters": {"total": classifier.num_parameters(), "trained": classifier.num_trainable()},
        "epoch": history.best.epoch if history.best else 0,
        "training_seconds": round(sum(epoch.seconds for epoch in history.epochs), 1),
    }
    with replacing(plan.run.backbone) as temporary:
        in_float32(classifier.backbone).save(temporary)
    with replacing(plan.run.card) as temporary:
        temporary.write_text(backbone_card(plan, metrics), encoding="utf-8")
    write_json(plan.run.metrics, metrics)
    plan.run.checkpoint.unlink(missing_ok=True)
    say(_summary(plan, metrics))
    return PretrainResult(plan.run.path, plan.run.backbone, metrics)


def _train(
    plan: PretrainPlan,
    classifier: Classifier,
    images: dict[str, Images],
    history: History,
    say: Say,
) -> None:
    """Trains everything for the epochs that are left; the best weights end up in the classifier."""
    config, run = plan.config, plan.run
    steps = math.ceil(len(images["train"]) / config.batch_size)
    view = compiled_view(classifier.model, config, steps, config.label_smoothing)
    done = 0
    if run.checkpoint.is_file():
        done = restore_checkpoint(view, run.checkpoint) // steps
        history.restore(done)
        say(f"goes on after epoch {done} of {config.epochs}")

    def keep_best() -> None:
        with replacing(run.best_weights) as temporary:
            classifier.model.save_weights(temporary)

    def checkpoint(epoch: int, logs: Mapping[str, float] | None) -> None:
        history.save()
        save_checkpoint(view, run.checkpoint)

    train, labels = images["train"], images["validation"].labels
    batches = evaluation_batches(images["validation"], config.batch_size)
    judge = Judge(classifier.model, batches, labels, config.batch_size, "validation")

    def validate() -> tuple[float, float]:
        return judge_logits(judge.outputs(), labels, config.label_smoothing)

    if done < config.epochs:
        run_epochs(
            view,
            config,
            training_batches(
                train.weighted(training_weights(train.split, "none")),
                config.batch_size,
                seed=config.seed,
                epochs=config.epochs,
                augment=config.augment,
                first_epoch=done,
            ),
            [
                PhaseRecorder(history, "pretrain", config.epochs, validate, keep_best, 0, say),
                # After the recorder: a checkpoint is of an epoch that is in the history.
                keras.callbacks.LambdaCallback(on_epoch_end=checkpoint),
            ],
            steps=steps,
            first_epoch=done,
        )
    classifier.model.load_weights(run.best_weights)


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
            f"--weights {shlex.quote(str(plan.run.backbone))} --data DATA",
        ]
    )
