"""Manifests: tables, CSV or JSON Lines, of images with their labels."""

import csv
import dataclasses
import functools
import io
import json
import math
import os
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfxfer.config.paths import listed_path
from tfxfer.data.image.sizes import typical_height_and_width
from tfxfer.data.source import (
    SPLIT_OF,
    SPLITS,
    Source,
    Split,
    canonical,
    first_few,
    in_any_order,
    look_alikes,
    places_of,
    split_of,
)
from tfxfer.data.sources.dialect import (
    found_path,
    note_on_separator,
    repaired,
    separator_of,
    text_of,
    without_separator_line,
)
from tfxfer.data.sources.folders import file_digests
from tfxfer.errors import DataError, UsageError, did_you_mean
from tfxfer.system.files import replacing
from tfxfer.system.names import safe_name
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.tables import TableWriter, needs_quotes

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")

_REQUIRED = ("path", "label")

# What a manifest may say beside these; `source` is what opens the data in which a path is an id.
_OPTIONAL = ("split", "weight", "group", "source")

# A field as long as this is no path and no label; Python's own limit is below that of a long path.
_LONGEST_FIELD = 1_000_000

# Of so many first files one at least must be there.
_TRIED = 64


@dataclass(frozen=True)
class _Row:
    """A line of a manifest."""

    line: int  # in the file, from 1
    path: str  # as it is written
    label: str
    split: str  # "train", "validation", "test" or ""
    weight: float | None
    group: str
    source: str


def open_manifest(path: pathlib.Path, open_origin: Callable[[str], Source]) -> Source:
    """Returns the images that a manifest lists, in its order.

    A CSV file has a line of column names, and its fields are separated by commas, semicolons, tabs
    or vertical bars; JSON Lines has an object on each line. Both are UTF-8, or UTF-16 where the
    first bytes say so; what is no UTF-8 is read as Windows-1252. Columns, in any case and order:

    - `path`: of the image file, absolute or from the manifest's directory; backslashes are slashes
      where the file is found so;
    - `label`: the name of the class;
    - `split`, optional, on every line or on none: train, validation or test; without it, or where a
      split is missing, `open_source` carves as from a folder;
    - `weight`, optional: how much the example counts in training, at least 0, 1 where it is empty;
    - `group`, optional: examples of one group are never divided between splits;
    - `source`, optional, as in the `splits.csv` of a run: what `--data` opens, and `path` is then
      the id of an example in there.

    Classes are in the order of their names. Names that differ in Unicode normalization alone are
    one, and so are those that differ in white space around them, but in JSON, in a CSV file whose
    header is in quotes, as that of programs that put all fields in quotes, and in the `splits.csv`
    of a run. Images are not looked at, nor whether they are there.

    Args:
        path: A file that ends in .csv, .tsv, .jsonl or .ndjson.
        open_origin: Opens what a `source` names, in its own splits.

    Raises:
        UsageError: The file is no such table; the message names the line.
    """
    rows, notes = _read(path)
    _check_groups(path, rows)
    origins = {row.source for row in rows}
    if len(origins) > 1:
        raise UsageError(
            f"The manifest '{path}' names more than one source; allowed is one on all lines, or "
            "none. Make a manifest of each."
        )
    labels = sorted({row.label for row in rows}, key=canonical)
    notes += look_alikes(labels)
    weights = [row.weight for row in rows if row.weight is not None]
    if weights:
        notes.append(f"examples count from {min(weights):g} to {max(weights):g} in training")
    (origin,) = origins
    if origin:
        opened = open_origin(origin)
        is_known = None not in places_of(labels, opened.class_names)
        known = opened.class_names if is_known else tuple(labels)
        splits = _by_id(path, rows, opened, known)
        return dataclasses.replace(
            opened, class_names=known, splits=splits, notes=tuple(notes), origin=origin
        )
    if len(labels) < 2:
        raise UsageError(
            f"The manifest '{path}' has the label '{labels[0]}' alone; a classifier needs at least "
            "2 classes."
        )
    _check_there(path, rows)
    splits = {
        name: _of_files(path.parent, members, labels) for name, members in _by_split(path, rows)
    }
    return Source(
        name=safe_name(path.stem),
        class_names=tuple(labels),
        splits=splits,
        image_height_width=typical_height_and_width(splits["train"]),
        notes=tuple(notes),
    )


