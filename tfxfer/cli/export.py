"""`export`: what others run."""

from collections.abc import Mapping
from typing import Any

import click

from tfxfer.cli.options import OTHER_DATA
from tfxfer.cli.quiet import quiet_import
from tfxfer.config.schema import FitConfig
from tfxfer.config.settings import option_of, setting_meaning
from tfxfer.errors import UsageError
from tfxfer.system import streams
from tfxfer.system.progress import readable_bytes

# Options that go with a SavedModel, and with the other formats.
_OF_PUBLISHING = ("name", "export_dir", "keep", "calibrate", "min_accuracy")

_OF_CONVERTING = ("output", "quantization")


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
    _check_options(kind, options)
    of_data = {name: options[name] for name in ("data", "data_dir")}
    if kind == "saved_model":
        _publish(model, **of_data, **{name: options[name] for name in _OF_PUBLISHING})
    else:
        _convert(model, kind, **of_data, **{name: options[name] for name in _OF_CONVERTING})


def _publish(model: str, **options: Any) -> None:
    with quiet_import():
        from tfxfer.api.export import export as publish
        from tfxfer.exporting import clients
    version = publish(model, say=streams.say, **options)
    streams.say(f"Published '{version}'.\n\n{clients.how_to_serve(version)}")


def _convert(model: str, kind: Any, **options: Any) -> None:
    with quiet_import():
        from tfxfer.api.convert import convert
    made = convert(model, kind, say=streams.say, **options)
    streams.say(
        f"Wrote '{made.path}', {readable_bytes(made.path.stat().st_size)}.\n"
        f"accuracy {made.accuracy:.4f}, the model's {made.model_accuracy:.4f}, on "
        f"{made.num_images:,} {made.split} images; the same class for {made.agreement:.1%}, "
        f"probabilities within {made.difference:.1g}"
    )


def _check_options(kind: str, options: Mapping[str, Any]) -> None:
    """Raises a UsageError for an option that another format takes."""
    if kind != "saved_model":
        for_serving = {option_of(name): options[name] for name in _OF_PUBLISHING}
        _refuse(f"goes with --format saved_model, not with {kind}", for_serving)
        return
    _refuse("goes with another --format than saved_model", {"--output": options["output"]})
    chosen = options["quantization"] != "none"
    _refuse("goes with --format litert", {"--quantization": chosen})


def _refuse(why: str, options: Mapping[str, Any]) -> None:
    """Raises a UsageError if one of the options was given."""
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(f"Option {given[0]} {why}.")
