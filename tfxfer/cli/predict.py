"""The commands on images without labels: `predict` and `label-next`."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from tfxfer.cli.formatting import Command
from tfxfer.cli.options import JSON_HELP, batch_size_option
from tfxfer.cli.quiet import quiet_import, quiet_libraries
from tfxfer.config.paths import user_path
from tfxfer.curation.labeling.asking import Choice, check_files
from tfxfer.errors import UsageError
from tfxfer.system import streams
from tfxfer.system.files import check_output, write_text
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
@click.option(
    "--shards",
    metavar="DIRECTORY",
    help="Write Parquet files into DIRECTORY, one per --shard-size images. If interrupted, the "
    "same command resumes.",
)
@click.option("--shard-size", type=click.IntRange(min=1), help="Images per file.  [default: 5000]")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    help="What computes the shards: this process, or workers of Ray.  [default: local]",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes of --engine ray.  [default: the number of cores]",
)
@click.option(
    "--address",
    help="Ray cluster to use, 'auto' or 'ray://HOST:PORT'.  [default: Ray is started here]",
)
@click.pass_context
def predict(
    context: click.Context,
    /,
    model: str,
    paths: tuple[str, ...],
    top: int,
    batch_size: int,
    kind: Any,
    output: str | None,
    **sharding: Any,
) -> None:
    """Classify image files, or texts.

    MODEL is a run, a .keras file, or an exported SavedModel. A .keras (or whole-model .h5) file
    may come from elsewhere: it must take square images, RGB in [0, 255] or grayscale, and return
    probabilities or logits of the classes in a classes.txt next to it, one per line. A single
    output is the probability or logit of the second of two classes.

    A model of texts takes text files: each is one text. Then '-' stands for the lines of standard
    input, each of which is a text.

    PATHS are files, folders (searched recursively), patterns such as 'a/**/*.jpg', URLs of these
    such as s3://bucket/photos, or '-' for a list of files on standard input, one per line.
    Unreadable files are reported and skipped; the exit code is then 1.
    """
    output = None if output == "-" else output
    given = {name: value for name, value in sharding.items() if value is not None}
    if given:
        told = {"top": top, "batch_size": batch_size}
        _predict_shards(model, paths, told, given, output or (kind != "table" and kind) or "")
        return
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


def _predict_shards(
    model: str, paths: tuple[str, ...], told: dict[str, int], given: dict[str, Any], other: str
) -> None:
    """Writes predictions as shards.

    Args:
        model: The model.
        paths: The files to classify.
        told: Settings of the prediction.
        given: The options on shards that were given.
        other: An output file or format that was given as well; "" if none was.
    """
    directory = given.pop("shards", None)
    if directory is None:
        option = next(iter(given)).replace("_", "-")
        raise UsageError(f"Option --{option} is for --shards DIRECTORY. Add that, or leave it out.")
    if other:
        raise UsageError(
            "--shards writes Parquet files into its directory. Leave --output and --format out."
        )
    if "shard_size" in given:
        given["size"] = given.pop("shard_size")
    with quiet_import():
        from tfxfer.api import predict as predicting
        from tfxfer.inference.jobs.engines import Sharding
    listed = predicting.read_listed(model) if "-" in paths else []
    named = [path for path in paths if path != "-"]
    with quiet_libraries():
        written = predicting.predict_shards(
            model,
            named,
            directory,
            listed=listed,
            sharding=Sharding(**given),
            say=streams.note,
            **told,
        )
    streams.say(
        f"Wrote {written.count:,} shard{'' if written.count == 1 else 's'} of "
        f"{len(written.files):,} images to '{directory}'."
    )


@click.command(
    "label-next",
    cls=Command,
    examples=(
        "tfxfer label-next runs/photos-mobilenetv2 inbox --manifest next.csv",
        "tfxfer label-next runs/photos-mobilenetv2 inbox --output next.html",
    ),
)
@click.argument("run")
@click.argument("paths", nargs=-1, required=True, metavar="DIRECTORY...")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Number of images to choose.",
)
@click.option(
    "--manifest",
    metavar="FILE",
    help="Write them to FILE (.csv) with an empty column of labels. Fill it in, and pass it to fit "
    "with --data.",
)
@click.option(
    "--with-labeled",
    is_flag=True,
    help="The manifest also has the images of the run, with their labels and splits.",
)
@click.option("--output", metavar="FILE", help="Write an HTML page with thumbnails.")
@click.option("--json", "json_file", metavar="FILE", help=JSON_HELP)
@click.option(
    "--strategy",
    type=click.Choice(["typical", "uncertain"]),
    help="Choose typical images, or uncertain and diverse ones.  [default: typical with fewer than "
    "5 labeled images per class, then uncertain]",
)
@click.option("--data", help="The new location of the run's data, if they have moved.")
@batch_size_option
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the choice.")
def label_next(run: str, paths: tuple[str, ...], json_file: str | None, **options: Any) -> None:
    """Choose which unlabeled images to label next.

    Lists the unlabeled images whose labels would help the model of RUN most. Each DIRECTORY is a
    folder (searched recursively), a file or a pattern. Images that are already in the data of the
    run, and exact duplicates, are left out.
    """
    files = [options["manifest"], options["output"]]
    Choice.of(**{name: options[name] for name in ("count", "strategy", "batch_size", "seed")})
    check_files(run, paths, *files, with_labeled=options["with_labeled"])
    if json_file not in (None, "-"):
        check_output(json_file, "--json", [*files_of_model(run), *paths], "text")
    with quiet_import():
        from tfxfer.api.curation import label_next as labeling
    with quiet_libraries():
        result = labeling.label_next(run, paths, say=streams.note, **options)
    as_json = json.dumps(result.as_json(), indent=2)
    if json_file == "-":
        streams.say(as_json)
        return
    if json_file is not None:
        write_text(json_file, as_json + "\n")
    streams.say(result.describe())
    for path in filter(None, [*files, json_file]):
        streams.say(f"Wrote '{path}'.")


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
