"""The labels in the cells of a manifest: one class for each image, or several labels.

Several labels are separated in a cell (`cat|outdoor`), a JSON list (`["cat", "outdoor"]`), or
columns of their own with 0 and 1. An empty cell has none of the labels, and an empty cell of such a
column says that it is unknown whether the image has the label.
"""

import json
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfxfer.data.labels.reading import LabelReading
from tfxfer.data.source import canonical, first_few
from tfxfer.data.sources.manifests.records import is_csv
from tfxfer.errors import UsageError

# What the columns of labels may hold: pandas writes 1.0 in a column that has empty cells.
_HAS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}

# What people separate labels with, besides the separator.
_SEPARATORS = ("|", ";", ",", "/")


@dataclass(frozen=True)
class Several:
    """The labels of an image that may have several, or none."""

    names: tuple[str, ...]
    unknown: tuple[str, ...] = ()  # of which it is unknown whether it has them


@dataclass(frozen=True)
class Cell:
    """What a line of a manifest says of its labels."""

    line: int
    fields: Mapping[str, str]  # by column: one of labels, or several with 0 and 1
    missing: str  # the labels that are not known

    @property
    def column(self) -> str:
        """The column of labels."""
        return next(iter(self.fields))

    @property
    def text(self) -> str:
        """What it says there."""
        return self.fields[self.column]


