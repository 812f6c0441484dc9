"""The plan of a fit on images as text."""

from collections.abc import Iterator

import keras

from tfxfer.config.decided import (
    DecidedAugment,
    DecidedFinetune,
    DecidedFit,
    DecidedRun,
    GradientPhase,
    SolvedHead,
)
from tfxfer.config.frame import RGB, in_words, size_words
from tfxfer.data.source import Source, shown
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.classifier import Classifier
from tfxfer.planning.several_labels import kind_of_labels
from tfxfer.planning.unfreezing import gradual_parts
from tfxfer.planning.wording import (
    counted,
    describe_head,
    describe_regularization,
    describe_schedule,
    plan_row,
)


def describe_data(source: Source, config: DecidedRun) -> list[str]:
    """Returns the lines on the data: number of images, classes and image sizes."""
    names = source.class_names
    first = ", ".join(map(shown, names[:8])) + (", ..." if len(names) > 8 else "")
    counts = ", ".join(f"{len(split):,} {name}" for name, split in source.splits.items())
    height, width = source.image_height_width
    sizes = f"typically {height} x {width} pixels (height x width), {config.frame.words}"
    if config.input_size == height == width:
        sizes = f"{height} x {width} pixels"
    if config.input_size != config.image_size:
        sizes += f", upsampled in the model to {size_words(config.image_size)}"
    return [
        plan_row("data", f"{source.name}: {counts} images"),
        plan_row("", f"{len(names)} {kind_of_labels(source)}: {first}"),
        plan_row("", sizes),
        *(plan_row("", f"note: {note}") for note in source.notes),
    ]


def describe_model(backbone: Backbone, config: DecidedFit, classifier: Classifier) -> list[str]:
    """Returns the lines on the backbone, its weights and the layers of the head."""
    weights = describe_weights(config.weights)
    num_features, num_classes = classifier.head.input_shape[-1], classifier.head.output_shape[-1]
    return [
        plan_row("backbone", f"{backbone.name}, {weights}, {size_words(config.image_size)} pixels"),
        *(plan_row("", line) for line in [describe_adaptation(config)] if line),
        plan_row(
            "head",
            f"{' -> '.join(describe_head(config.head))} -> {counted(num_classes, 'logit')} "
            f"({num_features:,} features)",
        ),
        *_describe_stages(classifier),
        *describe_views(config),
    ]


def describe_adaptation(config: DecidedFit) -> str:
    """Returns how the first layer is adapted to images that are not RGB, or ""."""
    if config.channels == RGB:
        return ""
    how = f"its RGB kernel repeated in turn, times {RGB}/{config.channels}"
    how = "its RGB kernel summed over the colors" if config.channels == 1 else how
    return f"first convolution adapted to {in_words(config.channels)}: {how}"


def describe_served(config: DecidedFit) -> list[str]:
    """Returns a line on the files that an export takes, or no line if they are those of RGB."""
    files = {1: "gray images and .npy files", 4: "PNG with alpha and .npy files"}
    taken = files.get(config.channels, ".npy files")
    return [] if config.channels == RGB else [plan_row("", f"takes {taken}, but no TIFF files")]


def _describe_stages(classifier: Classifier) -> list[str]:
    """Returns a line on the stages that the head reads, or no line if it is the last alone."""
    reading = classifier.reading
    if not reading.ends:
        return []
    names = ", ".join([*reading.ends, reading.last])
    return [plan_row("", f"of stages {names}, each normalized")]


def describe_views(config: DecidedFit) -> list[str]:
    """Returns a line on the test-time views of the model, or no line if there are none."""
    if config.test_time_views == "none":
        return []
    return [plan_row("views", "logits are averaged over each image and its mirror image")]


def describe_phases(backbone: Backbone, config: DecidedFit, classifier: Classifier) -> list[str]:
    """Returns the lines on what each phase trains and how. The classifier is not changed."""
    lines = []
    if config.head.epochs:
        what = "the head on features of the frozen backbone"
        if config.head.augmented_views:
            what += f", of each image and {config.head.augmented_views} augmented views"
        num_trained = count_trained(classifier, "none", "frozen")
        lines += _describe_phase(
            "head", config.head, what, num_trained, classifier, config, backbone
        )
    else:
        lines.append(plan_row("head phase", "skipped"))
    phase = config.finetune
    if phase.epochs:
        what = describe_unfrozen(phase.unfreeze, phase.batch_norm, backbone)
        num_trained = count_trained(classifier, phase.unfreeze, phase.batch_norm)
        lines += _describe_phase("finetune", phase, what, num_trained, classifier, config, backbone)
    else:
        lines.append(plan_row("finetune phase", "skipped"))
    return lines


def _describe_phase(
    name: str,
    phase: SolvedHead | GradientPhase,
    what: str,
    num_trained: int,
    classifier: Classifier,
    config: DecidedFit,
    backbone: Backbone,
) -> list[str]:
    num_frozen = classifier.num_parameters() - num_trained
    details = [] if phase.optimizer == "lbfgs" else [f"batch size {config.batch_size:,}"]
    if config.label_smoothing:
        details.append(f"label smoothing {config.label_smoothing:g}")
    details += describe_regularization(phase)
    stages, is_number = _num_stages(phase, backbone), config.target is not None
    is_of_folds = config.folds and not config.folds_finetune and config.solves_only_a_head
    chosen_by = "the folds" if is_of_folds else "validation"
    schedule = describe_schedule(phase, stages, is_number=is_number, chosen_by=chosen_by)
    return [
        plan_row(f"{name} phase", schedule),
        *([plan_row("", ", ".join(details))] if details else []),
        plan_row("", f"trains {what}"),
        *(plan_row("", line) for line in describe_gradual(phase, backbone)),
        plan_row("", f"{num_trained:,} trainable parameters, {num_frozen:,} frozen"),
    ]


