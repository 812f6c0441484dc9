"""What a fit or a pretraining will do, decided to the last number before any work starts."""

import dataclasses
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfxfer.backbones import Backbone, find_backbone
from tfxfer.classifier import Classifier, build_classifier
from tfxfer.compilation import choose_xla
from tfxfer.config import (
    AnyConfig,
    AugmentConfig,
    FitConfig,
    HeadConfig,
    PhaseConfig,
    PretrainConfig,
    RunConfig,
    differing_setting,
)
from tfxfer.errors import UsageError
from tfxfer.places import absolute, missing_data, run_settings, with_unchanged_places
from tfxfer.precision import choose_precision, tell_of_missing_gpus
from tfxfer.preflight import check_settings
from tfxfer.recipe import Facts, decide, decide_pretraining
from tfxfer.run_directory import (
    RunDirectory,
    check_writable,
    named_run,
    next_version,
    numbered_run,
    run_to_resume,
)
from tfxfer.seen import read_seen
from tfxfer.sources import Source, open_source
from tfxfer.sources.source import shown
from tfxfer.weighting import balanced_weights, without_weightless


@dataclass(frozen=True)
class Plan:
    """A fit that is ready to run.

    Attributes:
        config: Every setting, decided.
        source: The data, opened.
        backbone: The row of the backbone table.
        run: The directory of the results, not made yet.
    """

    config: FitConfig
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
        """Returns the plan as a person reads it; the classifier's trainable state is changed."""
        lines = [
            *_describe_data(self.source, self.config),
            *_describe_model(self.backbone, self.config, classifier),
        ]
        total = classifier.num_parameters()
        for phase, settings in (("head", self.config.head), ("finetune", self.config.finetune)):
            if settings.epochs == 0:
                lines.append(_row(f"phase {phase}", "left out"))
                continue
            if phase == "head":
                classifier.freeze()
                what = "the head; each image passes the frozen backbone once"
                if self.config.head.augmented_views:
                    what += f", with {self.config.head.augmented_views} changed views of it"
            else:
                unfreeze, batch_norm = (
                    self.config.finetune.unfreeze,
                    self.config.finetune.batch_norm,
                )
                classifier.unfreeze(unfreeze, batch_norm)
                what = describe_unfrozen(unfreeze, batch_norm, self.backbone)
            trained = classifier.num_trainable()
            lines += [
                _row(f"phase {phase}", describe_schedule(settings)),
                *(_row("", text) for text in describe_regularisation(settings)),
                _row("", f"trains {what}"),
                _row("", f"{trained:,} parameters trained, {total - trained:,} frozen"),
            ]
        version = next_version(self.export_directory)
        lines += [
            *self._describe_class_weights(),
            _row("augmentation", self._describe_augmentation()),
            _row("precision", _describe_arithmetic(self.config)),
            *self._describe_comparison(),
            *_describe_budget(self.config),
            *_describe_results(self.run),
            _row("", str(self.export_directory / str(version))),
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
            _row("class weights", f"balanced, {text}"),
            _row("", "while training, validation counts each class the same, too"),
        ]

    def _describe_comparison(self) -> list[str]:
        """Returns a line on the comparison with random weights where it was asked for."""
        if not self.config.compare_scratch:
            return []
        count = self.config.compare_examples
        images = "the same images"
        if count is not None and count < len(self.source.splits["train"]):
            images = f"{count:,} training images, both"
        return [_row("comparison", f"with random weights, on {images}")]


@dataclass(frozen=True)
class PretrainPlan:
    """A pretraining that is ready to run, or to go on.

    Attributes:
        config: Every setting, decided.
        source: The data, opened.
        backbone: The row of the backbone table.
        run: The directory of the results; it is there already where a run was interrupted.
    """

    config: PretrainConfig
    source: Source
    backbone: Backbone
    run: RunDirectory

    def build_classifier(self) -> Classifier:
        """Returns a classifier of random weights, all of which are trained."""
        # Dropout is for heads that see few images; here the augmentation and the decay do its work.
        head = HeadConfig(dropout=0.0)
        num_classes = len(self.source.class_names)
        classifier = build_classifier(self.backbone, self.config, head, "none", num_classes)
        classifier.unfreeze("all", "adapt")
        return classifier

    def describe(self, classifier: Classifier) -> str:
        """Returns the plan as a person reads it."""
        config = self.config
        smoothing = config.label_smoothing
        lines = [
            *_describe_data(self.source, config),
            _row(
                "backbone",
                f"{self.backbone.name}, from scratch, at {config.image_size} pixels, "
                f"{classifier.num_trainable():,} parameters trained",
            ),
            _row("training", describe_schedule(config)),
            _row("", f"batches of {config.batch_size:,}, label smoothing {smoothing:g}"),
            *(_row("", text) for text in describe_regularisation(config)),
            _row("augmentation", ", ".join(describe_changes(config.augment)) or "none"),
            _row("precision", _describe_arithmetic(config)),
        ]
        lines += [*_describe_budget(config), *_describe_results(self.run)]
        return "\n".join(lines)


