"""Manifests of texts: CSV, TSV or JSON Lines with `text` and `label`."""

import csv
import io
import json
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfxfer.data.split_names import SPLIT_WORDS, SPLITS, split_of
from tfxfer.errors import DataError, UsageError, did_you_mean
from tfxfer.text.data.encoding import read_text
from tfxfer.text.data.folders import Found
from tfxfer.text.data.source import TextSplit
from tfxfer.text.recognition import LINES_SUFFIXES, TABLE_SUFFIXES

_COLUMNS = ("text", "label", "split")

# What a CSV cell may have; the default of 131,072 characters is less than some articles.
_LONGEST_CELL = min(sys.maxsize, 2**31 - 1)


def read_manifest(path: pathlib.Path, encoding: str, *, is_labeled: bool = True) -> Found:
    """Reads a manifest; a column `split` divides it.

    Args:
        path: The file, `.csv`, `.tsv` or `.jsonl`.
        encoding: Its encoding.
        is_labeled: Whether each row must have a label; otherwise it may be missing or empty.

    Raises:
        UsageError: It is not a valid manifest; the message names the line.
        DataError: It cannot be read, or has another encoding.
    """
    content = read_text(path, encoding)
    suffix = path.suffix.lower()
    if suffix in LINES_SUFFIXES:
        records = _json_lines(path, content)
    else:
        records = _table(path, content, _COLUMNS[: 2 if is_labeled else 1])
    rows: dict[str, list[tuple[str, str, str]]] = {split: [] for split in ("", *SPLITS)}
    for line, record in records:
        where = f"Line {line} of the manifest '{path}'"
        text, label, split = (_field(record, name, where) for name in _COLUMNS)
        if not label and is_labeled:
            raise UsageError(f"{where} has no label.")
        rows[_split(split, where)].append((text, label, f"{path.name} line {line}"))
    without, divided = rows.pop(""), any(rows[split] for split in SPLITS)
    if without and divided:
        raise UsageError(
            f"In the manifest '{path}', {without[0][2]} has no split, but others have one. Give "
            "all of them a split, or leave the column out."
        )
    found = rows if divided else {"train": without}
    names = {label for some in found.values() for _, label, _ in some}
    if not names:
        raise UsageError(f"The manifest '{path}' lists no texts.")
    class_names = tuple(sorted(names, key=_in_order))
    splits = {name: _as_split(some, class_names) for name, some in found.items() if some}
    return Found(class_names, splits)


def _in_order(name: str) -> tuple[int, str]:
    """Returns a sort key: numbers by value, before names."""
    is_number = name.isascii() and name.isdigit() and len(name) < 10
    return (int(name) if is_number else sys.maxsize, name)


def _as_split(rows: list[tuple[str, str, str]], class_names: tuple[str, ...]) -> TextSplit:
    numbers = {name: number for number, name in enumerate(class_names)}
    labels = np.array([numbers[label] for _, label, _ in rows], np.int64)
    return TextSplit([text for text, _, _ in rows], labels, [name for _, _, name in rows])


def _split(written: str, where: str) -> str:
    """Returns the split that a record is in, "" if it has none."""
    if not written:
        return ""
    split = split_of(written)
    if split is None:
        raise UsageError(
            f"{where} has the split '{written}'.{did_you_mean(written, SPLIT_WORDS)} A split is "
            "'train', 'validation' or 'test'."
        )
    return split


def _field(record: Mapping[str, Any], name: str, where: str) -> str:
    """Returns a field of a record as text, "" if it is missing.

    Raises:
        UsageError: It is a list or the like, or the record has no text.
    """
    value = record.get(name)
    if value is None:
        if name == "text":
            raise UsageError(f"{where} has no text.")
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UsageError(f"{where} has a '{name}' that is {json.dumps(value)[:60]}, not text.")
    written = str(value)
    try:
        written.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{where} has a '{name}' with an unpaired surrogate.") from None
    return written if name == "text" else written.strip()


def _json_lines(path: pathlib.Path, content: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yields the line number and the record of each line that is not blank."""
    for number, line in enumerate(io.StringIO(content, newline="\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"Line {number} of the manifest '{path}' is not JSON: {error}."
            ) from None
        if not isinstance(record, dict):
            raise UsageError(f"Line {number} of the manifest '{path}' is not a JSON object.")
        yield number, record


def _table(
    path: pathlib.Path, content: str, needed: Sequence[str]
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yields the line number and the record of each row of a CSV or TSV file."""
    header = content.partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    if delimiter not in header and ";" in header:
        delimiter = ";"
    limit = csv.field_size_limit(_LONGEST_CELL)
    rows = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    try:
        names = [name.strip().lower() for name in next(rows, [])]
        missing = [name for name in needed if name not in names]
        if missing:
            raise UsageError(
                f"The manifest '{path}' has no column '{missing[0]}'. Its first line must name the "
                f"columns: {', '.join(needed)} and perhaps split; it names {', '.join(names)}."
            )
        line = rows.line_num + 1
        for row in rows:
            if row and len(row) != len(names):
                raise UsageError(
                    f"Line {line} of the manifest '{path}' has {len(row)} fields, but the first "
                    f"line names {len(names)}. Quote texts that have a '{delimiter}'."
                )
            if row:
                yield line, dict(zip(names, row, strict=True))
            line = rows.line_num + 1
    except csv.Error as error:
        raise DataError(f"The manifest '{path}' is not valid CSV: {error}.") from None
    finally:
        csv.field_size_limit(limit)


def is_manifest(path: pathlib.Path) -> bool:
    """Tells whether a file may be a manifest, by its name."""
    return path.suffix.lower() in TABLE_SUFFIXES + LINES_SUFFIXES
