"""The plan in words."""

from tfxfer.config.schema import AugmentConfig, FitConfig, HeadConfig, PhaseConfig, RunConfig
from tfxfer.data.source import Source, shown
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.classifier import Classifier
from tfxfer.system.run_layout import RunDirectory


def plan_row(name: str, text: str) -> str:
    return f"{name:16s}{text}"


def describe_data(source: Source, config: RunConfig) -> list[str]:
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


def describe_model(backbone: Backbone, config: FitConfig, classifier: Classifier) -> list[str]:
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


def describe_weights(weights: str | None, quote: bool = False) -> str:
    """Returns what a network begins with.

    Args:
        weights: The setting, decided.
        quote: Whether their name stands in quotes.
    """
    if weights == "none":
        return "random weights"
    return f"weights '{weights}'" if quote else f"weights {weights}"


def describe_head(head: HeadConfig) -> list[str]:
    """Returns the parts of a head before its outputs, in their order."""
    hidden = [f"{units} hidden units" for units in head.hidden_units]
    return [f"{head.pooling} pooling", *hidden, f"dropout {head.dropout:g}"]


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


def describe_arithmetic(config: RunConfig) -> str:
    """Returns in which precision a run computes, and whether XLA compiles its steps."""
    return config.precision + (", compiled by XLA" if config.xla == "on" else "")


def describe_budget(config: RunConfig) -> list[str]:
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


def describe_changes(augment: AugmentConfig) -> list[str]:
    """Returns the changes that training images go through, none where there are none."""
    parts = ["flip"] if augment.flip else []
    parts += [f"shift {100 * augment.shift:g}%"] if augment.shift else []
    parts += [f"zoom {100 * augment.zoom:g}%"] if augment.zoom else []
    parts += [f"rotation {augment.rotation:g} degrees"] if augment.rotation else []
    return parts
