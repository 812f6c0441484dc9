"""The plan of a fit or a pretraining: every setting decided before any work starts."""

import dataclasses
import math
import pathlib
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tfxfer.config.decided import DecidedFit, DecidedHead, DecidedPretrain, DecidedRun
from tfxfer.config.frame import settled, sides, size_words
from tfxfer.config.schema import FitConfig, PretrainConfig, RunConfig
from tfxfer.data.contents import NearCopyGroups
from tfxfer.data.opening import open_source
from tfxfer.data.source import Source
from tfxfer.data.weighting import without_weightless
from tfxfer.models.backbones.arithmetic import gains_from_bfloat16
from tfxfer.models.backbones.backbone import Backbone, head_stages
from tfxfer.models.classifier import Classifier, build_classifier
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.models.replicas.choosing import choose_compilation, choose_devices
from tfxfer.planning.defaults import decide, decide_pretraining
from tfxfer.planning.description import (
    describe_augmentation,
    describe_changes,
    describe_data,
    describe_folds,
    describe_model,
    describe_phases,
    describe_served,
    describe_unknown,
)
from tfxfer.planning.labels_description import describe_class_weights, describe_objective
from tfxfer.planning.opened_data import check_content, check_number_of_images
from tfxfer.planning.portfolio import Portfolio, make_portfolio
from tfxfer.planning.preflight import check_settings
from tfxfer.planning.resuming import choose_run, first_asked
from tfxfer.planning.rules.facts import Facts
from tfxfer.planning.several_labels import checked_labels, objective_of, refuse_several_labels
from tfxfer.planning.ways.description import describe_search
from tfxfer.planning.wording import (
    describe_arithmetic,
    describe_budget,
    describe_comparison,
    describe_devices,
    describe_regularization,
    describe_results,
    describe_schedule,
    plan_row,
)
from tfxfer.runs.versions import next_version
from tfxfer.system.devices import choose_precision, tell_of_missing_gpus
from tfxfer.system.files import check_writable
from tfxfer.system.run_layout import RunDirectory


@dataclass(frozen=True)
class Plan:
    """A fit that is ready to run.

    Attributes:
        config: All settings, decided.
        source: The opened data.
        backbone: The record of the backbone.
        run: The directory of the results, which may not exist yet.
        portfolio: The ways to fine-tune among which a search chooses; None without a search.
    """

    config: DecidedFit
    source: Source
    backbone: Backbone
    run: RunDirectory
    portfolio: Portfolio | None = None

    @property
    def objective(self) -> Objective:
        """What the head is trained for, as the labels ask."""
        return objective_of(self.source, self.config)

    @property
    def export_directory(self) -> pathlib.Path:
        """The folder of the exported versions of this model."""
        return pathlib.Path(self.config.export_dir, self.run.path.name)

    def with_note(self, note: str) -> "Plan":
        """Returns the plan with one more note on its data, for the plan's text and the report."""
        notes = (*self.source.notes, note)
        return dataclasses.replace(self, source=dataclasses.replace(self.source, notes=notes))

    def build_classifier(self, weights: str) -> Classifier:
        """Returns a new classifier of this plan, its backbone with the given weights."""
        num_classes, head = len(self.source.class_names), self.config.head
        return build_classifier(
            self.backbone, self.config, head, weights, num_classes, self.objective
        )

    def describe(self, classifier: Classifier) -> str:
        """Returns the plan as text. The classifier is not changed."""
        export = self.export_directory / str(next_version(self.export_directory))
        lines = [
            *describe_data(self.source, self.config),
            *self._describe_near_copies(),
            *describe_model(self.backbone, self.config, classifier),
            *describe_objective(self.objective, self.source, self.config.task_weights),
            *describe_phases(self.backbone, self.config, classifier),
            *(describe_search(self.portfolio) if self.portfolio else []),
            *describe_class_weights(self.source, self.config.class_weights),
            plan_row("augmentation", self._describe_augmentation()),
            plan_row("precision", describe_arithmetic(self.config)),
            *describe_devices(
                choose_devices(self.config, self.objective).describe(self.config.batch_size)
            ),
            *describe_folds(self.config, self.source),
            *describe_unknown(self.config, self.source),
            *describe_comparison(self.config, len(self.source.splits["train"])),
            *describe_budget(self.config, searched=bool(self.portfolio and self.portfolio.further)),
            *describe_results(self.run),
            plan_row("export", str(export)),
            *describe_served(self.config),
        ]
        return "\n".join(lines)

    def _describe_augmentation(self) -> str:
        config = self.config
        changes = describe_augmentation(config.finetune, config.augment)
        return f"{changes} (finetune phase)" if changes and config.finetune.epochs else "none"

    def _describe_near_copies(self) -> list[str]:
        """Returns a line on near copies that stay together, or no line if they do not."""
        if not self.config.group_near_copies:
            return []
        near = self.source.near_copies
        if near is None:  # a dry run computes no features
            return [plan_row("near copies", "found before training; then the splits may differ")]
        num_groups, num_images = len(np.unique(near.numbers)), len(near.numbers)
        groups = "1 group" if num_groups == 1 else f"{num_groups:,} groups"
        return [
            plan_row("near copies", f"{groups} of {num_images:,} images, each kept in one split")
        ]


