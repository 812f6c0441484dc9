"""The lines of a manifest as records, from CSV or JSON Lines."""

import csv
import io
import json
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from tfxfer.data.sources.manifests.dialect import (
    note_on_separator,
    repaired,
    separator_of,
    without_separator_line,
)
from tfxfer.errors import UsageError, did_you_mean

REQUIRED = ("path", "label")

# What a manifest may say beside these; `source` is what opens the data in which a path is an id.
OPTIONAL = ("split", "weight", "group", "source")

# Half of a character of UTF-16. Others like it stand for bytes that are no UTF-8, as in file names.
_LONE_SURROGATE = re.compile("[\ud800-\udc7f\udd00-\udfff]")

# Maximum field length: longer than any path or label. Python's default is below that of long paths.
_LONGEST_FIELD = 1_000_000


def records_of(
    path: pathlib.Path, text: str, notes: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line number, from 1, and the fields by column, for each line of a manifest.

    Args:
        path: Of the file; its suffix tells the format.
        text: Its content.
        notes: Gets a line if the separator is not a comma.

    Raises:
        UsageError: The file is no such table; the message names the line.
    """
    return _csv_records(path, text, notes) if is_csv(path) else _json_records(path, text)


def is_csv(path: pathlib.Path) -> bool:
    """Tells whether a manifest is CSV by its name."""
    return path.suffix.lower() in (".csv", ".tsv")


def _csv_records(
    path: pathlib.Path, text: str, notes: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line number and the fields by column for each line of a CSV file."""
    csv.field_size_limit(_LONGEST_FIELD)
    rest, stated = without_separator_line(text)
    separator = separator_of(rest, stated, REQUIRED)
    notes += note_on_separator(path.name, separator)
    table = csv.reader(io.StringIO(rest, newline=""), delimiter=separator, strict=True)
    before = 1 if stated else 0
    try:
        columns = [repaired(column).strip().lower() for column in next(table, [])]
        _check_columns(path, columns)
        for fields in table:
            if not any(fields):  # an empty line
                continue
            line = table.line_num + before
            # Spreadsheets write separators for columns that are empty.
            if len(fields) < len(columns) or any(fields[len(columns) :]):
                raise UsageError(
                    f"Line {line} of the manifest '{path}' has {len(fields)} fields, but there are "
                    f"{len(columns)} columns."
                )
            record = dict(zip(columns, fields, strict=False))
            if separator != "," and re.fullmatch(r"\s*\d+,\d+\s*", record.get("weight", "")):
                record["weight"] = record["weight"].replace(",", ".")
            yield line, record
    except csv.Error as error:
        raise UsageError(
            f"Line {table.line_num + before} of the manifest '{path}' is not CSV: {error}."
        ) from error


def _json_records(path: pathlib.Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line number and the fields by name for each line of a JSON Lines file."""
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if not line.strip():
            continue
        where = f"Line {number} of the manifest '{path}'"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = "brackets are nested too deep"
            if isinstance(error, json.JSONDecodeError):
                reason = f"{error.msg.removesuffix(' at')} at character {error.colno}"
            raise UsageError(f"{where} is not JSON: {reason}.") from error
        if not isinstance(record, dict):
            raise UsageError(
                f'{where} is not a JSON object such as {{"path": "cat/1.jpg", "label": "cat"}}.'
            )
        record = {key.strip().lower(): value for key, value in record.items()}
        _check_columns(path, list(record), f"{where} ", "names")
        yield number, {key: _text(where, key, value) for key, value in record.items()}


def _text(where: str, key: str, value: Any) -> str:
    """Returns a JSON value as the text of a CSV field."""
    if value is None or value != value:  # pandas writes NaN for a missing value
        return ""
    if key in (*REQUIRED, *OPTIONAL) and (
        isinstance(value, dict | list | bool) or (key == "path" and not isinstance(value, str))
    ):
        raise UsageError(f"{where} has a '{key}' that is neither text nor a number.")
    text = str(value)
    if key in (*REQUIRED, *OPTIONAL) and _LONE_SURROGATE.search(text):
        raise UsageError(f"{where} has a '{key}' with an unpaired surrogate, which is not text.")
    return text


def _check_columns(
    path: pathlib.Path, columns: Sequence[str], subject: str = "", noun: str = "columns"
) -> None:
    """Raises a UsageError unless the required columns exist."""
    subject = subject or f"The manifest '{path}' "
    for column in REQUIRED:
        if column not in columns:
            mistyped = [name for name in columns if did_you_mean(name, [column])]
            hint = f" Should '{mistyped[0]}' be '{column}'?" if mistyped else ""
            raise UsageError(
                f"{subject}has no '{column}'; its {noun} are {', '.join(columns) or 'none'}."
                f"{hint} A manifest has the columns 'path' and 'label' "
                f"and may have {', '.join(repr(name) for name in OPTIONAL[:-1])}."
            )
    known = (*REQUIRED, *OPTIONAL)  # what others have is not used
    twice = [column for column in columns if column in known and columns.count(column) > 1]
    if twice:
        raise UsageError(f"{subject}has the column '{twice[0]}' twice.")