def write_manifest(path: pathlib.Path, source: Source, splits: Mapping[str, Split]) -> None:
    """Writes splits of a source as a manifest that `open_manifest` opens again.

    Args:
        path: Where, a .csv file.
        source: Whose class names, and whose origin, count.
        splits: Some or all of its examples.
    """
    columns = ["path", "label", "split"]
    columns += ["weight"] if any(split.weights is not None for split in splits.values()) else []
    columns += ["group"] if any(split.groups is not None for split in splits.values()) else []
    columns += ["source"] if source.origin is not None else []
    texts = {*source.class_names, source.origin or ""}
    for split in splits.values():
        texts.update(split.groups or ())
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = TableWriter(file, quote_all=needs_quotes(texts))
        table.writerow(columns)
        for name, split in splits.items():
            for index, label in enumerate(split.labels):
                example = split.describe(index)
                record = {
                    "path": example if source.origin else os.path.abspath(example),
                    "label": source.class_names[label],
                    "split": name,
                    "weight": 1 if split.weights is None else f"{split.weights[index]:.9g}",
                    "group": "" if split.groups is None else split.groups[index],
                    "source": source.origin,
                }
                table.writerow([record[column] for column in columns])


def _read(path: pathlib.Path) -> tuple[list[_Row], list[str]]:
    """Returns the rows of a manifest, and notes on what is not used and what is one class."""
    notes: list[str] = []
    text = text_of(path, notes)
    is_csv = path.suffix.lower() in (".csv", ".tsv")
    records = _csv_records(path, text, notes) if is_csv else _json_records(path, text)
    is_exact = not is_csv or _is_exact(path, text)
    rows: list[_Row] = []
    unused: dict[str, None] = {}
    seen: dict[str, int] = {}
    spellings = _Spellings()
    paths = _Paths(path.parent)
    is_repaired = False
    for line, written in records:
        where = f"Line {line} of the manifest '{path}'"
        record = {
            key: value if key == "path" else repaired(value) for key, value in written.items()
        }
        record["path"] = written["path"] if record.get("source") else paths.found(written["path"])
        is_repaired |= any(
            repaired(value) != value and repaired(record[key]) == record[key]
            for key, value in written.items()
        )
        row = _row(where, line, record if is_exact else _stripped(record))
        row = dataclasses.replace(row, label=spellings.one_of(row.label, record["label"]))
        if row.path in seen:
            raise UsageError(
                f"{where} lists '{row.path}' again; it is on line {seen[row.path]}. Remove one."
            )
        seen[row.path] = line
        rows.append(row)
        unused |= dict.fromkeys(key for key in record if key not in (*_REQUIRED, *_OPTIONAL))
    if not rows:
        raise UsageError(f"The manifest '{path}' lists no images.")
    without = next((row for row in rows if not row.split), None)
    if without and any(row.split for row in rows):
        raise UsageError(
            f"Line {without.line} of the manifest '{path}' has no split, but others have one. Give "
            "all of them a split, or leave the column out."
        )
    if is_repaired:
        notes.append(f"'{path.name}' is not UTF-8: what is not was read as Windows-1252 (Latin-1)")
    notes += paths.notes(path.name)
    if unused:
        unnamed = [column or "one without a name" for column in unused]
        notes.append(f"not used of '{path.name}': {first_few(unnamed, 'column', 'columns')}")
    return rows, notes + spellings.notes()


class _Paths:
    """The paths of a manifest, and how many are found with slashes alone."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._num_slashed = 0

    def found(self, written: str) -> str:
        """Returns a path in the form in which it is found, or as it is written."""
        path = found_path(self._folder, written)
        self._num_slashed += "\\" in written and "\\" not in path
        return path

    def notes(self, name: str) -> list[str]:
        """Returns a line on paths that are found with slashes only."""
        if not self._num_slashed:
            return []
        paths = "1 path" if self._num_slashed == 1 else f"{self._num_slashed:,} paths"
        return [f"backslashes were read as slashes in {paths} of '{name}'"]


class _Spellings:
    """The labels of a manifest, and in how many ways each class is written."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}  # the first spelling, by the canonical one
        self._written: dict[str, dict[str, None]] = {}

    def one_of(self, label: str, written: str) -> str:
        """Returns the name of the class that a label means.

        Args:
            label: As it is read.
            written: As it stands in the file.
        """
        key = canonical(label)
        self._written.setdefault(key, {})[written] = None
        return self._names.setdefault(key, label)

    def notes(self) -> list[str]:
        """Returns a line on each class that is written in several ways."""
        return [
            f"one class are {', '.join(map(ascii, written))}, which differ in white space around "
            "them or in Unicode normalization alone"
            for written in self._written.values()
            if len(written) > 1
        ]


