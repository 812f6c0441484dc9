"""Manifests as sources: tables, CSV or JSON Lines, of images with their labels.

A CSV file has a line of column names, and its fields are separated by commas, semicolons, tabs
or vertical bars; JSON Lines has an object on each line. Both are UTF-8, or UTF-16 if the
first bytes say so; other text is read as Windows-1252. Columns, in any case and order:

- `path`: of the image file, absolute or from the manifest's directory, or its URL; backslashes are
  slashes where the file is found so;
- `label`: the name of the class, or several labels; see `cells`. In its place, `labels` are always
  several and `class` is always one;
  Or several columns, each a task; see `task_cells`. Or a column of numbers: `number_cells`;
- `missing`, optional: the labels of which it is unknown whether the image has them;
- `split`, optional, on every line or on none: train, validation or test; without it, or where a
  split is missing, `open_source` splits it off as for a folder;
- `weight`, optional: sample weight in training, at least 0; 1 if empty;
- `group`, optional: examples of one group are never divided between splits;
- `source`, optional, as in the `splits.csv` of a run: what `--data` opens; `path` is then an id.

Classes are in the order of their names. Names that differ in Unicode normalization alone are
one, and so are those that differ only in surrounding white space, except in JSON, in a CSV file
with a quoted header (written by programs that quote all fields), and in the `splits.csv` of a
run. Image files are not opened.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tfxfer.config.schema import LabelKind
from tfxfer.data.labels.reading import AS_GIVEN, LabelReading
from tfxfer.data.labels.targets import Labels, are_numbers, names_of, occurring
from tfxfer.data.labels.tasks import Tasks
from tfxfer.data.remote.opening import ListedFiles
from tfxfer.data.source import Source, Split, canonical, look_alikes, places_of
from tfxfer.data.sources.files import split_of_files
from tfxfer.data.sources.manifests.of_run import labels_of_run, reading_of_run
from tfxfer.data.sources.manifests.rows import (
    Row,
    check_groups,
    not_in_train,
    read_rows,
)
from tfxfer.data.sources.manifests.task_cells import check_classes, ordered_outputs
from tfxfer.data.sources.sizes import typical_height_and_width
from tfxfer.data.split_names import SPLITS
from tfxfer.errors import UsageError
from tfxfer.system.names import safe_name

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")


def open_manifest(
    path: pathlib.Path,
    open_origin: Callable[[str, LabelReading], Source],
    files: ListedFiles,
    *,
    needs_train: bool = True,
    how: LabelReading = AS_GIVEN,
) -> Source:
    """Returns the images that a manifest lists, in its order.

    The docstring of this module describes its format.

    Args:
        path: A file that ends in .csv, .tsv, .jsonl or .ndjson.
        open_origin: Opens what a `source` names, in its own splits; its labels do not count, but
            are to be read as those of the manifest if possible.
        files: Where the images are.
        needs_train: Whether there must be a split to train on, with at least two classes.
        how: How the labels are to be read.

    Raises:
        UsageError: The file is no such table; the message names the line.
    """
    how = reading_of_run(path, how)
    rows, notes = read_rows(path, how)
    check_groups(path, rows)
    origins = {row.source for row in rows}
    listing = _Listing.of(path, rows, how)
    if needs_train:
        listing.check_train()
    if len(origins) > 1:
        raise UsageError(
            f"The manifest '{path}' has more than one source; allowed is one on all lines, or "
            "none. Make a manifest of each."
        )
    notes += look_alikes(listing.class_names)
    weights = [row.weight for row in rows if row.weight is not None]
    if weights:
        notes.append(f"sample weights from {min(weights):g} to {max(weights):g}")
    (origin,) = origins
    if not origin:
        return listing.of_files(files, notes)
    opened = open_origin(origin, listing.preferred(how))
    listing = listing.with_classes_of(opened)
    return dataclasses.replace(
        opened,
        class_names=listing.class_names,
        splits=listing.by_id(opened),
        notes=tuple(notes),
        origin=origin,
        tasks=listing.tasks,
    )


@dataclass(frozen=True, eq=False)
class _Listing:
    """What a manifest lists.

    Attributes:
        path: Of the manifest.
        rows: Its lines.
        class_names: The names of the classes, or of the labels, or of the target.
        labels: Of each row, of any kind.
        tasks: The tasks whose classes the names are; None if there are none.
    """

    path: pathlib.Path
    rows: Sequence[Row]
    class_names: tuple[str, ...]
    labels: Labels
    tasks: Tasks | None = None

    @classmethod
    def of(cls, path: pathlib.Path, rows: Sequence[Row], how: LabelReading) -> "_Listing":
        """Returns the listing of rows; classes are in the order of their names, task by task."""
        if how.target:
            return cls(path, rows, (how.target,), np.array([row.number for row in rows], float))
        tasks = how.tasks
        several = [row.several for row in rows if row.several is not None]
        known = labels_of_run(path) if several else []
        if not several:
            names = sorted({row.label for row in rows}, key=canonical)
            number = {name: label for label, name in enumerate(names)}
            labels: Labels = np.array([number[row.label] for row in rows], np.int64)
            return cls(path, rows, tuple(names), labels)
        named = {name for one in several for name in (*one.names, *one.unknown)}
        names = sorted({*named, *known}, key=canonical)
        if tasks:
            names = ordered_outputs(names, tasks)
        number = {name: label for label, name in enumerate(names)}
        labels = np.zeros((len(rows), len(names)), np.float32)
        for place, one in enumerate(several):
            labels[place, [number[name] for name in one.names]] = 1
            labels[place, [number[name] for name in one.unknown]] = np.nan
        found = Tasks.of_outputs(tasks, names) if tasks else None
        if found is not None:  # a class that only the run knows is missing with its task
            for columns in found.columns.values():
                labels[np.isnan(labels[:, columns]).any(axis=1), columns] = np.nan
        return cls(path, rows, tuple(names), labels, found)

    @property
    def has_several(self) -> bool:
        """Whether images have several labels."""
        return self.rows[0].several is not None

    def preferred(self, how: LabelReading) -> LabelReading:
        """Returns how labels are to be read that these replace."""
        kind: LabelKind = "multi" if self.has_several else "single"
        if how.tasks or how.target:
            kind = "auto"
        return dataclasses.replace(
            how, kind=kind, columns=(), is_preference=True, are_replaced=True
        )

    def with_classes_of(self, source: Source) -> "_Listing":
        """Returns the same rows with the class names of a source that knows all the classes."""
        places = places_of(self.class_names, source.class_names)
        if self.has_several or are_numbers(self.labels) or None in places:
            return self
        labels = np.array([place or 0 for place in places], np.int64)[self.labels]
        return dataclasses.replace(self, class_names=source.class_names, labels=labels)

    def check_train(self) -> None:
        """Raises a UsageError unless train has at least two classes and all of the others."""
        path, rows = self.path, self.rows
        in_train = np.array([row.split in ("", "train") for row in rows])
        if not in_train.any():
            raise UsageError(
                f"The manifest '{path}' has nothing to train on: no line has the split 'train'."
            )
        if are_numbers(self.labels):
            return
        trained = {self.class_names[label] for label in occurring(self.labels[in_train])}
        for place in np.flatnonzero(~in_train).tolist():
            row = rows[place]
            for name in names_of(self.labels[place], self.class_names):
                if name not in trained:
                    where, is_of_task = f"in {row.split}", self.tasks is not None
                    raise not_in_train(path, row, name, where, trained, is_of_task)
        if self.tasks is not None:
            check_classes(path, [row.line for row in rows], self.tasks.names, trained)
            return
        for row in rows:
            for name in row.several.unknown if row.several else ():
                if name not in trained:
                    raise not_in_train(path, row, name, "as missing", trained, False)
        if len(self.class_names) < 2 and (self.has_several or not rows[0].source):
            what = " or ".join(f"'{name}'" for name in self.class_names) or "none"
            raise UsageError(
                f"The manifest '{path}' has only the label {what}, on its lines from "
                f"{rows[0].line} to {rows[-1].line}; a classifier needs at least 2 classes."
            )

    def of_files(self, files: ListedFiles, notes: Sequence[str]) -> Source:
        """Returns the image files that a manifest lists.

        Raises:
            DataError: None of them exists.
        """
        paths, ids, note = files.located([row.path for row in self.rows])
        splits = {}
        for name, places in self._by_split():
            found = [paths[place] for place in places]
            split = split_of_files(found, self.labels[places], files.cache)
            splits[name] = self._told(split, places, ids)
        return Source(
            name=safe_name(self.path.stem),
            class_names=self.class_names,
            splits=splits,
            image_height_width=typical_height_and_width(next(iter(splits.values()))),
            notes=(*notes, note) if note else tuple(notes),
            # Ids that are URLs are no paths of files.
            origin=str(self.path.resolve()) if note else None,
            tasks=self.tasks,
        )

    def by_id(self, opened: Source) -> dict[str, Split]:
        """Returns splits of examples of another source, each found by its id."""
        known = {
            split.describe(index): (name, index)
            for name, split in opened.splits.items()
            for index in range(len(split))
        }
        splits: dict[str, Split] = {}
        for name, places in self._by_split():
            for row in (self.rows[place] for place in places):
                if row.path not in known:
                    raise UsageError(
                        f"Line {row.line} of the manifest '{self.path}' names '{row.path}', which "
                        f"is not in '{row.source}'."
                    )
            inside = {known[self.rows[place].path][0] for place in places}
            if len(inside) > 1:
                raise UsageError(
                    f"In the manifest '{self.path}', {name} mixes examples of several splits of "
                    f"'{self.rows[0].source}': {', '.join(sorted(inside))}."
                )
            # Data that can only be read from the first to the last stay in their order.
            indices = np.array([known[self.rows[place].path][1] for place in places], np.int64)
            order = np.argsort(indices, kind="stable")
            members = places[order]
            splits[name] = dataclasses.replace(
                opened.splits[inside.pop()].select(indices[order]),
                labels=self.labels[members],
                weights=_weights([self.rows[place] for place in members]),
                groups=_groups([self.rows[place] for place in members]),
            )
        return splits

    def _by_split(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yields each split with the places of its rows; those without a split are for training."""
        members: dict[str, list[int]] = {}
        for place, row in enumerate(self.rows):
            members.setdefault(row.split or "train", []).append(place)
        yield from ((name, np.array(members[name])) for name in SPLITS if name in members)

    def _told(self, split: Split, places: np.ndarray, ids: Sequence[str]) -> Split:
        """Returns a split with what the rows at some places say of its examples."""
        rows, named = [self.rows[place] for place in places], [ids[place] for place in places]
        return dataclasses.replace(
            split, weights=_weights(rows), groups=_groups(rows), describe=named.__getitem__
        )


def _weights(rows: Sequence[Row]) -> np.ndarray | None:
    if all(row.weight is None for row in rows):
        return None
    return np.array([1 if row.weight is None else row.weight for row in rows], np.float32)


def _groups(rows: Sequence[Row]) -> list[str] | None:
    groups = [row.group for row in rows]
    return groups if any(groups) else None
