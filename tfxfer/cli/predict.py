"""`predict`: classes of image files."""

import sys
from collections.abc import Iterator
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
    if kind == "parquet" and output is None:
        raise UsageError("Format 'parquet' goes into a file: say which with --output.")
    if output is not None:
        check_output(output, "--output", [*files_of_model(model), *paths])
    with quiet_import():
        from tfxfer.api import predict as prediction
        from tfxfer.inference import output as listing
    if kind == "parquet":
        listing.check_parquet()
    listed = streams.read_list() if "-" in paths else []
    named = [path for path in paths if path != "-"]
    counts = {"files": 0, "unreadable": 0}

    def counted() -> Iterator[Any]:
        for one in prediction.predict(
            model, named, listed=listed, top=top, batch_size=batch_size, say=streams.note
        ):
            counts["files"] += 1
            if one.error:
                counts["unreadable"] += 1
                streams.tell(f"Error: {one.path}: {one.error}")
            yield one

    if output is None:
        listing.write(counted(), kind, top, sys.stdout)
    else:
        listing.write_file(counted(), kind, top, user_path(output), otherwise=sys.stdout)
        streams.say(f"Wrote '{output}', {counts['files']:,} files.")
    if counts["unreadable"]:
        streams.tell(
            f"Error: {counts['unreadable']:,} of the {counts['files']:,} files could not be read."
        )
        context.exit(1)