class LabelCells:
    """The labels of all lines of a manifest, and what is noted on them.

    Args:
        path: Of the manifest.
        how: How its labels are to be read.
        is_exact: Whether white space around labels belongs to them.
        is_of_run: Whether it is the `splits.csv` of a run, whose classes may have any name.

    Attributes:
        are_several: Whether images have several labels; set by `labels`.
    """

    def __init__(
        self, path: pathlib.Path, how: LabelReading, *, is_exact: bool, is_of_run: bool = False
    ) -> None:
        self.are_several = False
        self._path = path
        self._how = how
        self._is_exact = is_exact
        self._is_of_run = is_of_run
        self._cells: list[Cell] = []
        self._spellings = Spellings()
        self._form = ""

    @property
    def have_missing(self) -> bool:
        """Whether a line has something in the column of unknown labels."""
        return any(cell.missing.strip() for cell in self._cells)

    def add(self, cell: Cell) -> None:
        """Adds what the next line says."""
        self._cells.append(cell)

    def labels(self) -> list[str] | list[Several]:
        """Returns the class of each line, or its labels.

        Raises:
            UsageError: A cell is invalid, or could be read in both ways; the message names it.
        """
        if self._how.columns:
            self.are_several = True
            self._form = f"in {first_few(self._how.columns, 'column', 'columns')}"
            return self._of_columns()
        self.are_several = self._say_several()
        if not self.are_several:
            return [self._single(cell) for cell in self._cells]
        self._form = f"separated by '{self._how.separator}' in a cell"
        found = [self._several(cell) for cell in self._cells]
        self._check_separators(found)
        return found

    def notes(self) -> list[str]:
        """Returns notes on how labels were read, and on classes with several spellings."""
        notes = self._spellings.notes()
        if self.are_several:
            notes.insert(
                0, f"labels of '{self._path.name}': any number for each image, {self._form}"
            )
        return notes

    def _say_several(self) -> bool:
        """Tells whether images have several labels, as far as the cells can tell."""
        columns = {cell.column: cell for cell in self._cells}
        if self._how.kind == "single" and "labels" in columns:
            raise self._error(
                columns["labels"],
                "labels",
                "gives an image several labels, but setting 'labels' is 'single'",
            )
        if self._how.kind != "auto":
            return self._how.kind == "multi"
        if "labels" in columns or "class" in columns or self._is_of_run:
            return "labels" in columns
        if any(_list_of(cell.text) is not None for cell in self._cells):
            return True
        return self._are_divided()

    def _are_divided(self) -> bool:
        """Tells whether separators in cells divide labels.

        Raises:
            UsageError: They may as well be part of the names of classes.
        """
        separator = self._how.separator
        texts = {cell.text.strip(): cell for cell in reversed(self._cells)}
        parts = {text: [part.strip() for part in text.split(separator)] for text in texts if text}
        divided = [text for text in texts if separator in text]
        if not divided:
            return False
        count: dict[str, int] = {}
        for text in parts:
            for part in set(parts[text]):
                count[part] = count.get(part, 0) + 1
        if any(count[part] > 1 for text in divided for part in parts[text]):
            return True
        first = min(divided, key=lambda text: texts[text].line)
        names = " and ".join(f"'{part}'" for part in parts[first])
        raise self._error(
            texts[first],
            texts[first].column,
            f"has '{first}', which could be one class with '{separator}' in its name, or the "
            f"labels {names}, which never occur apart. Choose with --labels single or "
            "--labels multi",
        )

    def _single(self, cell: Cell) -> str:
        """Returns the class of a line."""
        text = cell.text if self._is_exact else cell.text.strip()
        if not text.strip():
            raise UsageError(
                f"{self._where(cell)} has an empty '{cell.column}'. If images may have no label, "
                "or several, choose --labels multi."
            )
        if self._how.kind == "single" and not is_csv(self._path) and _list_of(text) is not None:
            raise self._error(
                cell, cell.column, "has a list of labels, but setting 'labels' is 'single'"
            )
        return self._spellings.one_of(text, cell.text)

    def _several(self, cell: Cell) -> Several:
        """Returns the labels of a line."""
        names = self._parts(cell, cell.column, cell.text)
        unknown = self._parts(cell, "missing", cell.missing)
        both = [name for name in names if name in unknown]
        if both:
            raise self._error(cell, "missing", f"names '{both[0]}', which the image has")
        return Several(names, unknown)

    def _parts(self, cell: Cell, column: str, text: str) -> tuple[str, ...]:
        """Returns the labels that a field names, in their first spelling."""
        listed = _list_of(text)
        if listed is not None:
            written = listed
        elif not text.strip():
            return ()
        else:
            written = text.split(self._how.separator)
        strips = listed is None and not self._is_exact
        labels = [part.strip() if strips else part for part in written]
        if not all(label.strip() for label in labels):
            raise self._error(cell, column, f"has an empty label in '{text.strip()}'")
        names = [self._spellings.one_of(*pair) for pair in zip(labels, written, strict=True)]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise self._error(cell, column, f"names '{name}' twice")
        return tuple(names)

    def _check_separators(self, found: Sequence[Several]) -> None:
        """Raises a UsageError if a label is several labels with another separator."""
        known = {name for several in found for name in several.names}
        others = [mark for mark in _SEPARATORS if mark != self._how.separator]
        for cell, several in zip(self._cells, found, strict=True):
            for name in several.names:
                for mark in others:
                    parts = [part.strip() for part in name.split(mark)]
                    if len(parts) > 1 and all(part in known for part in parts):
                        raise self._error(
                            cell,
                            cell.column,
                            f"has the label '{name}', but {' and '.join(map(repr, parts))} are "
                            f"labels of other lines. Separate them by '{self._how.separator}', or "
                            "choose another --label-separator",
                        )

    def _of_columns(self) -> list[Several]:
        """Returns the labels of lines whose columns have 0 or 1."""
        columns = {name.lower(): name for name in self._how.columns}
        found = []
        for cell in self._cells:
            has = {columns[key]: self._has(cell, key, text) for key, text in cell.fields.items()}
            if all(known is None for known in has.values()):
                raise UsageError(
                    f"{self._where(cell)} has no value in any label column, "
                    f"{', '.join(columns.values())}. Give it a 0 or 1, or remove the line."
                )
            names = tuple(name for name, known in has.items() if known)
            found.append(Several(names, tuple(name for name in has if has[name] is None)))
        for name in columns.values():
            values = {name in one.names for one in found if name not in one.unknown}
            if len(values) < 2:
                what = {True: "1", False: "0"}[values.pop()] if values else "nothing"
                raise UsageError(
                    f"Column '{name}' of the manifest '{self._path}' has {what} on all lines, from "
                    f"{self._cells[0].line} to {self._cells[-1].line}, so there is nothing to "
                    "learn. Leave it out of --label-columns."
                )
        return found

    def _has(self, cell: Cell, column: str, text: str) -> bool | None:
        """Returns whether a line has a label; None where that is not known."""
        word = text.strip().lower()
        if not word:
            return None
        if word not in _HAS:
            raise self._error(
                cell, column, f"has '{text.strip()}'; allowed are 0, 1, and nothing if unknown"
            )
        return _HAS[word]

    def _where(self, cell: Cell) -> str:
        return f"Line {cell.line} of the manifest '{self._path}'"

    def _error(self, cell: Cell, column: str, problem: str) -> UsageError:
        return UsageError(f"{self._where(cell)}, column '{column}', {problem}.")


class Spellings:
    """The labels of a manifest, with the spellings of each class."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}  # the first spelling, by the canonical one
        self._written: dict[str, dict[str, None]] = {}

    def one_of(self, label: str, written: str) -> str:
        """Returns the class name for a label.

        Args:
            label: Stripped, unless white space counts.
            written: As in the file.
        """
        key = canonical(label)
        self._written.setdefault(key, {})[written] = None
        return self._names.setdefault(key, label)

    def notes(self) -> list[str]:
        """Returns a note on each class with several spellings."""
        return [
            f"read as one class: {', '.join(map(ascii, written))}, which differ only in white "
            "space around them or in Unicode normalization"
            for written in self._written.values()
            if len(written) > 1
        ]


def _list_of(text: str) -> list[str] | None:
    """Returns the items of a JSON list of text; None if a field is something else."""
    if not text.strip().startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if all(isinstance(item, str) for item in found) else None
