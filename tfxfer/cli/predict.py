"""`predict`: classes of image files."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from tfxfer.cli.quiet import quiet_import
from tfxfer.config.paths import user_path
from tfxfer.errors import UsageError
from tfxfer.system import streams
from tfxfer.system.files import check_output
from tfxfer.system.run_layout import files_of_model


@click.command()
@click.argument("model")
@click.argument("paths", nargs=-1, required=True)
@click.option("--top", type=click.IntRange(min=1), default=1, show_default=True, help="Classes.")
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "csv", "jsonl", "parquet"]),
    default="table",
    show_default=True,
    help="For people, or for machines.",
)
@click.option("--output", metavar="FILE", help="Write to a file  [default: here]")
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
    """Classify image files with MODEL: a run, a .keras file, or a SavedModel that export made.

    A .keras (or whole-model .h5) file need not be of tfxfer. It takes square images, RGB in
    [0, 255] or grey, and gives probabilities or logits of the classes in the classes.txt beside it,
    one per line; for two classes also one unit, which is that of the second.

    PATHS are files, folders with all the images in and below them, patterns such as 'a/**/*.jpg',
    and - for a list on standard input, a file on each line. A file that cannot be read is reported
    and the others are still done; the exit code is then 1.
    """
    output = None if output == "-" else output
    _check_output(output, kind, model, paths)
    with quiet_import():
        from tfxfer.api.predict import predict as ask
        from tfxfer.inference import output as listing
    if kind == "parquet":
        listing.check_parquet()
    listed = streams.read_list() if "-" in paths else []
    named = [path for path in paths if path != "-"]
    counts = _Counts()
    answers = ask(model, named, listed=listed, top=top, batch_size=batch_size, say=streams.note)
    predictions = counts.of(answers)
    if output is None:
        listing.write(predictions, kind, top, sys.stdout)
    else:
        listing.write_file(predictions, kind, top, user_path(output), otherwise=sys.stdout)
        streams.say(f"Wrote '{output}', {counts.files:,} files.")
    if counts.unreadable:
        counts.tell()
        context.exit(1)


def _check_output(output: str | None, kind: str, model: str, paths: tuple[str, ...]) -> None:
    """Raises a UsageError unless the output can be written; what is read must stay."""
    if kind == "parquet" and output is None:
        raise UsageError("Format 'parquet' goes into a file: say which with --output.")
    if output is not None:
        read: list[str | Path] = [*files_of_model(model), *paths]
        check_output(output, "--output", read, "parquet" if kind == "parquet" else "text")


class _Counts:
    """How many files were asked about, and how many of them could not be read."""

    def __init__(self) -> None:
        self.files = self.unreadable = 0

    def of(self, predictions: Iterable[Any]) -> Iterator[Any]:
        """Yields predictions as they are counted, and names the files without one."""
        for one in predictions:
            self.files += 1
            if one.error:
                self.unreadable += 1
                streams.tell(f"Error: {one.path}: {one.error}")
            yield one

    def tell(self) -> None:
        """Says how many files could not be read."""
        streams.tell(f"Error: {self.unreadable:,} of the {self.files:,} files could not be read.")
