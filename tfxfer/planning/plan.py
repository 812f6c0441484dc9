"""What a fit or a pretraining will do, decided to the last number before any work starts."""

import dataclasses
import pathlib
from dataclasses import dataclass
from typing import Any

from tfxfer.config.decided import DecidedFit, DecidedHead, DecidedPretrain, DecidedRun
from tfxfer.config.schema import AnyConfig, FitConfig, PretrainConfig
from tfxfer.data.opening import open_source
from tfxfer.data.seen import read_seen
from tfxfer.data.source import Source
from tfxfer.data.weighting import balanced_weights, without_weightless
from tfxfer.errors import UsageError
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.classifier import Classifier, build_classifier
from tfxfer.planning.defaults import Facts, decide, decide_pretraining
from tfxfer.planning.description import (
    describe_arithmetic,
    describe_budget,
    describe_changes,
    describe_data,
    describe_model,
    describe_phases,
    describe_regularisation,
    describe_results,
    describe_schedule,
    plan_row,
)
from tfxfer.planning.preflight import check_settings
from tfxfer.planning.resuming import choose_run
from tfxfer.runs.places import run_settings
from tfxfer.runs.versions import next_version
from tfxfer.system.devices import choose_precision, choose_xla, tell_of_missing_gpus
from tfxfer.system.files import check_writable
from tfxfer.system.run_layout import RunDirectory


@dataclass(frozen=True)
class Plan:
    """A fit that is ready to run.

    Attributes:
        config: Every setting, decided.
        source: The data, opened.
        backbone: The row of the backbone table.
        run: The directory of the results, not made yet.
    """

    config: DecidedFit
    source: Source
    backbone: Backbone
    run: RunDirectory

    @property
    def export_directory(self) -> pathlib.Path:
        """Where the versions of this model's export go."""
        return pathlib.Path(self.config.export_dir, self.run.path.name)

    def build_classifier(self, weights: str) -> Classifier:
        """Returns the classifier of this plan with the given weights in its backbone."""
        num_classes = len(self.source.class_names)
        return build_classifier(self.backbone, self.config, self.config.head, weights, num_classes)

    def describe(self, classifier: Classifier) -> str:
        """Returns the plan as a person reads it; the classifier stays as it is."""
        version = next_version(self.export_directory)
        lines = [
            *describe_data(self.source, self.config),
            *describe_model(self.backbone, self.config, classifier),
            *describe_phases(self.backbone, self.config, classifier),
            *self._describe_class_weights(),
            plan_row("augmentation", self._describe_augmentation()),
            plan_row("precision", describe_arithmetic(self.config)),
            *self._describe_comparison(),
            *describe_budget(self.config),
            *describe_results(self.run),
            plan_row("", str(self.export_directory / str(version))),
        ]
        return "\n".join(lines)

    def _describe_augmentation(self) -> str:
        changes = describe_changes(self.config.augment)
        return (
            f"{', '.join(changes)} (finetune phase)"
            if changes and self.config.finetune.epochs
            else "none"
        )

    def _describe_class_weights(self) -> list[str]:
        """Returns lines on the weights of the classes where they are balanced."""
        if self.config.class_weights == "none":
            return []
        labels, names = self.source.splits["train"].labels, self.source.class_names
        weights = balanced_weights(labels)
        least, most = weights.argmin(), weights.argmax()
        ends = [f"{weights[i]:.3g} ({names[labels[i]]})" for i in (least, most)]
        text = f"from {' to '.join(ends)}"
        if weights[least] == weights[most]:
            text = "as the numbers of training images are already"
        return [
            plan_row("class weights", f"balanced, {text}"),
            plan_row("", "while training, validation counts each class the same, too"),
        ]

    def _describe_comparison(self) -> list[str]:
        """Returns a line on the comparison with random weights where it was asked for."""
        if not self.config.compare_scratch:
            return []
        count = self.config.compare_examples
        images = "the same images"
        if count is not None and count < len(self.source.splits["train"]):
            images = f"{count:,} training images, both"
        return [plan_row("comparison", f"with random weights, on {images}")]


