"""What is predicted of files, as a table for people, or CSV, JSON Lines or Parquet for machines."""

import json
import pathlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Literal

from tfxfer.errors import UsageError
from tfxfer.run_directory import replacing_named
from tfxfer.tables import TableWriter

Kind = Literal["table", "csv", "jsonl", "parquet"]

# Rows of a Parquet file that are in memory at once.
_GROUP = 10_000


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one file.

    Attributes:
        path: The image file.
        ranked: The most probable classes with their probabilities, the first one first; empty
            where the file could not be read.
        error: Why the file could not be read, or the empty string.
    """

    path: pathlib.Path
    ranked: tuple[tuple[str, float], ...]
    error: str = ""


def columns(top: int) -> list[str]:
    """Returns the names of the columns: `label` and `probability` are of the first class."""
    ranked = [
        f"{name}{'' if place == 1 else f'_{place}'}"
        for place in range(1, top + 1)
        for name in ("label", "probability")
    ]
    return ["path", *ranked, "error"]


def row(prediction: Prediction, top: int) -> list[Any]:
    """Returns the values of the columns, None where there is none."""
    ranked: list[Any] = [value for pair in prediction.ranked for value in pair]
    ranked += [None] * (2 * top - len(ranked))
    return [str(prediction.path), *ranked, prediction.error or None]


def table_line(prediction: Prediction) -> str:
    """Returns a line for people; what is no printable character is escaped."""
    ranked = "  ".join(f"{_shown(label)} {share:.4f}" for label, share in prediction.ranked)
    return f"{_shown(str(prediction.path))}  {ranked}"


def as_json(prediction: Prediction) -> str:
    """Returns a line of JSON: path, label, probability and ranked, or path and error."""
    content: dict[str, Any] = {"path": str(prediction.path)}
    if prediction.error:
        content["error"] = prediction.error
    else:
        label, probability = prediction.ranked[0]
        ranked = [{"label": name, "probability": share} for name, share in prediction.ranked]
        content |= {"label": label, "probability": probability, "ranked": ranked}
    # Escapes serve names that are no UTF-8, too.
    return json.dumps(content)


def write(predictions: Iterable[Prediction], kind: Kind, top: int, file: IO[str]) -> None:
    """Writes predictions as they come.

    Args:
        predictions: Each is one line, or one record.
        kind: "table", where those with an error are left out, "csv" or "jsonl".
        top: How many classes each has at the most.
        file: Where to.
    """
    if kind == "csv":
        records = TableWriter(file)
        records.writerow(columns(top))
        for prediction in predictions:
            records.writerow(row(prediction, top))
        return
    for prediction in predictions:
        if kind == "jsonl":
            print(as_json(prediction), file=file)
        elif not prediction.error:
            print(table_line(prediction), file=file)


def write_file(predictions: Iterable[Prediction], kind: Kind, top: int, path: pathlib.Path) -> None:
    """Writes predictions into a file, which is there when all are in it.

    Args:
        predictions: Each is one line, or one record.
        kind: As for `write`, or "parquet".
        top: How many classes each has at the most.
        path: What it held before is replaced.

    Raises:
        UsageError: There is no directory for it, it is a directory, or a package is missing.
    """
    with replacing_named(path) as temporary:
        if kind == "parquet":
            _write_parquet(predictions, top, temporary)
        else:
            with temporary.open(
                "w", encoding="utf-8", errors="surrogateescape", newline=""
            ) as file:
                write(predictions, kind, top, file)


def _write_parquet(predictions: Iterable[Prediction], top: int, path: pathlib.Path) -> None:
    pyarrow, parquet = _import_parquet()
    names = columns(top)
    kinds = [
        (name, pyarrow.float32() if name.startswith("probability") else pyarrow.string())
        for name in names
    ]
    schema = pyarrow.schema(kinds)
    with parquet.ParquetWriter(path, schema) as file:
        for group in _grouped(predictions):
            rows = [row(prediction, top) for prediction in group]
            # Parquet's text is UTF-8: other characters of a path are replaced.
            for values in rows:
                values[0] = values[0].encode("utf-8", "replace").decode()
            file.write_table(
                pyarrow.table([list(values) for values in zip(*rows, strict=True)], schema)
            )


def check_parquet() -> None:
    """Raises a UsageError where Parquet files cannot be written."""
    _import_parquet()


def _import_parquet() -> tuple[Any, Any]:
    """Returns PyArrow, which is an extra."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(
            "To write Parquet the package 'pyarrow' is needed: pip install 'tfxfer[parquet]'."
        ) from None
    return pyarrow, parquet


def _grouped(predictions: Iterable[Prediction]) -> Iterator[list[Prediction]]:
    group = []
    for prediction in predictions:
        group.append(prediction)
        if len(group) == _GROUP:
            yield group
            group = []
    if group:
        yield group


def _shown(text: str) -> str:
    """Returns a name on one line: control characters escaped, all else as it is."""
    return "".join(
        character
        if character.isprintable() or "\udc80" <= character <= "\udcff"
        else character.encode("unicode_escape").decode()
        for character in text
    )
