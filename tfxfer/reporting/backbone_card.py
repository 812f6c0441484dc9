"""The card of a pretrained backbone: training data, accuracy, usage, recipe."""

import keras
import tensorflow as tf

from tfxfer.config.recipes import to_toml
from tfxfer.models.backbones.pixels import SCALINGS
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
        "## Usage",
        "",
        *_usage(plan),
        "",
        "## Reproduce",
        "",
        "`tfxfer pretrain --config recipe.toml`, with this `recipe.toml`:",
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
        f"| {name} accuracy | {metrics.splits[name].accuracy:.4f} on "
        f"{metrics.splits[name].num_examples:,} images, loss {metrics.splits[name].loss:.4f} |"
        for name in ("validation", "test")
        if name in metrics.splits
    ]
    return [
        f"| architecture | {backbone.name}, {backbone.num_parameters:,} parameters without head; "
        f"{backbone.paper} |",
        f"| dataset | {source.name}: {counts} images, typically {width} x {height} pixels, "
        f"{len(source.class_names)} classes |",
        f"| initial weights | random, seed {config.seed} |",
        *scores,
        f"| best epoch | {metrics.epoch} of {config.epochs}, selected on validation |",
        f"| training time | {readable_seconds(metrics.training_seconds)}, {config.precision}, "
        f"Keras {keras.__version__} on {keras.backend.backend()}, TensorFlow {tf.__version__} |",
    ]


def _usage(plan: PretrainPlan) -> list[str]:
    """Returns input, output, and the command that uses the backbone."""
    config, backbone = plan.config, plan.backbone
    upsampled = "" if config.input_size == config.image_size else f", from {config.input_size}"
    return [
        "`backbone.keras` is a Keras model.",
        "",
        f"- Input: {SCALINGS[backbone.pixels].meaning}, float32 of shape (batch, "
        f"{config.image_size}, {config.image_size}, 3){upsampled}.",
        f"- Output: feature maps of {backbone.num_features:,} channels.",
        "",
        f"`tfxfer fit` uses it at any image size from {backbone.min_size} pixels, with the "
        "normalization built into the model:",
        "",
        f"    tfxfer fit --backbone {backbone.name} --weights backbone.keras --data DATA",
    ]