@dataclass(frozen=True)
class PretrainPlan:
    """A pretraining that is ready to run, or to go on.

    Attributes:
        config: Every setting, decided.
        source: The data, opened.
        backbone: The row of the backbone table.
        run: The directory of the results; it is there already where a run was interrupted.
    """

    config: DecidedPretrain
    source: Source
    backbone: Backbone
    run: RunDirectory

    def build_classifier(self) -> Classifier:
        """Returns a classifier of random weights, all of which are trained."""
        # Dropout is for heads that see few images; here the augmentation and the decay do its work.
        head = DecidedHead(epochs=0, dropout=0.0)
        num_classes = len(self.source.class_names)
        classifier = build_classifier(self.backbone, self.config, head, "none", num_classes)
        classifier.unfreeze("all", "adapt")
        return classifier

    def describe(self, classifier: Classifier) -> str:
        """Returns the plan as a person reads it."""
        config = self.config
        smoothing = config.label_smoothing
        lines = [
            *describe_data(self.source, config),
            plan_row(
                "backbone",
                f"{self.backbone.name}, from scratch, at {config.image_size} pixels, "
                f"{classifier.num_trainable():,} parameters trained",
            ),
            plan_row("training", describe_schedule(config)),
            plan_row("", f"batches of {config.batch_size:,}, label smoothing {smoothing:g}"),
            *(plan_row("", text) for text in describe_regularisation(config)),
            plan_row("augmentation", ", ".join(describe_changes(config.augment)) or "none"),
            plan_row("precision", describe_arithmetic(config)),
        ]
        lines += [*describe_budget(config), *describe_results(self.run)]
        return "\n".join(lines)


def make_plan(config: FitConfig) -> Plan:
    """Returns the plan of a fit: names checked, data opened, open settings decided.

    A run of the same settings that was interrupted is gone on with. Nothing is written and no
    weights are loaded.

    Raises:
        UsageError: A setting names something that is not there, or that cannot be.
        DataError: The data cannot be used.
    """
    backbone = check_settings(config)
    source = without_weightless(open_source(config))
    _check_content(FitConfig, config, source)
    decided = decide(config, _facts(source, backbone))
    num_images = len(source.splits["train"]) * decided.finetune.epochs
    decided = dataclasses.replace(decided, **_on_this_machine(decided, backbone, num_images))
    run = choose_run(FitConfig, decided, f"{source.name}-{backbone.name}")
    plan = Plan(dataclasses.replace(decided, run=run.path.name), source, backbone, run)
    check_writable(plan.export_directory, "export_dir")
    return plan


def make_pretrain_plan(config: PretrainConfig) -> PretrainPlan:
    """Returns the plan of a pretraining likewise.

    Raises:
        UsageError: A setting names something that is not there, or that cannot be.
        DataError: The data cannot be used.
    """
    backbone = check_settings(config)
    # The setting is a fit's; what the data themselves say of their examples holds here, too.
    source = without_weightless(open_source(config))
    _check_content(PretrainConfig, config, source)
    decided = decide_pretraining(config, _facts(source, backbone))
    num_images = len(source.splits["train"]) * decided.epochs
    decided = dataclasses.replace(decided, **_on_this_machine(decided, backbone, num_images))
    run = choose_run(PretrainConfig, decided, f"{source.name}-{backbone.name}-pretrain")
    return PretrainPlan(dataclasses.replace(decided, run=run.path.name), source, backbone, run)


def _on_this_machine(config: DecidedRun, backbone: Backbone, num_images: int) -> dict[str, Any]:
    """Returns the settings that the machine decides, and the backbone's name as the table has it.

    Args:
        config: Settings that the rules have decided.
        backbone: The row of the backbone table.
        num_images: Training images in all epochs.
    """
    tell_of_missing_gpus()
    return {
        "backbone": backbone.name,
        "precision": choose_precision(config.precision),
        "xla": choose_xla(config.xla, num_images, config.image_size),
    }


def _check_content(kind: type[AnyConfig], config: AnyConfig, source: Source) -> None:
    """Raises a UsageError where data are not those of the run that is resumed with them.

    They may lie elsewhere by now, or have another name: the content counts.
    """
    if config.run is None:
        return
    run = RunDirectory(pathlib.Path(config.runs_dir, config.run))
    if not run.is_interrupted:
        return
    was, seen = run_settings(run, kind).data, read_seen(run.seen)
    if was != config.data and seen is not None and seen.fingerprint != source.fingerprint():
        raise UsageError(
            f"Cannot resume '{run.path}': it was started with data '{was}', now '{config.data}', "
            "whose images, labels or splits differ. Give the same data, wherever they are now, or "
            "choose another --run."
        )


def _facts(source: Source, backbone: Backbone) -> Facts:
    return Facts(
        num_train=len(source.splits["train"]),
        num_validation=len(source.splits["validation"]),
        num_classes=len(source.class_names),
        num_features=backbone.num_features,
        side=min(source.image_height_width),
        mirrored=source.mirrored,
        native_size=backbone.native_size,
        min_size=backbone.min_size,
        last_resolution=backbone.last_resolution,
        weights_name=backbone.weights_name,
    )
