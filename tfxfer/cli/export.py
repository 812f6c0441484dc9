"""`export`: models in the formats that others run."""

from typing import Any

import click

from tfxfer.cli.formatting import Command
from tfxfer.cli.options import OTHER_DATA, setting_help
from tfxfer.cli.quiet import quiet_import
from tfxfer.config.schema import FitConfig
from tfxfer.config.settings import option_of, setting_meaning
from tfxfer.errors import UsageError
from tfxfer.system import streams
from tfxfer.system.progress import readable_bytes

# Options of some formats only, and what is wrong with them for another one.
_SAVED_MODEL_ONLY = dict.fromkeys(
    (
        *("name", "export_dir", "keep", "calibrate", "min_accuracy"),
        *("unknown", "unknown_rate", "coverage"),
    ),
    "is only for --format saved_model, not for {kind}",
)

_FILES_ONLY = {
    "output": "is not for --format saved_model; use --export-dir and --name",
    "quantization": "is only for --format litert",
}


@click.command(
    cls=Command,
    examples=(
        "tfxfer export runs/photos-mobilenetv2 --calibrate",
        "tfxfer export runs/photos-mobilenetv2 --format litert --quantization int8",
    ),
)
@click.argument("model")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["saved_model", "litert", "onnx", "keras"]),
    default="saved_model",
    show_default=True,
    help="Export format.",
)
@click.option("--name", help="Name of the served model.  [default: name of the run]")
@click.option("--export-dir", help="Folder of the exports.  [default: that of the run]")
@click.option("--data", help=OTHER_DATA)
@click.option("--data-dir", help=setting_help(FitConfig, "data_dir"))
@click.option("--calibrate", is_flag=True, help=setting_meaning(FitConfig, "calibrate"))
@click.option(
    "--min-accuracy",
    type=click.FloatRange(0, 1),
    default=0.0,
    help=setting_help(FitConfig, "min_accuracy"),
)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    help="Number of latest versions to keep; older ones are deleted.  [default: all]",
)
@click.option(
    "--unknown",
    is_flag=True,
    help="Also flag images unlike all training images, and give prediction sets.",
)
@click.option(
    "--unknown-rate",
    type=float,
    help="Share of images like the training images that may be flagged.  [default: 0.05]",
)
@click.option(
    "--coverage",
    type=float,
    help="Share of prediction sets that contain the class.  [default: 0.9]",
)
@click.option(
    "--quantization",
    type=click.Choice(["none", "float16", "int8"]),
    default="none",
    show_default=True,
    help="For litert: store weights in half (float16) or a quarter (int8) of the space.",
)
@click.option(
    "--output", help="File to write, for litert, onnx and keras.  [default: next to the model]"
)
def export(model: str, kind: Any, **options: Any) -> None:
    """Export a model as a SavedModel, LiteRT, ONNX or Keras file.

    MODEL is a run or a .keras file. A SavedModel becomes a new version for TensorFlow Serving; the
    commands to serve and query it are printed. The other formats are single files that take RGB
    images in [0, 255] of the model's input size. Every export is compared with the model before it
    is published.
    """
    refused = _FILES_ONLY if kind == "saved_model" else _SAVED_MODEL_ONLY
    for name, why in refused.items():
        value = options.pop(name)
        if value and (name, value) != ("quantization", "none"):
            raise UsageError(f"Option --{name.replace('_', '-')} {why.format(kind=kind)}.")
    if kind == "saved_model":
        _publish(model, options)
    else:
        _convert(model, kind, options)


def _publish(model: str, options: dict[str, Any]) -> None:
    """Publishes a version and prints how to serve it."""
    with quiet_import():
        from tfxfer.api.export import export as publish
        from tfxfer.exporting import clients
    for name in ("unknown_rate", "coverage"):
        value = options.pop(name)
        if value is None:
            continue
        if not options["unknown"]:
            raise UsageError(f"Option {option_of(name)} needs --unknown.")
        options[name] = value
    version = publish(model, **options, say=streams.say)
    streams.say(f"Published '{version}'.\n\n{clients.how_to_serve(version)}")


def _convert(model: str, kind: Any, options: dict[str, Any]) -> None:
    """Writes a file and prints how it compares with the model."""
    with quiet_import():
        from tfxfer.api.convert import convert
    made = convert(model, kind, **options, say=streams.say)
    streams.say(f"Wrote '{made.path}', {readable_bytes(made.num_bytes)}.\n{made.describe()}")
