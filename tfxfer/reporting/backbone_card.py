"""The card of a pretrained backbone: training data, accuracy, usage, recipe."""

import keras
import tensorflow as tf

from tfxfer.config.frame import sides
from tfxfer.config.recipes import to_toml
from tfxfer.planning.plan import PretrainPlan
from tfxfer.runs.metrics_record import PretrainMetrics
from tfxfer.system.progress import readable_seconds


def backbone_card(plan: PretrainPlan, metrics: PretrainMetrics) -> str:
    """Returns the card of a finished pretraining, in Markdown.

    Args:
        plan: The plan of the pretraining.
        metrics: Its results.
    """
    lines = [
        f"# {plan.backbone.name}, pretrained on {plan.source.name}",
        "",
        "| | |",
        "|---|---|",
        *_facts(plan, metrics),
        "",
        "## Inputs and outputs",
        "",
        *_usage(plan),
        "",
        "## How to reproduce it",
        "",
        "`tfxfer pretrain --config recipe.toml`, with these settings in `recipe.toml`:",
        "",
        *(f"    {line}".rstrip() for line in to_toml(plan.config).splitlines()),
    ]
    return "\n".join(lines) + "\n"


def _facts(plan: PretrainPlan, metrics: PretrainMetrics) -> list[str]:
    """Returns the rows of a table: architecture, data, accuracy, training time."""
    config, backbone, source = plan.config, plan.backbone, plan.source
    counts = ", ".join(f"{len(split):,} {name}" for name, split in source.splits.items())
    height, width = source.image_height_width
    scores = [
        f"| {name} accuracy | {metrics.splits[name].accuracy:.4f} "
        f"({metrics.splits[name].num_examples:,} images), loss {metrics.splits[name].loss:.4f} |"
        for name in ("validation", "test")
        if name in metrics.splits
    ]
    return [
        f"| network | {backbone.name}, {backbone.num_parameters:,} parameters without classifier; "
        f"{backbone.paper} |",
        f"| source dataset | {source.name}: {counts} images, typically {width} x {height} pixels, "
        f"{len(source.class_names)} classes |",
        f"| initial weights | random, seed {config.seed} |",
        *scores,
        f"| best epoch | {metrics.epoch} of {config.epochs}, on validation |",
        f"| training time | {readable_seconds(metrics.training_seconds)}, {config.precision}, "
        f"Keras {keras.__version__} (backend {keras.backend.backend()}), "
        f"TensorFlow {tf.__version__} |",
    ]


def _usage(plan: PretrainPlan) -> list[str]:
    """Returns input, output, and the command that uses the backbone."""
    config, backbone = plan.config, plan.backbone
    height, width = sides(config.image_size)
    upsampled = ""
    if config.input_size != config.image_size:
        upsampled = f" (upsampled from {config.input_size})"
    return [
        f"`backbone.keras` is a plain Keras model. It takes {backbone.scaling.meaning}, "
        f"as float32 of shape (batch, {height}, {width}, 3){upsampled}, and "
        f"returns feature maps of {backbone.num_features:,} channels. With `tfxfer fit --weights` "
        f"it runs at any image size of at least {backbone.min_size} pixels, and the normalization "
        "becomes part of the model:",
        "",
        f"    tfxfer fit --backbone {backbone.name} --weights backbone.keras --data DATA",
    ]
