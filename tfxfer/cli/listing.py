"""The commands that list what there is: `backbones` and `cache`."""

import time

import click

from tfxfer.config.schema import RunConfig
from tfxfer.config.settings import setting_meaning
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.backbones.pixels import SCALINGS
from tfxfer.models.backbones.registry import BACKBONES, find_backbone
from tfxfer.system import streams
from tfxfer.system.progress import readable_bytes, readable_seconds


@click.command()
@click.argument("name", required=False)
def backbones(name: str | None) -> None:
    """List the pretrained networks, or show one with its stages."""
    if name is None:
        streams.say(f"{'name':20s} {'pixels':>6s} {'features':>9s} {'parameters':>12s}  paper")
        for backbone in BACKBONES.values():
            streams.say(
                f"{backbone.name:20s} {backbone.native_size:6d} {backbone.num_features:9,d} "
                f"{backbone.num_parameters:12,d}  {backbone.paper}"
            )
    else:
        streams.say(_describe_backbone(find_backbone(name)))


@click.command()
@click.option("--clear", is_flag=True, help="Remove all of it.")
@click.option("--cache-dir", help=setting_meaning(RunConfig, "cache_dir"))
def cache(clear: bool, cache_dir: str | None) -> None:
    """List what is kept between runs: features of frozen backbones, decoded images."""
    # NumPy, which the other commands that answer at once do without.
    from tfxfer.data.cache import Cache, default_cache_dir

    if cache_dir is None:
        default_cache_dir()  # where there is none, that is the answer
    kept = Cache.of(RunConfig(cache_dir=cache_dir))
    if clear:
        streams.say(f"Removed {readable_bytes(kept.clear())} from '{kept.directory}'.")
        return
    entries = kept.entries()
    for entry in reversed(entries):
        age = readable_seconds(max(0.0, time.time() - entry.used))
        streams.say(
            f"{entry.kind:8s}  {readable_bytes(entry.num_bytes):>8s}  {entry.num_rows:>9,} rows  "
            f"used {age} ago  {entry.about.get('what', '')}"
        )
    total = readable_bytes(sum(entry.num_bytes for entry in entries))
    streams.say(f"{total} in '{kept.directory}'. `tfxfer cache --clear` removes it.")


def _describe_backbone(backbone: Backbone) -> str:
    rows = {
        "builder": f"{backbone.module}.{backbone.builder}",
        "native size": f"{backbone.native_size} pixels, at least {backbone.min_size}",
        "features": f"{backbone.num_features:,}",
        "parameters": f"{backbone.num_parameters:,} without the classifier",
        "normalised": f"{SCALINGS[backbone.pixels].short} (inside the model: feed RGB in [0, 255])",
        "BatchNorm": "yes" if backbone.batch_norm else "no",
        "stages": ", ".join(backbone.stage_names),
        "weights": f"{backbone.weights_name}, {backbone.licence}"
        + (", comes with tfxfer" if backbone.bundled else ""),
        "paper": backbone.paper,
    }
    return "\n".join([backbone.name, *(f"  {name:13s}{text}" for name, text in rows.items())])