def make_plan(config: FitConfig) -> Plan:
    """Returns the plan of a fit: names checked, data opened, open settings decided.

    A run of the same settings that was interrupted is gone on with. Nothing is written and no
    weights are loaded.

    Raises:
        UsageError: A setting names something that is not there, or that cannot be.
        DataError: The data cannot be used.
    """
    check_settings(config)
    backbone = find_backbone(config.backbone)
    source = without_weightless(open_source(config))
    _check_content(config, source)
    asked = dataclasses.replace(config, weights=config.weights or backbone.weights_name)
    decided = decide(asked, _facts(source, backbone))
    num_images = len(source.splits["train"]) * decided.finetune.epochs
    decided = dataclasses.replace(decided, **_on_this_machine(decided, backbone, num_images))
    run = _choose_run(decided, f"{source.name}-{backbone.name}")
    plan = Plan(dataclasses.replace(decided, run=run.path.name), source, backbone, run)
    check_writable(plan.export_directory, "export_dir")
    return plan


def make_pretrain_plan(config: PretrainConfig) -> PretrainPlan:
    """Returns the plan of a pretraining likewise.

    Raises:
        UsageError: A setting names something that is not there, or that cannot be.
        DataError: The data cannot be used.
    """
    check_settings(config)
    backbone = find_backbone(config.backbone)
    # The setting is a fit's; what the data themselves say of their examples holds here, too.
    source = without_weightless(open_source(config))
    _check_content(config, source)
    decided = decide_pretraining(config, _facts(source, backbone))
    num_images = len(source.splits["train"]) * decided.epochs
    decided = dataclasses.replace(decided, **_on_this_machine(decided, backbone, num_images))
    run = _choose_run(decided, f"{source.name}-{backbone.name}-pretrain")
    return PretrainPlan(dataclasses.replace(decided, run=run.path.name), source, backbone, run)


def _on_this_machine(config: RunConfig, backbone: Backbone, num_images: int) -> dict[str, Any]:
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


def asked_settings(
    kind: type[AnyConfig],
    config: AnyConfig | None,
    settings: Mapping[str, Any],
    resume: str | pathlib.Path | None = None,
) -> AnyConfig:
    """Returns what the user asked for: settings by name over a record over the defaults.

    Args:
        kind: Of the record.
        config: A record, or None.
        settings: By name; see `RunConfig.with_settings`.
        resume: A run that is gone on with: its settings take the place of the defaults.

    Raises:
        UsageError: A setting is wrong, or is not that of the run to go on with.
    """
    if resume is None:
        return (config or kind()).with_settings(settings)
    run = run_to_resume(resume)
    theirs = run_settings(run, kind)
    ours = with_unchanged_places((config or theirs).with_settings(settings), run, theirs)
    for name in ("precision", "xla"):  # a decision stands, on whatever machine the run goes on
        if ours.get(name) == "auto":
            ours = dataclasses.replace(ours, **{name: theirs.get(name)})
    _check_same(run, theirs, ours)
    missing = missing_data(run, theirs) if ours.data == theirs.data else []
    if missing and not run.is_finished:
        places = " or ".join(f"'{place}'" for place in missing)
        raise UsageError(
            f"Cannot resume '{run.path}': its data are not where they were, {places}. Say where "
            "they are now with --data."
        )
    return dataclasses.replace(ours, run=run.path.name, runs_dir=str(run.path.parent))


def _choose_run(decided: RunConfig, default_name: str) -> RunDirectory:
    """Returns the run that the user named, or the first that is new or of these settings.

    Raises:
        UsageError: The run that the user named is there, and of other settings.
    """

    def same(run: RunDirectory) -> bool:
        try:
            theirs = absolute(run_settings(run, type(decided)))
            return differing_setting(theirs, absolute(decided)) is None
        except UsageError:  # of another version, or of another command
            return False

    if decided.run is None:
        return numbered_run(decided.runs_dir, default_name, same)
    run = named_run(decided.runs_dir, decided.run)
    if run.is_interrupted:
        _check_same(run, run_settings(run, type(decided)), decided)
    return run


def _check_content(config: RunConfig, source: Source) -> None:
    """Raises a UsageError where data are not those of the run that is resumed with them.

    They may lie elsewhere by now, or have another name: the content counts.
    """
    if config.run is None:
        return
    run = RunDirectory(pathlib.Path(config.runs_dir, config.run))
    if not run.is_interrupted:
        return
    was, seen = run_settings(run, type(config)).data, read_seen(run.seen)
    if was != config.data and seen is not None and seen.fingerprint != source.fingerprint():
        raise UsageError(
            f"Cannot resume '{run.path}': it was started with data '{was}', now '{config.data}', "
            "whose images, labels or splits differ. Give the same data, wherever they are now, or "
            "choose another --run."
        )


