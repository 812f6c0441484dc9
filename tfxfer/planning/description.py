"""The plan as text."""

from collections.abc import Iterator

import keras

from tfxfer.config.decided import (
    DecidedAugment,
    DecidedFinetune,
    DecidedFit,
    DecidedHead,
    DecidedRun,
    GradientPhase,
    SolvedHead,
)
from tfxfer.data.source import Source, shown
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.classifier import Classifier
from tfxfer.planning.portfolio import Portfolio, Way
from tfxfer.planning.several_labels import kind_of_labels
from tfxfer.system.run_layout import RunDirectory

# Optimizers by the names that papers use.
_OPTIMIZERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}


def plan_row(name: str, text: str) -> str:
    """Returns a line of the plan. Further lines of the same row have an empty name."""
    return f"{name:16s}{text}"


def describe_data(source: Source, config: DecidedRun) -> list[str]:
    """Returns the lines on the data: number of images, classes and image sizes."""
    names = source.class_names
    first = ", ".join(map(shown, names[:8])) + (", ..." if len(names) > 8 else "")
    counts = ", ".join(f"{len(split):,} {name}" for name, split in source.splits.items())
    height, width = source.image_height_width
    sizes = (
        f"typically {width} x {height} pixels, center crop resized to {_square(config.input_size)}"
    )
    if config.input_size == height == width:
        sizes = f"{width} x {height} pixels"
    if config.input_size != config.image_size:
        sizes += f", upsampled in the model to {_square(config.image_size)}"
    return [
        plan_row("data", f"{source.name}: {counts} images"),
        plan_row("", f"{len(names)} {kind_of_labels(source)}: {first}"),
        plan_row("", sizes),
        *(plan_row("", f"note: {note}") for note in source.notes),
    ]


def _square(side: int) -> str:
    return f"{side} x {side}"


def describe_model(backbone: Backbone, config: DecidedFit, classifier: Classifier) -> list[str]:
    """Returns the lines on the backbone, its weights and the layers of the head."""
    weights = describe_weights(config.weights)
    num_features, num_classes = classifier.head.input_shape[-1], classifier.head.output_shape[-1]
    return [
        plan_row("backbone", f"{backbone.name}, {weights}, {_square(config.image_size)} pixels"),
        plan_row(
            "head",
            f"{' -> '.join(describe_head(config.head))} -> {num_classes} logits "
            f"({num_features:,} features)",
        ),
    ]


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
    return [
        plan_row(f"{name} phase", describe_schedule(phase, backbone)),
        *([plan_row("", ", ".join(details))] if details else []),
        plan_row("", f"trains {what}"),
        plan_row("", f"{num_trained:,} trainable parameters, {num_frozen:,} frozen"),
    ]


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


def describe_head(head: DecidedHead) -> list[str]:
    """Returns the layers of a head before its outputs, in order."""
    hidden = [f"{units} hidden units" for units in head.hidden_units]
    return [f"{head.pooling} pooling", *hidden, f"dropout {head.dropout:g}"]


def describe_schedule(phase: SolvedHead | GradientPhase, backbone: Backbone | None = None) -> str:
    """Returns the optimizer of a phase, its epochs or iterations, and its learning rate.

    Args:
        phase: Settings of the phase, all decided.
        backbone: The backbone that the finetune phase trains; None for other phases.
    """
    if phase.optimizer == "lbfgs":
        penalty = "chosen on validation" if phase.penalty is None else f"{phase.penalty:g}"
        return f"L-BFGS, up to {counted(phase.epochs, 'iteration')}, L2 penalty {penalty}"
    parts = [
        _OPTIMIZERS[phase.optimizer],
        counted(phase.epochs, "epoch"),
        f"learning rate {phase.learning_rate:g}{_describe_rates(phase, backbone)}",
    ]
    parts += [f"warmup {counted(phase.warmup_epochs, 'epoch')}"] if phase.warmup_epochs else []
    parts += ["cosine decay"] if phase.decay == "cosine" else []
    return ", ".join(parts)