def describe_gradual(phase: SolvedHead | GradientPhase, backbone: Backbone) -> list[str]:
    """Returns a line on gradual unfreezing, or no line if there is none."""
    if not isinstance(phase, DecidedFinetune) or not phase.gradual:
        return []
    first, *others = gradual_parts(backbone.unfrozen_stages(phase.unfreeze), phase.epochs)
    if not others:
        return []
    last = others[-1]
    return [
        f"unfreezes gradually: from stage {first.unfreeze} on for "
        f"{counted(first.end - first.first, 'epoch')}, and so on, until in epoch "
        f"{last.first + 1} all of these stages are trained"
    ]


def _num_stages(phase: SolvedHead | GradientPhase, backbone: Backbone) -> int:
    """Returns the number of stages that a phase trains; 0 for the head phase."""
    if not isinstance(phase, DecidedFinetune):
        return 0
    return len(backbone.unfrozen_stages(phase.unfreeze))


def count_trained(classifier: Classifier, unfreeze: str, batch_norm: str) -> int:
    """Returns the number of trainable parameters in a phase. The classifier is not changed.

    Args:
        classifier: The classifier to count in.
        unfreeze: As the setting `finetune.unfreeze`; "none" for the head phase.
        batch_norm: As the setting `finetune.batch_norm`.
    """
    before = [
        (layer, layer.trainable, getattr(layer, "momentum", None))
        for layer in _with_sublayers(classifier.backbone)
    ]
    try:
        classifier.unfreeze(unfreeze, batch_norm)
        return classifier.num_trainable()
    finally:
        # Outer layers first, because setting `trainable` also sets it for all sublayers.
        for layer, trainable, momentum in before:
            layer.trainable = trainable
            if momentum is not None:
                layer.momentum = momentum


def _with_sublayers(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """Yields a layer and all its sublayers, outer ones first."""
    yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _with_sublayers(inner)


def describe_weights(weights: str | None, quote: bool = False) -> str:
    """Returns the initial weights of a network as text.

    Args:
        weights: The decided setting.
        quote: Whether to put their name in quotes.
    """
    if weights == "none":
        return "random weights"
    return f"weights '{weights}'" if quote else f"weights {weights}"


def describe_unfrozen(unfreeze: str, batch_norm: str, backbone: Backbone) -> str:
    """Returns what the finetune phase trains; the first two arguments are its settings."""
    if unfreeze in backbone.stage_names:
        later = backbone.unfrozen_stages(unfreeze)
        since = f"from {later[0]} on" if len(later) > 1 else f"in {later[0]}"
        what = f"the head and the backbone {since}"
    else:
        what = "the head and the whole backbone"
    if not backbone.batch_norm:
        return what
    return what + (", BatchNorm frozen" if batch_norm == "frozen" else ", BatchNorm updated")


def describe_changes(augment: DecidedAugment) -> list[str]:
    """Returns the random changes to training images; an empty list if there are none."""
    parts = ["flip"] if augment.flip else []
    parts += [f"shift {100 * augment.shift:g}%"] if augment.shift else []
    parts += [f"zoom {100 * augment.zoom:g}%"] if augment.zoom else []
    if augment.crop < 1:
        parts.append(f"crops of {100 * augment.crop:g} to 100% of the area (no shift, no zoom)")
    policy = {"trivial": "TrivialAugment", "rand": "RandAugment"}.get(augment.policy)
    parts += [policy] if policy else []
    parts += [f"rotation {augment.rotation:g} degrees"] if augment.rotation else []
    parts += [f"MixUp {augment.mixup:g}"] if augment.mixup else []
    parts += [f"CutMix {augment.cutmix:g}"] if augment.cutmix else []
    return parts


def describe_augmentation(finetune: DecidedFinetune, augment: DecidedAugment) -> str:
    """Returns what happens to training images in the finetune phase; "" for nothing."""
    changes = ", ".join(describe_changes(augment))
    if not (finetune.num_views and augment.makes_views):
        return changes
    views = f"{finetune.num_views} views of each image"
    return f"{changes}; {views}, each for up to {finetune.echo} epochs"


def describe_folds(config: DecidedFit, source: Source) -> list[str]:
    """Returns a line on the cross-validation, or no line if there is none."""
    if not config.folds:
        return []
    count = sum(len(source.splits[name]) for name in ("train", "validation"))
    what = f"{config.folds} folds of {count:,} training and validation images"
    if config.unknown:
        what += ", less those set aside"
    lines = [plan_row("folds", f"cross-validation of the head in {what}")]
    deciding = "the folds decide"
    if config.folds_finetune:
        # Each is on (folds - 1) / folds of the images.
        times = f"{config.folds} fits before this one, together {config.folds - 1} times as long"
        lines = [
            plan_row("folds", f"cross-validation of whole fits in {what}"),
            plan_row("", times),
        ]
    elif not config.solves_only_a_head:
        lines.append(plan_row("", "a fit on the training images, judged by the validation images"))
        deciding = "that fit found"
    return [*lines, plan_row("", f"then the final model on all of them, with what {deciding}")]


def describe_unknown(config: DecidedFit, source: Source) -> list[str]:
    """Returns a line on unknown images, or no line if they are not told."""
    if not config.unknown:
        return []
    count = len(source.splits["validation"])
    return [
        plan_row(
            "unknown images",
            f"{config.unknown_rate:.0%} false alarms, prediction sets of {config.coverage:.0%} "
            f"coverage; half of the {count:,} validation images are set aside for both",
        )
    ]