def _check_same(run: RunDirectory, theirs: RunConfig, ours: RunConfig) -> None:
    """Raises a UsageError unless a run may be gone on with under these settings.

    Of the data the content counts, which is looked at once they are open.
    """
    ours = dataclasses.replace(ours, data=theirs.data, data_dir=theirs.data_dir)
    key = differing_setting(absolute(theirs), absolute(ours))
    if key is not None:
        was, now = theirs.get(key), ours.get(key)
        raise UsageError(
            f"Cannot resume '{run.path}': it was started with {key} {was!r}, now {now!r}. Give the "
            f"settings of '{run.config}' to go on with it, or choose another --run."
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
    )


def _row(name: str, text: str) -> str:
    return f"{name:16s}{text}"


def _describe_data(source: Source, config: RunConfig) -> list[str]:
    names = source.class_names
    first = ", ".join(map(shown, names[:8])) + (", ..." if len(names) > 8 else "")
    counts = ", ".join(f"{len(split):,} {name}" for name, split in source.splits.items())
    height, width = source.image_height_width
    sizes = f"typically {width} x {height} pixels, the middle square resized to {config.input_size}"
    if config.input_size == height == width:
        sizes = f"{width} x {height} pixels"
    if config.input_size != config.image_size:
        sizes += f", upsampled in the model to {config.image_size}"
    return [
        _row("data", f"{source.name}: {counts} images"),
        _row("", f"{len(names)} classes: {first}"),
        _row("", sizes),
        *(_row("", f"note: {note}") for note in source.notes),
    ]


def _describe_model(backbone: Backbone, config: FitConfig, classifier: Classifier) -> list[str]:
    weights = "random weights" if config.weights == "none" else f"weights {config.weights}"
    head = config.head
    layers = [f"{head.pooling} pooling", *(f"{units} hidden units" for units in head.hidden_units)]
    num_features, num_classes = classifier.head.input_shape[-1], classifier.head.output_shape[-1]
    return [
        _row("backbone", f"{backbone.name}, {weights}, at {config.image_size} pixels"),
        _row(
            "head",
            f"{' -> '.join(layers)} -> dropout {head.dropout:g} -> {num_classes} logits "
            f"({num_features:,} features)",
        ),
    ]


def describe_schedule(phase: PhaseConfig) -> str:
    """Returns how many epochs of which optimizer a phase has, and at which rate."""
    if isinstance(phase, HeadConfig) and phase.optimizer == "lbfgs":
        penalty = "penalty chosen on validation"
        if phase.penalty is not None:
            penalty = f"penalty {phase.penalty:g}"
        return f"at most {_epochs(phase.epochs)} of lbfgs, {penalty}"
    rate = f"learning rate {phase.learning_rate:g}"
    if phase.warmup_epochs:
        rate += f" after a warm-up of {_epochs(phase.warmup_epochs)}"
    if phase.decay == "cosine":
        rate += ", cosine decay"
    return f"{_epochs(phase.epochs)} of {phase.optimizer}, {rate}"


def _epochs(number: float) -> str:
    return f"{number:g} epoch" + ("" if number == 1 else "s")


def describe_regularisation(phase: PhaseConfig) -> list[str]:
    """Returns a line on weight decay and clipping where there are such, else none."""
    parts = [f"weight decay {phase.weight_decay:g}"] if phase.weight_decay else []
    parts += [f"gradient norm at most {phase.clip_norm:g}"] if phase.clip_norm else []
    return [", ".join(parts)] if parts else []


def _describe_arithmetic(config: RunConfig) -> str:
    """Returns in which precision a run computes, and whether XLA compiles its steps."""
    return config.precision + (", compiled by XLA" if config.xla == "on" else "")


def _describe_budget(config: RunConfig) -> list[str]:
    """Returns a line on the time that a run has, where it is limited."""
    if config.max_minutes is None:
        return []
    return [_row("time", f"{config.max_minutes:g} minutes; as many epochs as fit, at the most")]


def _describe_results(run: RunDirectory) -> list[str]:
    """Returns lines on where the results go, and whether they are begun."""
    lines = [_row("results", str(run.path))]
    if run.is_interrupted:
        lines.append(_row("", "an interrupted run of these settings: it goes on"))
    return lines


def describe_unfrozen(unfreeze: str, batch_norm: str, backbone: Backbone) -> str:
    """Returns what the finetune phase trains; the first two are its settings."""
    stages = list(backbone.stage_names)
    if unfreeze in stages:
        later = stages[stages.index(unfreeze) :]
        what = f"the head and {later[0]}" + (f" to {later[-1]}" if len(later) > 1 else "")
    else:
        what = "the head and the whole backbone"
    if not backbone.batch_norm:
        return what
    return what + (", BatchNorm frozen" if batch_norm == "frozen" else ", BatchNorm adapting")


def describe_changes(augment: AugmentConfig) -> list[str]:
    """Returns the changes that training images go through, none where there are none."""
    parts = ["flip"] if augment.flip else []
    parts += [f"shift {100 * augment.shift:g}%"] if augment.shift else []
    parts += [f"zoom {100 * augment.zoom:g}%"] if augment.zoom else []
    parts += [f"rotation {augment.rotation:g} degrees"] if augment.rotation else []
    return parts