def _describe_rates(phase: GradientPhase, backbone: Backbone | None) -> str:
    """Returns the learning rates of head and stages that differ from the phase's, or nothing."""
    if not isinstance(phase, DecidedFinetune) or backbone is None:
        return ""
    num_stages = len(backbone.unfrozen_stages(phase.unfreeze))
    peak = phase.learning_rate
    parts = [f"head {phase.head_rate * peak:.3g}"] if phase.head_rate != 1 else []
    if phase.layer_decay != 1 and num_stages > 1:
        least = phase.layer_decay ** (num_stages - 1) * peak
        parts.append(f"stages {least:.3g} to {peak:.3g}")
    return f" ({'; '.join(parts)})" if parts else ""


def counted(number: float, unit: str) -> str:
    """Returns a number with its unit: "1 epoch", "0.5 epochs"."""
    return f"{number:g} {unit}" + ("" if number == 1 else "s")


def describe_search(portfolio: Portfolio) -> list[str]:
    """Returns the lines on the ways among which a search chooses, and what it costs."""
    most = counted(portfolio.epochs, "epoch")
    lines = [
        plan_row(
            "search",
            f"compares these ways on validation and keeps the best; at most {most} in all:",
        ),
        plan_row("", portfolio.head_alone.name),
        *(plan_row("", _describe_way(way)) for way in portfolio.ways),
    ]
    if portfolio.deeper:
        way = _describe_way(portfolio.deeper[0])
        limit = f"{portfolio.much_to_gain:g}"
        lines.append(plan_row("", f"if the best validation loss is still above {limit}: {way}"))
    return lines


def _describe_way(way: Way) -> str:
    """Returns what a way trains, for how long and on which images."""
    augmentation = ", ".join(describe_changes(way.augment)) or "no augmentation"
    return f"{way.name} ({counted(way.finetune.epochs, 'epoch')}; {augmentation})"


def describe_regularization(phase: SolvedHead | GradientPhase) -> list[str]:
    """Returns a line on weight decay, clipping and averaging, or no line if there are none."""
    parts = [f"weight decay {phase.weight_decay:g}"] if phase.weight_decay else []
    parts += [f"gradient norm clipped at {phase.clip_norm:g}"] if phase.clip_norm else []
    if isinstance(phase, DecidedFinetune) and phase.ema:
        parts.append(f"weights averaged over steps (EMA {phase.ema:g})")
    return [", ".join(parts)] if parts else []


def describe_arithmetic(config: DecidedRun) -> str:
    """Returns the precision of a run, and whether XLA compiles its steps."""
    return config.precision + (", compiled by XLA" if config.xla == "on" else "")


def describe_budget(config: DecidedRun) -> list[str]:
    """Returns a line on the time budget of a run, or no line if there is none."""
    if config.max_minutes is None:
        return []
    minutes = counted(config.max_minutes, "minute")
    return [plan_row("time budget", f"{minutes}; fewer epochs than above if they do not fit")]


def describe_results(run: RunDirectory) -> list[str]:
    """Returns the lines on where the results go, and whether a run is resumed."""
    lines = [plan_row("results", str(run.path))]
    if run.is_interrupted:
        lines.append(plan_row("", "resumes an interrupted run with the same settings"))
    return lines


def describe_unfrozen(unfreeze: str, batch_norm: str, backbone: Backbone) -> str:
    """Returns what the finetune phase trains; the first two arguments are its settings."""
    if unfreeze in backbone.stage_names:
        later = backbone.unfrozen_stages(unfreeze)
        stages = f"stages {later[0]} to {later[-1]}" if len(later) > 1 else f"stage {later[0]}"
        what = f"the head and {stages}"
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
    parts += ["TrivialAugment"] if augment.policy == "trivial" else []
    parts += [f"rotation {augment.rotation:g} degrees"] if augment.rotation else []
    return parts
