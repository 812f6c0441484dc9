"""`export`: what others run."""

from typing import Any

import click

from tfxfer.cli.options import OTHER_DATA
from tfxfer.cli.quiet import quiet_import
from tfxfer.config.schema import FitConfig
from tfxfer.config.settings import setting_meaning
from tfxfer.errors import UsageError
from tfxfer.system import streams
from tfxfer.system.progress import readable_bytes

# Options that go with some formats alone, and what is said where they come with another one.
_OF_SERVING = dict.fromkeys(
    ("name", "export_dir", "keep", "calibrate", "min_accuracy"),
    "goes with --format saved_model, not with {kind}",
)

_OF_FILES = {
    "output": "goes with another --format than saved_model",
    "quantization": "goes with --format litert",
}


@click.command()
@click.argument("model")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["saved_model", "litert", "onnx", "keras"]),
    default="saved_model",
    show_default=True,
    help="What others run.",
)
@click.option("--name", help="Of the model on the server  [default: the run's]")
@click.option("--export-dir", help="Where exports go  [default: the run's own place]")
@click.option("--data", help=OTHER_DATA)
@click.option("--data-dir", help="Where TFDS data lie.")
@click.option("--calibrate", is_flag=True, help=setting_meaning(FitConfig, "calibrate"))
@click.option(
    "--min-accuracy",
    type=click.FloatRange(0, 1),
    default=0.0,
    help=setting_meaning(FitConfig, "min_accuracy"),
)
@click.option(
    "--keep", type=click.IntRange(min=1), help="Remove all versions but so many  [default: none]"
)
@click.option(
    "--quantization",
    type=click.Choice(["none", "float16", "int8"]),
    default="none",
    show_default=True,
    help="Of litert: weights in half or a quarter of the space.",
)
@click.option("--output", help="Of the other formats: the file  [default: beside the model]")
def export(model: str, kind: Any, **options: Any) -> None:
    """Publish MODEL, a run's directory or a .keras file, as others run it.

    Of a saved_model a new version for TensorFlow Serving appears, once it was found to answer as
    the model does; how to serve it and how to ask it is printed. The other formats are files that
    take RGB in [0, 255] of the model's size; they are compared with the model, too, and what they
    lose is told.
    """
    refused = _OF_FILES if kind == "saved_model" else _OF_SERVING
    for name, why in refused.items():
        value = options.pop(name)
        if value and (name, value) != ("quantization", "none"):
            raise UsageError(f"Option --{name.replace('_', '-')} {why.format(kind=kind)}.")
    if kind == "saved_model":
        _publish(model, options)
    else:
        _convert(model, kind, options)


def _publish(model: str, options: dict[str, Any]) -> None:
    """Publishes a version, and tells how to serve it."""
    with quiet_import():
        from tfxfer.api.export import export as publish
        from tfxfer.exporting import clients
    version = publish(model, **options, say=streams.say)
    streams.say(f"Published '{version}'.\n\n{clients.how_to_serve(version)}")


def _convert(model: str, kind: Any, options: dict[str, Any]) -> None:
    """Writes a file, and tells what it loses."""
    with quiet_import():
        from tfxfer.api.convert import convert
    made = convert(model, kind, **options, say=streams.say)
    streams.say(
        f"Wrote '{made.path}', {readable_bytes(made.num_bytes)}.\n"
        f"accuracy {made.accuracy:.4f}, the model's {made.model_accuracy:.4f}, on "
        f"{made.num_images:,} {made.split} images; the same class for {made.agreement:.1%}, "
        f"probabilities within {made.difference:.1g}"
    )
