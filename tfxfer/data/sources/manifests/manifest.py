"""Manifests as sources: tables, CSV or JSON Lines, of images with their labels.

A CSV file has a line of column names, and its fields are separated by commas, semicolons, tabs
or vertical bars; JSON Lines has an object on each line. Both are UTF-8, or UTF-16 if the
first bytes say so; other text is read as Windows-1252. Columns, in any case and order:

- `path`: of the image file, absolute or from the manifest's directory; backslashes are slashes
  where the file is found so;
- `label`: the name of the class;
- `split`, optional, on every line or on none: train, validation or test; without it, or where a
  split is missing, `open_source` splits it off as for a folder;
- `weight`, optional: sample weight in training, at least 0; 1 if empty;
- `group`, optional: examples of one group are never divided between splits;
- `source`, optional, as in the `splits.csv` of a run: what `--data` opens, and `path` is then
  the id of an example in there.

Classes are in the order of their names. Names that differ in Unicode normalization alone are
one, and so are those that differ only in surrounding white space, except in JSON, in a CSV file
with a quoted header (written by programs that quote all fields), and in the `splits.csv` of a
run. Image files are not opened.
"""

import dataclasses
import os
import pathlib
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tfxfer.config.paths import listed_path
from tfxfer.data.image.sizes import typical_height_and_width
from tfxfer.data.source import Source, Split, canonical, look_alikes, places_of
from tfxfer.data.sources.files import split_of_files
from tfxfer.data.sources.manifests.rows import Row, read_rows
from tfxfer.data.split_names import SPLITS
from tfxfer.errors import DataError, UsageError, did_you_mean
from tfxfer.system.names import safe_name

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")

# At least one of the first this many files must exist.
_TRIED = 64


def open_manifest(
    path: pathlib.Path, open_origin: Callable[[str], Source], *, needs_train: bool = True
) -> Source:
    """Returns the images that a manifest lists, in its order.

    The docstring of this module describes its format.

    Args:
        path: A file that ends in .csv, .tsv, .jsonl or .ndjson.
        open_origin: Opens what a `source` names, in its own splits.
        needs_train: Whether there must be a split to train on, with at least two classes.

    Raises:
        UsageError: The file is no such table; the message names the line.
    """
    rows, notes = read_rows(path)
    _check_groups(path, rows)
    if needs_train:
        _check_train(path, rows)
    origins = {row.source for row in rows}
    if len(origins) > 1:
        raise UsageError(
            f"The manifest '{path}' has more than one source; allowed is one on all lines, or "
            "none. Make a manifest of each."
        )
    labels = sorted({row.label for row in rows}, key=canonical)
    notes += look_alikes(labels)
    weights = [row.weight for row in rows if row.weight is not None]
    if weights:
        notes.append(f"examples count from {min(weights):g} to {max(weights):g} in training")
    (origin,) = origins
    if not origin:
        return dataclasses.replace(_source_of_files(path, rows, labels), notes=tuple(notes))
    opened = open_origin(origin)
    is_known = None not in places_of(labels, opened.class_names)
    known = opened.class_names if is_known else tuple(labels)
    splits = _by_id(path, rows, opened, known)
    return dataclasses.replace(
        opened, class_names=known, splits=splits, notes=tuple(notes), origin=origin
    )


def _source_of_files(path: pathlib.Path, rows: Sequence[Row], class_names: Sequence[str]) -> Source:
    """Returns the image files that a manifest lists.

    Raises:
        DataError: None of them exists.
    """
    _check_there(path, rows)
    splits = {
        name: _of_files(path.parent, members, class_names) for name, members in _by_split(rows)
    }
    return Source(
        name=safe_name(path.stem),
        class_names=tuple(class_names),
        splits=splits,
        image_height_width=typical_height_and_width(next(iter(splits.values()))),
    )


def _check_there(path: pathlib.Path, rows: Sequence[Row]) -> None:
    """Raises a DataError if none of the first files of a manifest exists."""
    tried = [os.path.join(path.parent, row.path) for row in rows[:_TRIED]]
    if not any(os.path.exists(file) for file in tried):
        is_windows = re.match(r"[A-Za-z]:[\\/]", rows[0].path)
        hint = " It is a Windows path." if is_windows and os.sep == "/" else ""
        raise DataError(
            f"None of the first {len(tried):,} files in the manifest '{path}' exists; the first "
            f"is '{tried[0]}'.{hint} Correct the paths; relative paths start at the directory of "
            "the manifest."
        )


def _check_train(path: pathlib.Path, rows: Sequence[Row]) -> None:
    """Raises a UsageError unless train has at least two classes and all classes of the others."""
    if not any(row.split in ("", "train") for row in rows):
        raise UsageError(
            f"The manifest '{path}' has nothing to train on: no line has the split 'train'."
        )
    trained = {row.label for row in rows if row.split in ("", "train")}
    for row in rows:
        if row.label not in trained:
            raise UsageError(
                f"Line {row.line} of the manifest '{path}' has the label '{row.label}' in "
                f"{row.split}, which does not occur in train.{did_you_mean(row.label, trained)}"
            )
    if len(trained) < 2 and not rows[0].source:
        raise UsageError(
            f"The manifest '{path}' has only the label '{rows[0].label}'; a classifier needs at "
            "least 2 classes."
        )


def _check_groups(path: pathlib.Path, rows: Sequence[Row]) -> None:
    """Raises a UsageError if a group is in more than one split."""
    first: dict[str, Row] = {}
    for row in rows:
        other = first.setdefault(row.group, row)
        if row.group and other.split != row.split:
            raise UsageError(
                f"The group '{row.group}' of the manifest '{path}' is in two splits: line "
                f"{other.line} is in {other.split}, line {row.line} in {row.split}."
            )


def _by_split(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Yields each split with its rows; rows without a split are for training."""
    members: dict[str, list[Row]] = {}
    for row in rows:
        members.setdefault(row.split or "train", []).append(row)
    yield from ((name, members[name]) for name in SPLITS if name in members)


def _of_files(folder: pathlib.Path, rows: Sequence[Row], class_names: Sequence[str]) -> Split:
    """Returns a split of image files, in the order of the rows."""
    number = {name: label for label, name in enumerate(class_names)}
    paths = [listed_path(row.path, os.fspath(folder)) for row in rows]
    labels = np.array([number[row.label] for row in rows], np.int64)
    split = split_of_files(paths, labels)
    return dataclasses.replace(split, weights=_weights(rows), groups=_groups(rows))


def _by_id(
    path: pathlib.Path, rows: Sequence[Row], opened: Source, class_names: Sequence[str]
) -> dict[str, Split]:
    """Returns splits of examples of another source, each found by its id."""
    labels = [label or 0 for label in places_of([row.label for row in rows], class_names)]
    number = {row.label: label for row, label in zip(rows, labels, strict=True)}
    places = {
        split.describe(index): (name, index)
        for name, split in opened.splits.items()
        for index in range(len(split))
    }
    splits: dict[str, Split] = {}
    for name, members in _by_split(rows):
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


def _weights(rows: Sequence[Row]) -> np.ndarray | None:
    if all(row.weight is None for row in rows):
        return None
    return np.array([1 if row.weight is None else row.weight for row in rows], np.float32)


def _groups(rows: Sequence[Row]) -> list[str] | None:
    groups = [row.group for row in rows]
    return groups if any(groups) else None
