"""The plan in words."""

from collections.abc import Iterator

import keras

from tfxfer.config.decided import (
    DecidedAugment,
    DecidedFit,
    DecidedHead,
    DecidedRun,
    GradientPhase,
    SolvedHead,
)
from tfxfer.data.source import Source, shown
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.classifier import Classifier
from tfxfer.system.run_layout import RunDirectory


def plan_row(name: str, text: str) -> str:
    """Returns a line of the plan; those that follow under one name have none."""
    return f"{name:16s}{text}"


def describe_data(source: Source, config: DecidedRun) -> list[str]:
    """Returns lines on the data: how many images of which classes, and their sizes."""
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
        plan_row("data", f"{source.name}: {counts} images"),
        plan_row("", f"{len(names)} classes: {first}"),
        plan_row("", sizes),
        *(plan_row("", f"note: {note}") for note in source.notes),
    ]


def describe_model(backbone: Backbone, config: DecidedFit, classifier: Classifier) -> list[str]:
    """Returns lines on the backbone, its weights and the layers of the head."""
    weights = describe_weights(config.weights)
    num_features, num_classes = classifier.head.input_shape[-1], classifier.head.output_shape[-1]
    return [
        plan_row("backbone", f"{backbone.name}, {weights}, at {config.image_size} pixels"),
        plan_row(
            "head",
            f"{' -> '.join(describe_head(config.head))} -> {num_classes} logits "
            f"({num_features:,} features)",
        ),
    ]


def describe_phases(backbone: Backbone, config: DecidedFit, classifier: Classifier) -> list[str]:
    """Returns lines on what each phase trains, and how; the classifier stays as it is."""
    lines = []
    if config.head.epochs:
        what = "the head; each image passes the frozen backbone once"
        if config.head.augmented_views:
            what += f", with {config.head.augmented_views} changed views of it"
        num_trained = count_trained(classifier, "none", "frozen")
        lines += _describe_phase("head", config.head, what, num_trained, classifier)
    else:
        lines.append(plan_row("phase head", "left out"))
    phase = config.finetune
    if phase.epochs:
        what = describe_unfrozen(phase.unfreeze, phase.batch_norm, backbone)
        num_trained = count_trained(classifier, phase.unfreeze, phase.batch_norm)
        lines += _describe_phase("finetune", phase, what, num_trained, classifier)
    else:
        lines.append(plan_row("phase finetune", "left out"))
    return lines


def _describe_phase(
    name: str,
    phase: SolvedHead | GradientPhase,
    what: str,
    num_trained: int,
    classifier: Classifier,
) -> list[str]:
    num_frozen = classifier.num_parameters() - num_trained
    return [
        plan_row(f"phase {name}", describe_schedule(phase)),
        *(plan_row("", text) for text in describe_regularisation(phase)),
        plan_row("", f"trains {what}"),
        plan_row("", f"{num_trained:,} parameters trained, {num_frozen:,} frozen"),
    ]


def count_trained(classifier: Classifier, unfreeze: str, batch_norm: str) -> int:
    """Returns how many parameters are trained under the settings of a finetune phase.

    The classifier stays as it is. That `unfreeze` is "none" is the head phase.
    """
    before = [
        (layer, layer.trainable, getattr(layer, "momentum", None))
        for layer in _with_all_inside(classifier.backbone)
    ]
    try:
        classifier.unfreeze(unfreeze, batch_norm)
        return classifier.num_trainable()
    finally:
        # The outer ones come first, as what they are told reaches those in them.
        for layer, trainable, momentum in before:
            layer.trainable = trainable
            if momentum is not None:
                layer.momentum = momentum


def _with_all_inside(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """Yields a layer and all that is in it, each before what is in it."""
    yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _with_all_inside(inner)


def describe_weights(weights: str | None, quote: bool = False) -> str:
    """Returns what a network begins with.

    Args:
        weights: The setting, decided.
        quote: Whether their name stands in quotes.
    """
    if weights == "none":
        return "random weights"
    return f"weights '{weights}'" if quote else f"weights {weights}"


def describe_head(head: DecidedHead) -> list[str]:
    """Returns the parts of a head before its outputs, in their order."""
    hidden = [f"{units} hidden units" for units in head.hidden_units]
    return [f"{head.pooling} pooling", *hidden, f"dropout {head.dropout:g}"]


def describe_schedule(phase: SolvedHead | GradientPhase) -> str:
    """Returns how many epochs of which optimizer a phase has, and at which rate."""
    if phase.optimizer == "lbfgs":
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


def describe_regularisation(phase: SolvedHead | GradientPhase) -> list[str]:
    """Returns a line on weight decay and clipping where there are such, else none."""
    parts = [f"weight decay {phase.weight_decay:g}"] if phase.weight_decay else []
    parts += [f"gradient norm at most {phase.clip_norm:g}"] if phase.clip_norm else []
    return [", ".join(parts)] if parts else []


def describe_arithmetic(config: DecidedRun) -> str:
    """Returns in which precision a run computes, and whether XLA compiles its steps."""
    return config.precision + (", compiled by XLA" if config.xla == "on" else "")


def describe_budget(config: DecidedRun) -> list[str]:
    """Returns a line on the time that a run has, where it is limited."""
    if config.max_minutes is None:
        return []
    return [plan_row("time", f"{config.max_minutes:g} minutes; as many epochs as fit, at the most")]


def describe_results(run: RunDirectory) -> list[str]:
    """Returns lines on where the results go, and whether they are begun."""
    lines = [plan_row("results", str(run.path))]
    if run.is_interrupted:
        lines.append(plan_row("", "an interrupted run of these settings: it goes on"))
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


def describe_changes(augment: DecidedAugment) -> list[str]:
    """Returns the changes that training images go through, none where there are none."""
    parts = ["flip"] if augment.flip else []
    parts += [f"shift {100 * augment.shift:g}%"] if augment.shift else []
    parts += [f"zoom {100 * augment.zoom:g}%"] if augment.zoom else []
    parts += [f"rotation {augment.rotation:g} degrees"] if augment.rotation else []
    return parts
