"""The labels in the cells of a manifest with several tasks: a column for each, with its class.

An empty cell is a missing label: it is not known which class of that task the image has.
"""

import pathlib
import re
from collections.abc import Collection, Sequence

from tfxfer.data.labels.reading import LabelReading
from tfxfer.data.labels.tasks import BETWEEN
from tfxfer.data.sources.manifests.cells import Cell, Several, Spellings
from tfxfer.errors import UsageError

# What no name of a class looks like, but a measurement does.
_DECIMAL = re.compile(r"[-+]?\d*[.,]\d+(e[-+]?\d+)?|[-+]?\d+e[-+]?\d+", re.IGNORECASE)


class TaskCells:
    """The labels of all lines of a manifest with several tasks, and what is noted on them.

    Args:
        path: Of the manifest.
        how: How its labels are to be read.
        is_exact: Whether white space around labels belongs to them.

    Attributes:
        are_several: Whether images have several labels.
        have_missing: Whether a line has something in a column of unknown labels; there is none.
    """

    are_several = True
    have_missing = False

    def __init__(self, path: pathlib.Path, how: LabelReading, *, is_exact: bool) -> None:
        self._path = path
        self._how = how
        self._is_exact = is_exact
        self._columns = {name.lower(): name for name in how.tasks}
        self._spellings = {name: Spellings() for name in how.tasks}
        self._cells: list[Cell] = []
        self._num_missing = dict.fromkeys(how.tasks, 0)

    def add(self, cell: Cell) -> None:
        """Adds what the next line says."""
        self._cells.append(cell)

    def labels(self) -> list[Several]:
        """Returns the labels of each line as names of outputs; see `Tasks.output_names`.

        All outputs of a task whose label is missing are unknown.

        Raises:
            UsageError: A cell or a column is invalid; the message names it.
        """
        named = [self._named(cell) for cell in self._cells]
        known = {
            task: sorted({one[task] for one in named if one[task]}) for task in self._how.tasks
        }
        for task, classes in known.items():
            self._check_names(task, classes)
        for cell, one in zip(self._cells, named, strict=True):
            self._check_separators(cell, one, known)
        return [self._several(one, known) for one in named]

    def notes(self) -> list[str]:
        """Returns notes on the tasks, on missing labels, and on classes with several spellings."""
        notes = [f"labels of '{self._path.name}': {len(self._how.tasks)} tasks, a column each"]
        for task, number in self._num_missing.items():
            if number:
                labels = "1 label" if number == 1 else f"{number:,} labels"
                notes.append(f"missing in column '{task}': {labels}")
        for spellings in self._spellings.values():
            notes += spellings.notes()
        return notes

    def _named(self, cell: Cell) -> dict[str, str]:
        """Returns the class of each task of a line, "" where it is missing."""
        found = {}
        for column, task in self._columns.items():
            written = cell.fields[column]
            text = written if self._is_exact else written.strip()
            found[task] = self._spellings[task].one_of(text, written) if text.strip() else ""
            self._num_missing[task] += not found[task]
        if not any(found.values()):
            raise UsageError(
                f"{self._where(cell)} has no label in any column of --tasks, "
                f"{', '.join(self._how.tasks)}. Give it one, or remove the line."
            )
        return found

    def _check_names(self, task: str, classes: list[str]) -> None:
        """Raises a UsageError if the classes of a task are measurements."""
        if not all(_is_number(name) for name in classes):
            return
        first = next((name for name in classes if _DECIMAL.fullmatch(name.strip())), None)
        if first is not None:
            raise UsageError(
                f"{self._where(self._line_of(task, first))}, column '{task}', has '{first}', a "
                "number: a task has classes. Leave the column out of --tasks."
            )

    def _check_separators(
        self, cell: Cell, named: dict[str, str], known: dict[str, list[str]]
    ) -> None:
        """Raises a UsageError if a label is several classes of its task."""
        for task, name in named.items():
            parts = [part.strip() for part in name.split(self._how.separator)]
            if len(parts) > 1 and all(part in known[task] for part in parts):
                raise UsageError(
                    f"{self._where(cell)}, column '{task}', has '{name}', but "
                    f"{' and '.join(map(repr, parts))} are classes of other lines. An image has "
                    "one class of each task."
                )

    def _several(self, named: dict[str, str], known: dict[str, list[str]]) -> Several:
        """Returns the labels of a line as names of outputs."""
        names = tuple(f"{task}{BETWEEN}{name}" for task, name in named.items() if name)
        unknown = tuple(
            f"{task}{BETWEEN}{other}"
            for task, name in named.items()
            if not name
            for other in known[task]
        )
        return Several(names, unknown)

    def _line_of(self, task: str, name: str) -> Cell:
        column = task.lower()
        return next(cell for cell in self._cells if cell.fields[column].strip() == name.strip())

    def _where(self, cell: Cell) -> str:
        return f"Line {cell.line} of the manifest '{self._path}'"


def check_classes(
    path: pathlib.Path, lines: Sequence[int], tasks: Sequence[str], trained: Collection[str]
) -> None:
    """Raises a UsageError unless each task has at least two classes to train on.

    Args:
        path: Of the manifest.
        lines: The numbers of its lines.
        tasks: Names of the tasks.
        trained: Names of the outputs that occur in train; see `Tasks.output_names`.
    """
    for task in tasks:
        names = [name for name in trained if name.split(BETWEEN, 1)[0] == task]
        if len(names) < 2:
            what = f"only the class '{names[0].split(BETWEEN, 1)[1]}'" if names else "no label"
            raise UsageError(
                f"Column '{task}' of the manifest '{path}' has {what} in train, on its lines from "
                f"{lines[0]} to {lines[-1]}; a task needs at least 2 classes. Leave it out of "
                "--tasks."
            )


def ordered_outputs(outputs: list[str], tasks: tuple[str, ...]) -> list[str]:
    """Returns sorted names of outputs in the order of their tasks."""
    return sorted(outputs, key=lambda output: tasks.index(output.split(BETWEEN, 1)[0]))


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