@dataclass(frozen=True)
class PretrainPlan:
    """A pretraining that is ready to run, or to be resumed.

    Attributes:
        config: All settings, decided.
        source: The opened data.
        backbone: The record of the backbone.
        run: The directory of the results. It exists already if an interrupted run is resumed.
    """

    config: DecidedPretrain
    source: Source
    backbone: Backbone
    run: RunDirectory

    def build_classifier(self) -> Classifier:
        """Returns a new classifier with random weights, all trainable."""
        # No dropout: with many images, augmentation and weight decay are regularization enough.
        head = DecidedHead(epochs=0, dropout=0.0)
        num_classes = len(self.source.class_names)
        classifier = build_classifier(self.backbone, self.config, head, "none", num_classes)
        classifier.unfreeze("all", "adapt")
        return classifier

    def describe(self, classifier: Classifier) -> str:
        """Returns the plan as text."""
        config = self.config
        batches = f"batch size {config.batch_size:,}, label smoothing {config.label_smoothing:g}"
        lines = [
            *describe_data(self.source, config),
            plan_row(
                "backbone",
                f"{self.backbone.name}, random weights, {size_words(config.image_size)} pixels, "
                f"{classifier.num_trainable():,} trainable parameters",
            ),
            plan_row("training", describe_schedule(config)),
            plan_row("", ", ".join([batches, *describe_regularization(config)])),
            plan_row("augmentation", ", ".join(describe_changes(config.augment)) or "none"),
            plan_row("precision", describe_arithmetic(config)),
            *describe_devices(choose_devices(config, SOFTMAX).describe(config.batch_size)),
            *describe_budget(config),
            *describe_results(self.run),
        ]
        return "\n".join(lines)


def make_plan(config: FitConfig, near_copies: NearCopyGroups | None = None) -> Plan:
    """Returns the plan of a fit: settings checked, data opened, open settings decided.

    An interrupted run with the same settings is resumed. Nothing is written and no weights are
    loaded.

    Args:
        config: The settings that the user gave.
        near_copies: What is to stay in one split; None where it was not looked for.

    Raises:
        UsageError: A setting is impossible, or names something that does not exist.
        DataError: The data cannot be used.
    """
    backbone = check_settings(config)
    config = dataclasses.replace(config, fit_images=settled(config.fit_images))
    config, source = checked_labels(config, without_weightless(open_source(config, near_copies)))
    check_number_of_images(config, source)
    check_content(FitConfig, config, source)
    facts = facts_of(source, backbone, config)
    decided = decide(config, facts)
    num_train, epochs = len(source.splits["train"]), decided.finetune.epochs
    here = _on_this_machine(decided, backbone, num_train, epochs)
    decided = dataclasses.replace(decided, **here)
    choose_devices(decided, objective_of(source, decided))
    run = choose_run(FitConfig, decided, f"{source.name}-{backbone.file_name}")
    decided, portfolio = dataclasses.replace(decided, run=run.path.name), None
    if decided.effort != "quick":
        portfolio = make_portfolio(decided, first_asked(run, config), facts)
    plan = Plan(decided, source, backbone, run, portfolio)
    check_writable(plan.export_directory, "export_dir")
    return plan


def make_pretrain_plan(config: PretrainConfig) -> PretrainPlan:
    """Returns the plan of a pretraining, as `make_plan` does for a fit.

    Args:
        config: The settings that the user gave.

    Raises:
        UsageError: A setting is impossible, or names something that does not exist.
        DataError: The data cannot be used.
    """
    backbone = check_settings(config)
    config = dataclasses.replace(config, fit_images=settled(config.fit_images))
    # Pretraining has no setting `class_weights`, but the data may have example weights.
    source = without_weightless(open_source(config))
    refuse_several_labels(source, "`tfxfer pretrain`")
    check_content(PretrainConfig, config, source)
    decided = decide_pretraining(config, facts_of(source, backbone, config))
    here = _on_this_machine(decided, backbone, len(source.splits["train"]), decided.epochs)
    decided = dataclasses.replace(decided, **here)
    choose_devices(decided, SOFTMAX)
    run = choose_run(PretrainConfig, decided, f"{source.name}-{backbone.file_name}-pretrain")
    return PretrainPlan(dataclasses.replace(decided, run=run.path.name), source, backbone, run)


def _on_this_machine(
    config: DecidedRun, backbone: Backbone, num_train: int, epochs: int
) -> dict[str, Any]:
    """Returns the settings that depend on the machine, and the exact name of the backbone.

    Args:
        config: Settings that the rules have decided.
        backbone: The record of the backbone.
        num_train: Training images.
        epochs: How often the backbone trains on each.
    """
    tell_of_missing_gpus()
    gains = partial(gains_from_bfloat16, backbone, config.image_size, num_train, epochs)
    num_pixels = num_train * epochs * math.prod(sides(config.image_size))
    return {
        "backbone": backbone.name,
        "precision": choose_precision(config.precision, gains),
        "xla": choose_compilation(config, num_pixels),
    }


def facts_of(source: Source, backbone: Backbone, config: RunConfig) -> Facts:
    """Returns what the rules of `defaults` need to know of data and a backbone.

    Args:
        source: The data.
        backbone: The record of the backbone.
        config: The settings; how images are fitted, and what the head reads.
    """
    # The side that counts is that of what the model sees of an image.
    seen = min if settled(config.fit_images) == "crop" else max
    read = config.head.stages if isinstance(config, FitConfig) else None
    return Facts(
        num_train=len(source.splits["train"]),
        num_validation=len(source.splits["validation"]),
        num_classes=len(source.class_names),
        # Earlier stages are not wider than the last.
        num_features=backbone.num_features * len(head_stages(backbone.stage_names, read)),
        side=seen(source.image_height_width),
        mirrored=source.mirrored,
        native_size=backbone.native_size,
        min_size=backbone.min_size,
        last_resolution=backbone.last_resolution,
        weights_name=backbone.weights_name,
        stages=backbone.stage_names,
        batch_norm=backbone.batch_norm,
    )
