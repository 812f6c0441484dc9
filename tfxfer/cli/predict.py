"""`predict`: classify image files."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from tfxfer.cli.formatting import Command
from tfxfer.cli.options import batch_size_option
from tfxfer.cli.quiet import quiet_import, quiet_libraries
from tfxfer.config.paths import user_path
from tfxfer.errors import UsageError
from tfxfer.system import streams
from tfxfer.system.files import check_output
from tfxfer.system.run_layout import files_of_model


@click.command(
    cls=Command,
    examples=(
        "tfxfer predict runs/photos-mobilenetv2 bee.jpg --top 3",
        "tfxfer predict runs/photos-mobilenetv2 photos --format csv --output new.csv",
    ),
)
@click.argument("model")
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of most probable classes to show.",
)
@batch_size_option
@click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "csv", "jsonl", "parquet"]),
    default="table",
    show_default=True,
    help="Output format; 'table' is for reading.",
)
@click.option("--output", metavar="FILE", help="File to write.  [default: standard output]")
@click.pass_context
def predict(
    context: click.Context,
    model: str,
    paths: tuple[str, ...],
    top: int,
    batch_size: int,
    kind: Any,
    output: str | None,
) -> None:
    """Classify image files, or texts.

    MODEL is a run, a .keras file, or an exported SavedModel. A .keras (or whole-model .h5) file
    may come from elsewhere: it must take square images, RGB in [0, 255] or grayscale, and return
    probabilities or logits of the classes in a classes.txt next to it, one name a line. A single
    output is the probability or logit of the second of two classes.

    A model of texts takes text files: each is one text. Then '-' stands for the lines of standard
    input, each of which is a text.

    PATHS are files, folders (searched recursively), patterns such as 'a/**/*.jpg', or '-' for a
    list of files on standard input, one a line. Unreadable files are reported and skipped; the exit
    code is then 1.
    """
    output = None if output == "-" else output
    _check_output(output, kind, model, paths)
    with quiet_import():
        from tfxfer.api import predict as predicting
        from tfxfer.inference import output as listing
    if kind == "parquet":
        listing.check_parquet()
    listed = predicting.read_listed(model) if "-" in paths else []
    named = [path for path in paths if path != "-"]
    counts = _Counts()
    with quiet_libraries():
        answers = predicting.predict(
            model, named, listed=listed, top=top, batch_size=batch_size, say=streams.note
        )
        predictions = counts.of(answers)
        if output is None:
            listing.write(predictions, kind, top, sys.stdout)
        else:
            listing.write_file(predictions, kind, top, user_path(output), otherwise=sys.stdout)
    if output is not None:
        streams.say(f"Wrote '{output}', {counts.files:,} files.")
    if counts.unreadable:
        counts.tell()
        context.exit(1)


def _check_output(output: str | None, kind: str, model: str, paths: tuple[str, ...]) -> None:
    """Raises a UsageError if the output cannot be written, or would overwrite an input."""
    if kind == "parquet" and output is None:
        raise UsageError("Format 'parquet' needs a file to write. Add --output FILE.")
    if output is not None:
        read: list[str | Path] = [*files_of_model(model), *paths]
        check_output(output, "--output", read, "parquet" if kind == "parquet" else "text")


class _Counts:
    """How many files were classified, and how many could not be read."""

    def __init__(self) -> None:
        self.files = self.unreadable = 0

    def of(self, predictions: Iterable[Any]) -> Iterator[Any]:
        """Yields predictions, counts them, and reports unreadable files."""
        for one in predictions:
            self.files += 1
            if one.error:
                self.unreadable += 1
                streams.tell(f"Error: {one.path}: {one.error}")
            yield one

    def tell(self) -> None:
        """Reports how many files could not be read."""
        streams.tell(f"Error: {self.unreadable:,} of the {self.files:,} files could not be read.")