def _is_exact(path: pathlib.Path, text: str) -> bool:
    """Tells whether white space around the fields of a CSV file belongs to them.

    It does where a program has put all fields in quotes, the header too, as `write_manifest` does
    where it matters, and in the `splits.csv` of a run, which earlier versions wrote without.
    """
    run = RunDirectory(path.parent)
    if path == run.splits and run.config.is_file() and run.classes.is_file():
        return True
    return without_separator_line(text)[0].startswith('"')


def _stripped(record: Mapping[str, str]) -> dict[str, str]:
    """Returns fields without white space around them, but for the path, which is as it is."""
    return {key: value if key == "path" else value.strip() for key, value in record.items()}


def _csv_records(
    path: pathlib.Path, text: str, notes: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the number of each line of a CSV file with what it says by column."""
    csv.field_size_limit(_LONGEST_FIELD)
    rest, stated = without_separator_line(text)
    separator = separator_of(rest, stated, _REQUIRED)
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
            f"Line {table.line_num + before} of the manifest '{path}' is no CSV: {error}."
        ) from error


def _json_records(path: pathlib.Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields likewise what the lines of a JSON Lines file say."""
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if not line.strip():
            continue
        where = f"Line {number} of the manifest '{path}'"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise UsageError(f"{where} is no JSON: {reason}.") from error
        if not isinstance(record, dict):
            raise UsageError(
                f'{where} is no JSON object such as {{"path": "cat/1.jpg", "label": "cat"}}.'
            )
        record = {key.strip().lower(): value for key, value in record.items()}
        _check_columns(path, list(record), f"{where} ", "names")
        yield number, {key: _text(where, key, value) for key, value in record.items()}


def _text(where: str, key: str, value: Any) -> str:
    """Returns a value of JSON as a field of CSV would have it."""
    if value is None:
        return ""
    if key in (*_REQUIRED, *_OPTIONAL) and (
        isinstance(value, dict | list | bool) or (key == "path" and not isinstance(value, str))
    ):
        raise UsageError(f"{where} has a '{key}' that is neither text nor a number.")
    return str(value)


def _check_columns(
    path: pathlib.Path, columns: Sequence[str], subject: str = "", noun: str = "columns"
) -> None:
    """Raises a UsageError unless the columns are what a manifest must have."""
    subject = subject or f"The manifest '{path}' "
    for column in _REQUIRED:
        if column not in columns:
            mistyped = [name for name in columns if did_you_mean(name, [column])]
            hint = f" Should '{mistyped[0]}' be '{column}'?" if mistyped else ""
            raise UsageError(
                f"{subject}has no '{column}'; its {noun} are {', '.join(columns) or 'none'}."
                f"{hint} A manifest has the columns 'path' and 'label' "
                f"and may have {', '.join(repr(name) for name in _OPTIONAL[:-1])}."
            )
    known = (*_REQUIRED, *_OPTIONAL)  # what others have is not used
    twice = [column for column in columns if column in known and columns.count(column) > 1]
    if twice:
        raise UsageError(f"{subject}has the column '{twice[0]}' twice.")


def _row(where: str, line: int, record: Mapping[str, str]) -> _Row:
    """Returns a row of what a line says, checked."""
    for column in _REQUIRED:
        if not record[column].strip():
            raise UsageError(f"{where} has an empty '{column}'.")
    if "\0" in record["path"]:
        raise UsageError(f"{where} has a path with a character that none can have.")
    word = record.get("split", "").strip().lower()
    if word and split_of(word) is None:
        raise UsageError(
            f"{where} has the split '{word}'; allowed are train, validation and test."
            f"{did_you_mean(word, SPLIT_OF)}"
        )
    written = record.get("weight", "").strip()
    try:
        weight = float(written) if written else None
    except ValueError:
        weight = math.nan
    if weight is not None and not 0 <= weight < math.inf:
        raise UsageError(f"{where} has the weight '{written}'; it must be a number, at least 0.")
    return _Row(
        line=line,
        path=record["path"],
        label=record["label"],
        split=(split_of(word) or "") if word else "",
        weight=weight,
        group=record.get("group", ""),
        source=record.get("source", ""),
    )


def _check_there(path: pathlib.Path, rows: Sequence[_Row]) -> None:
    """Raises a DataError where not one of the first files of a manifest is there."""
    tried = [os.path.join(path.parent, row.path) for row in rows[:_TRIED]]
    if not any(os.path.exists(file) for file in tried):
        is_windows = re.match(r"[A-Za-z]:[\\/]", rows[0].path)
        hint = " It is a path of Windows." if is_windows and os.sep == "/" else ""
        raise DataError(
            f"Cannot read an image in the data: of the first {len(tried):,} files that the "
            f"manifest '{path}' lists none is there; the first is '{tried[0]}'.{hint} Correct the "
            "paths; those that are relative count from the directory of the manifest."
        )


def _check_groups(path: pathlib.Path, rows: Sequence[_Row]) -> None:
    """Raises a UsageError where a group is divided between splits."""
    first: dict[str, _Row] = {}
    for row in rows:
        other = first.setdefault(row.group, row)
        if row.group and other.split != row.split:
            raise UsageError(
                f"The group '{row.group}' of the manifest '{path}' is in two splits: line "
                f"{other.line} is in {other.split}, line {row.line} in {row.split}."
            )


def _by_split(path: pathlib.Path, rows: Sequence[_Row]) -> Iterator[tuple[str, list[_Row]]]:
    """Yields each split that there is with its rows; rows without one are to train on."""
    members: dict[str, list[_Row]] = {}
    for row in rows:
        members.setdefault(row.split or "train", []).append(row)
    if "train" not in members:
        raise UsageError(
            f"The manifest '{path}' has nothing to train on: no line has the split 'train'."
        )
    trained = {row.label for row in members["train"]}
    for name in SPLITS:
        for row in members.get(name, ()):
            if row.label not in trained:
                raise UsageError(
                    f"Line {row.line} of the manifest '{path}' has the label '{row.label}' in "
                    f"{name}, which no line has in train.{did_you_mean(row.label, trained)}"
                )
        if name in members:
            yield name, members[name]


def _of_files(folder: pathlib.Path, rows: Sequence[_Row], class_names: Sequence[str]) -> Split:
    """Returns a split of image files, in the order of the rows."""
    number = {name: label for label, name in enumerate(class_names)}
    paths = [listed_path(row.path, os.fspath(folder)) for row in rows]
    # As bytes, for a file name need not be valid UTF-8.
    table = tf.constant([os.fsencode(path) for path in paths])
    split = in_any_order(
        np.array([number[row.label] for row in rows], np.int64),
        lambda index: tf.io.read_file(tf.gather(table, index)),
        lambda index: paths[index],
        functools.cache(lambda: file_digests(paths)),
    )
    return dataclasses.replace(split, weights=_weights(rows), groups=_groups(rows))


def _by_id(
    path: pathlib.Path, rows: Sequence[_Row], opened: Source, class_names: Sequence[str]
) -> dict[str, Split]:
    """Returns splits of examples that lie in another source, each found by its id."""
    labels = [label or 0 for label in places_of([row.label for row in rows], class_names)]
    number = {row.label: label for row, label in zip(rows, labels, strict=True)}
    places = {
        split.describe(index): (name, index)
        for name, split in opened.splits.items()
        for index in range(len(split))
    }
    splits: dict[str, Split] = {}
    for name, members in _by_split(path, rows):
        for row in members:
            if row.path not in places:
                raise UsageError(
                    f"Line {row.line} of the manifest '{path}' names '{row.path}', which is not in "
                    f"'{row.source}'."
                )
        inside = {places[row.path][0] for row in members}
        if len(inside) > 1:
            raise UsageError(
                f"The manifest '{path}' has in {name} examples of more than one split of "
                f"'{members[0].source}': {', '.join(sorted(inside))}."
            )
        # Data that can only be read from the first to the last stay in their order.
        members = sorted(members, key=lambda row: places[row.path][1])
        chosen = np.array([places[row.path][1] for row in members], np.int64)
        splits[name] = dataclasses.replace(
            opened.splits[inside.pop()].select(chosen),
            labels=np.array([number[row.label] for row in members], np.int64),
            weights=_weights(members),
            groups=_groups(members),
        )
    return splits


def _weights(rows: Sequence[_Row]) -> np.ndarray | None:
    if all(row.weight is None for row in rows):
        return None
    return np.array([1 if row.weight is None else row.weight for row in rows], np.float32)


def _groups(rows: Sequence[_Row]) -> list[str] | None:
    groups = [row.group for row in rows]
    return groups if any(groups) else None
