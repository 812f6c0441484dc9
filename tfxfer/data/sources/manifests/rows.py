"""The rows of a manifest, checked one by one."""

import dataclasses
import math
import pathlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tfxfer.data.labels.reading import AS_GIVEN, LabelReading
from tfxfer.data.labels.tasks import BETWEEN
from tfxfer.data.source import first_few
from tfxfer.data.sources.manifests.cells import Cell, LabelCells, Several
from tfxfer.data.sources.manifests.dialect import (
    found_path,
    repaired,
    text_of,
    without_separator_line,
)
from tfxfer.data.sources.manifests.number_cells import NumberCells
from tfxfer.data.sources.manifests.of_run import is_of_run
from tfxfer.data.sources.manifests.records import OPTIONAL, is_csv, label_column, records_of
from tfxfer.data.sources.manifests.task_cells import TaskCells
from tfxfer.data.split_names import SPLIT_WORDS, split_of
from tfxfer.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Row:
    """A line of a manifest."""

    line: int  # in the file, from 1
    path: str  # as in the file
    label: str  # "" where an image has several
    split: str  # "train", "validation", "test" or ""
    weight: float | None
    group: str
    source: str
    several: Several | None = None  # None where an image has one
    number: float | None = None  # None where an image has a class, or several labels
    column: str = ""  # of the labels; empty where there are several such columns


def read_rows(path: pathlib.Path, how: LabelReading = AS_GIVEN) -> tuple[list[Row], list[str]]:
    """Returns the rows of a manifest, and notes on unused columns and merged class names.

    Args:
        path: Of the manifest.
        how: How its labels are to be read.

    Raises:
        UsageError: The file is not a valid manifest; the message names the line.
    """
    notes: list[str] = []
    text = text_of(path, notes)
    reading = _Reading(path, not is_csv(path) or _is_exact(path, text), how)
    rows: list[Row] = []
    lines: dict[str, int] = {}
    for line, written in records_of(path, text, notes, how):
        row = reading.row(line, written)
        if row.path in lines:
            raise UsageError(
                f"Line {line} of the manifest '{path}' lists '{row.path}' again; it is on line "
                f"{lines[row.path]}. Remove one."
            )
        lines[row.path] = line
        rows.append(row)
    if not rows:
        raise UsageError(f"The manifest '{path}' lists no images.")
    _check_splits(path, rows)
    pairs = zip(rows, reading.cells.labels(), strict=True)
    # An image without its number is left out; see `NumberCells`.
    rows = [_with_labels(row, labels) for row, labels in pairs if labels is not None]
    return rows, notes + reading.notes()


def _with_labels(row: Row, labels: str | Several | float) -> Row:
    if isinstance(labels, str):
        return dataclasses.replace(row, label=labels)
    if isinstance(labels, float):
        return dataclasses.replace(row, number=labels)
    return dataclasses.replace(row, several=labels)


def _check_splits(path: pathlib.Path, rows: Sequence[Row]) -> None:
    """Raises a UsageError if some rows have a split and others do not."""
    without = next((row for row in rows if not row.split), None)
    if without and any(row.split for row in rows):
        raise UsageError(
            f"Line {without.line} of the manifest '{path}' has no split, but others have one. Give "
            "all of them a split, or leave the column out."
        )


class _Reading:
    """Turns records into rows, and collects notes on all of them.

    Args:
        path: Of the manifest.
        is_exact: Whether white space around fields belongs to them.
        how: How the labels are to be read.

    Attributes:
        cells: The labels of the rows so far.
    """

    def __init__(self, path: pathlib.Path, is_exact: bool, how: LabelReading) -> None:
        self.cells: LabelCells | TaskCells | NumberCells
        if how.target:
            self.cells = NumberCells(path, how)
        elif how.tasks:
            self.cells = TaskCells(path, how, is_exact=is_exact)
        else:
            self.cells = LabelCells(path, how, is_exact=is_exact, is_of_run=is_of_run(path))
        self._path = path
        self._is_exact = is_exact
        self._columns = tuple(name.lower() for name in how.own_columns)
        self._paths = _Paths(path.parent)
        self._is_repaired = False
        self._unused: dict[str, None] = {}

    def row(self, line: int, written: Mapping[str, str]) -> Row:
        """Returns the row of a line.

        Args:
            line: Its number.
            written: Its fields by column.
        """
        record = {
            key: value if key == "path" else repaired(value) for key, value in written.items()
        }
        if not record.get("source"):
            record["path"] = self._paths.found(written["path"])
        self._is_repaired |= any(
            repaired(value) != value and repaired(record[key]) == record[key]
            for key, value in written.items()
        )
        where = f"Line {line} of the manifest '{self._path}'"
        row = _row(where, line, record if self._is_exact else _stripped(record))
        labels = self._columns or (label_column(record),)
        self._unused |= dict.fromkeys(
            key for key in record if key not in ("path", *labels, *OPTIONAL)
        )
        found = {name: record[name] for name in labels}
        row = dataclasses.replace(row, column=labels[0] if len(labels) == 1 else "")
        self.cells.add(Cell(line, found, record.get("missing", "")))
        return row

    def notes(self) -> list[str]:
        """Returns notes on repaired text and paths, and on unused columns."""
        name, notes = self._path.name, []
        if self._is_repaired:
            notes.append(
                f"'{name}' has bytes that are not UTF-8; they were read as Windows-1252 (Latin-1)"
            )
        notes += self._paths.notes(name)
        if not self.cells.are_several and self.cells.have_missing:
            self._unused["missing"] = None
        if self._unused:
            unnamed = [column or "one without a name" for column in self._unused]
            notes.append(f"ignored in '{name}': {first_few(unnamed, 'column', 'columns')}")
        return notes + self.cells.notes()


