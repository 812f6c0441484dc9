"""The commands that judge: `check`, `evaluate` and `report`."""

import json
import pathlib
from typing import Any

import click

from tfxfer.cli.options import OTHER_DATA
from tfxfer.cli.quiet import quiet_import
from tfxfer.config.schema import RunConfig
from tfxfer.config.settings import setting_meaning
from tfxfer.errors import RunError, TfxferError
from tfxfer.system import streams
from tfxfer.system.files import check_output, write_text
from tfxfer.system.run_layout import files_of_model


@click.command()
@click.argument("data")
@click.option("--data-dir", help=setting_meaning(RunConfig, "data_dir"))
@click.option(
    "--bad-images",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="What fit is told to do about images that cannot be read.",
)
@click.option("--json", "output", metavar="FILE", help="Write all of it as JSON, too; - for here.")
@click.pass_context
def check(
    context: click.Context, data: str, data_dir: str | None, bad_images: Any, output: str | None
) -> None:
    """Look at every image of DATA, and say what is wrong with them and what fit does about it.

    DATA is what fit takes: a folder, a manifest, TFRecord files, the name of a data set. The exit
    code is 1 if a fit would stop.
    """
    _check_json(output, data)
    with quiet_import():
        from tfxfer.api import check as checking
    result = checking.check(data, data_dir=data_dir, bad_images=bad_images)
    _print_result(result.describe(), result.as_json(), output)
    if result.blocks:
        context.exit(1)


@click.command()
@click.argument("model")
@click.option("--data", help=OTHER_DATA)
@click.option("--data-dir", help="Where TFDS data lie.")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test", "all"]),
    help="Which images  [default: test, or validation where there is no test, else all]",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--json", "output", metavar="FILE", help="Write all of it as JSON, too; - for here.")
def evaluate(
    model: str,
    data: str | None,
    data_dir: str | None,
    split: str | None,
    batch_size: int,
    output: str | None,
) -> None:
    """Evaluate MODEL, every image once: a run, a .keras file, or a SavedModel that export made."""
    _check_json(output, *files_of_model(model), *([data] if data else ()))
    with quiet_import():
        from tfxfer.api import evaluate as evaluation
    result = evaluation.evaluate(
        model, data=data, data_dir=data_dir, split=split, batch_size=batch_size
    )
    _print_result(result.describe(), result.as_json(), output)


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--output",
    metavar="FILE",
    help="The page  [default: report.html in the run; for several runs comparison.html here]",
)
@click.option("--data", help=OTHER_DATA)
@click.option("--data-dir", help="Where TFDS data lie.")
def report(
    runs: tuple[str, ...], output: str | None, data: str | None, data_dir: str | None
) -> None:
    """Write a page on a finished RUN: what it did, how good it is, and what it gets wrong.

    Of several runs, a page that shows them side by side. It is one file that needs no network. A
    page that goes elsewhere than into the run leaves the run as it is.
    """
    with quiet_import():
        from tfxfer.api import report as reporting
    path = reporting.report(*runs, output=output, data=data, data_dir=data_dir, say=streams.say)
    streams.say(f"Wrote '{path}'.")


def _print_result(text: str, content: Any, output: str | None) -> None:
    """Prints a result for people or, where the output is "-", as JSON; writes it to a file, too."""
    if output is not None:
        as_json = json.dumps(content, indent=2)
        if output == "-":
            streams.say(as_json)
            return
        try:
            write_text(output, as_json + "\n")
        except TfxferError as error:  # it could be written when the work began
            streams.say(as_json)
            raise RunError(f"{error} The JSON was printed instead.") from None
    streams.say(text)


def _check_json(output: str | None, *read: str | pathlib.Path) -> None:
    """Raises a UsageError unless a result can be written as JSON; what is read must stay."""
    if output is not None and output != "-":
        check_output(output, "--json", read, "text")
