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
def export(
    model: str,
    kind: Any,
    name: str | None,
    export_dir: str | None,
    data: str | None,
    data_dir: str | None,
    calibrate: bool,
    min_accuracy: float,
    keep: int | None,
    quantization: Any,
    output: str | None,
) -> None:
    """Publish MODEL, a run's directory or a .keras file, as others run it.

    Of a saved_model a new version for TensorFlow Serving appears, once it was found to answer as
    the model does; how to serve it and how to ask it is printed. The other formats are files that
    take RGB in [0, 255] of the model's size; they are compared with the model, too, and what they
    lose is told.
    """
    if kind != "saved_model":
        for_serving = {
            "--name": name,
            "--export-dir": export_dir,
            "--keep": keep,
            "--calibrate": calibrate,
            "--min-accuracy": min_accuracy,
        }
        _refuse(f"goes with --format saved_model, not with {kind}", for_serving)
    else:
        _refuse("goes with another --format than saved_model", {"--output": output})
        _refuse(
            "goes with --format litert",
            {"--quantization": quantization if quantization != "none" else None},
        )
    with quiet_import():
        from tfxfer.api.convert import convert
        from tfxfer.api.export import export as publish
        from tfxfer.exporting import clients
    if kind != "saved_model":
        made = convert(
            model,
            kind,
            output=output,
            quantization=quantization,
            data=data,
            data_dir=data_dir,
            say=streams.say,
        )
        streams.say(
            f"Wrote '{made.path}', {readable_bytes(made.path.stat().st_size)}.\n"
            f"accuracy {made.accuracy:.4f}, the model's {made.model_accuracy:.4f}, on "
            f"{made.num_images:,} {made.split} images; the same class for {made.agreement:.1%}, "
            f"probabilities within {made.difference:.1g}"
        )
        return
    version = publish(
        model,
        name=name,
        export_dir=export_dir,
        data=data,
        data_dir=data_dir,
        calibrate=calibrate,
        min_accuracy=min_accuracy,
        keep=keep,
        say=streams.say,
    )
    streams.say(f"Published '{version}'.\n\n{clients.how_to_serve(version)}")


def _refuse(why: str, options: dict[str, Any]) -> None:
    """Raises a UsageError if one of the options was given."""
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(f"Option {given[0]} {why}.")