class _Paths:
    """The paths of a manifest; counts those found only with slashes for backslashes."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._num_slashed = 0

    def found(self, written: str) -> str:
        """Returns a path in the form that exists, or unchanged."""
        path = found_path(self._folder, written)
        self._num_slashed += "\\" in written and "\\" not in path
        return path

    def notes(self, name: str) -> list[str]:
        """Returns a note on paths whose backslashes were read as slashes."""
        if not self._num_slashed:
            return []
        paths = "1 path" if self._num_slashed == 1 else f"{self._num_slashed:,} paths"
        return [f"backslashes were read as slashes in {paths} of '{name}'"]


def _is_exact(path: pathlib.Path, text: str) -> bool:
    """Tells whether white space around the fields of a CSV file is part of them.

    It is if all fields are quoted, including the header, as `write_manifest` does where it matters,
    and in the `splits.csv` of a run, which earlier versions wrote without quotes.
    """
    return is_of_run(path) or without_separator_line(text)[0].startswith('"')


def _stripped(record: Mapping[str, str]) -> dict[str, str]:
    """Returns stripped fields, except for the path, which is unchanged."""
    return {key: value if key == "path" else value.strip() for key, value in record.items()}


def _row(where: str, line: int, record: Mapping[str, str]) -> Row:
    """Returns a line's record as a row, checked."""
    if not record["path"].strip():
        raise UsageError(f"{where} has an empty 'path'.")
    if "\0" in record["path"]:
        raise UsageError(f"{where} has a path with a NUL character.")
    word = record.get("split", "").strip().lower()
    if word and split_of(word) is None:
        raise UsageError(
            f"{where} has the split '{word}'; allowed are train, validation and test."
            f"{did_you_mean(word, SPLIT_WORDS)}"
        )
    written = record.get("weight", "").strip()
    try:
        weight = float(written) if written else None
    except ValueError:
        weight = math.nan
    if weight is not None and not 0 <= weight < math.inf:
        raise UsageError(f"{where} has the weight '{written}'; it must be a number, at least 0.")
    return Row(
        line=line,
        path=record["path"],
        label="",
        split=(split_of(word) or "") if word else "",
        weight=weight,
        group=record.get("group", ""),
        source=record.get("source", ""),
    )


def check_groups(path: pathlib.Path, rows: Sequence[Row]) -> None:
    """Raises a UsageError if a group is in more than one split."""
    first: dict[str, Row] = {}
    for row in rows:
        other = first.setdefault(row.group, row)
        if row.group and other.split != row.split:
            raise UsageError(
                f"The group '{row.group}' of the manifest '{path}' is in two splits: line "
                f"{other.line} is in {other.split}, line {row.line} in {row.split}."
            )


def not_in_train(
    path: pathlib.Path, row: Row, name: str, where: str, trained: Collection[str], is_of_task: bool
) -> UsageError:
    """Returns the error for a label that no training image has.

    Args:
        path: Of the manifest.
        row: The line.
        name: The label; of several tasks that of an output, see `Tasks.output_names`.
        where: Where the label is, such as "in test".
        trained: The labels of the training images.
        is_of_task: Whether these are names of outputs.
    """
    column, label = name.split(BETWEEN, 1) if is_of_task else (row.column or name, name)
    start = column + BETWEEN if is_of_task else ""
    near = [one.removeprefix(start) for one in trained if one.startswith(start)]
    return UsageError(
        f"Line {row.line} of the manifest '{path}', column '{column}', has the label '{label}' "
        f"{where}, which does not occur in train.{did_you_mean(label, near)}"
    )
