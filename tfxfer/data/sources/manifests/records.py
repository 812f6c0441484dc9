"""The lines of a manifest as records, from CSV or JSON Lines."""

import csv
import io
import json
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfxfer.data.labels.reading import AS_GIVEN, LabelReading
from tfxfer.data.sources.manifests.dialect import (
    note_on_separator,
    repaired,
    separator_of,
    without_separator_line,
)
from tfxfer.errors import UsageError, did_you_mean

# The columns of labels, of which one is read: `labels` has several, `class` has one, whatever is in
# it, and of `label` its cells tell.
LABELS = ("label", "labels", "class")

# What a manifest may say beside `path` and these; `missing` has the labels of which it is unknown
# whether the image has them, and `source` is what opens the data in which a path is an id.
OPTIONAL = ("split", "weight", "group", "missing", "source")

_LISTS = ("label", "labels", "missing")

# Half of a character of UTF-16. Others like it stand for bytes that are no UTF-8, as in file names.
_LONE_SURROGATE = re.compile("[\ud800-\udc7f\udd00-\udfff]")

# Maximum field length: longer than any path or label. Python's default is below that of long paths.
_LONGEST_FIELD = 1_000_000


def records_of(
    path: pathlib.Path, text: str, notes: list[str], how: LabelReading = AS_GIVEN
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line number, from 1, and the fields by column, for each line of a manifest.

    Args:
        path: Of the file; its suffix tells the format.
        text: Its content.
        notes: Gets a line if the separator is not a comma.
        how: How its labels are to be read: from columns of their own, or from a column of labels.

    Raises:
        UsageError: The file is no such table; the message names the line.
    """
    own = tuple(name.lower() for name in how.own_columns)
    needed = _Needed(path, own, how.option, how.target.lower())
    return _csv_records(needed, text, notes) if is_csv(path) else _json_records(needed, text)


def label_column(record: Mapping[str, str]) -> str:
    """Returns the column of the labels in a record: the first of `LABELS` that it has."""
    return next(name for name in LABELS if name in record)


def is_csv(path: pathlib.Path) -> bool:
    """Tells whether a manifest is CSV by its name."""
    return path.suffix.lower() in (".csv", ".tsv")


def _csv_records(
    needed: "_Needed", text: str, notes: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line number and the fields by column for each line of a CSV file."""
    path = needed.path
    csv.field_size_limit(_LONGEST_FIELD)
    rest, stated = without_separator_line(text)
    separator = separator_of(rest, stated, *needed.alternatives)
    notes += note_on_separator(path.name, separator)
    table = csv.reader(io.StringIO(rest, newline=""), delimiter=separator, strict=True)
    before = 1 if stated else 0
    try:
        columns = [repaired(column).strip().lower() for column in next(table, [])]
        needed.check(columns)
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
            if separator != ",":  # a comma may then be that of a number
                for name in ("weight", needed.target):
                    if re.fullmatch(r"\s*[-+]?\d+,\d+\s*", record.get(name, "")):
                        record[name] = record[name].replace(",", ".")
            yield line, record
    except csv.Error as error:
        raise UsageError(
            f"Line {table.line_num + before} of the manifest '{path}' is not CSV: {error}."
        ) from error


def _json_records(needed: "_Needed", text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line number and the fields by name for each line of a JSON Lines file."""
    path = needed.path
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
        needed.check(list(record), f"{where} ", "names")
        for key in needed.label_columns:
            if isinstance(record[key], dict | list):
                raise UsageError(f"{where} has a '{key}' that is neither text nor a number.")
        yield number, {key: _text(where, key, value) for key, value in record.items()}


def _text(where: str, key: str, value: Any) -> str:
    """Returns a JSON value as the text of a CSV field; a list of labels stays JSON."""
    if value is None or value != value:  # pandas writes NaN for a missing value
        return ""
    known = ("path", *LABELS, *OPTIONAL)
    if key in _LISTS and isinstance(value, list):
        if not all(isinstance(item, str | int | float) for item in value):
            raise UsageError(f"{where} has a '{key}' whose items are not all text or numbers.")
        text = json.dumps([str(item) for item in value], ensure_ascii=False)
    elif key in known and (
        isinstance(value, dict | list | bool) or (key == "path" and not isinstance(value, str))
    ):
        raise UsageError(f"{where} has a '{key}' that is neither text nor a number.")
    else:
        text = str(value)
    if key in known and _LONE_SURROGATE.search(text):
        raise UsageError(f"{where} has a '{key}' with an unpaired surrogate, which is not text.")
    return text


@dataclass(frozen=True)
class _Needed:
    """The columns that a manifest must have.

    Attributes:
        path: Of the manifest.
        label_columns: The columns that are labels, in lower case; empty for a column of labels.
        option: What named them.
        target: The one that has numbers, in lower case; empty if there is none.
    """

    path: pathlib.Path
    label_columns: tuple[str, ...]
    option: str
    target: str = ""

    @property
    def alternatives(self) -> list[set[str]]:
        """The sets of columns of which one must be there."""
        if self.label_columns:
            return [{"path", *self.label_columns}]
        return [{"path", name} for name in LABELS]

    def check(self, columns: Sequence[str], subject: str = "", noun: str = "columns") -> None:
        """Raises a UsageError unless the required columns exist."""
        subject = subject or f"The manifest '{self.path}' "
        for column in ("path", *(self.label_columns or ["label"])):
            is_there = column in columns or (column == "label" and set(LABELS) & set(columns))
            if not is_there:
                raise self._missing(column, columns, subject, noun)
        labels = self.label_columns or [label_column(dict.fromkeys(columns, ""))]
        known = ("path", *labels, *OPTIONAL)  # what others have is not used
        twice = [column for column in columns if column in known and columns.count(column) > 1]
        if twice:
            raise UsageError(f"{subject}has the column '{twice[0]}' twice.")

    def _missing(self, column: str, columns: Sequence[str], subject: str, noun: str) -> UsageError:
        mistyped = [name for name in columns if did_you_mean(name, [column])]
        hint = f" Should '{mistyped[0]}' be '{column}'?" if mistyped else ""
        if self.label_columns:  # of which the mistyped name may be the user's
            hint = did_you_mean(column, columns)
        has = "'path' and 'label'"
        if self.label_columns:
            has = f"'path' and those of {self.option}, {', '.join(self.label_columns)},"
        return UsageError(
            f"{subject}has no '{column}'; its {noun} are {', '.join(columns) or 'none'}."
            f"{hint} A manifest has the columns {has} "
            f"and may have {', '.join(repr(name) for name in OPTIONAL[:-1])}."
        )
