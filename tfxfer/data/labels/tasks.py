"""The tasks of multi-task data: several labels for each image, each with classes of its own.

Their labels are rows as those of multi-label data (see `labels.targets`), with a column for each
class of each task: 1 for the class that an image has, 0 for the others of that task, and NaN in all
columns of a task whose label is missing.
"""

import json
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tfxfer.errors import UsageError
from tfxfer.system.files import write_json

# Between a task and its class in the name of an output.
BETWEEN = "="

# The class of an example whose label is missing.
MISSING = -1


@dataclass(frozen=True)
class Tasks:
    """Tasks and their classes, in the order of the model's outputs.

    Attributes:
        names: Of the tasks.
        classes: Of each task.
    """

    names: tuple[str, ...]
    classes: tuple[tuple[str, ...], ...]

    @classmethod
    def of_outputs(cls, names: Sequence[str], outputs: Sequence[str]) -> Self:
        """Returns the tasks of the names of outputs; see `output_names`.

        Args:
            names: Of the tasks; none has a "=".
            outputs: Those of a task are next to each other.

        Examples:
            >>> Tasks.of_outputs(["species"], ["species=cat", "species=dog"]).classes
            (('cat', 'dog'),)
        """
        split = [output.split(BETWEEN, 1) for output in outputs]
        classes = [tuple(one for task, one in split if task == name) for name in names]
        return cls(tuple(names), tuple(classes))

    @classmethod
    def of_json(cls, content: Mapping[str, Sequence[str]]) -> Self:
        """Returns the tasks that `as_json` returned."""
        return cls(tuple(content), tuple(tuple(names) for names in content.values()))

    def as_json(self) -> dict[str, list[str]]:
        """Returns the classes of each task."""
        return {name: list(own) for name, own in zip(self.names, self.classes, strict=True)}

    @property
    def words(self) -> str:
        """The tasks in words."""
        return f"the tasks {', '.join(self.names)}"

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of classes of each task."""
        return tuple(map(len, self.classes))

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the model's outputs: a task and a class of it.

        Examples:
            >>> Tasks(("species",), (("cat", "dog"),)).output_names
            ('species=cat', 'species=dog')
        """
        pairs = zip(self.names, self.classes, strict=True)
        return tuple(f"{name}{BETWEEN}{one}" for name, own in pairs for one in own)

    @property
    def columns(self) -> dict[str, slice]:
        """The outputs of each task."""
        ends = np.cumsum(self.sizes).tolist()
        starts = [0, *ends[:-1]]
        return {
            name: slice(*ends)
            for name, ends in zip(self.names, zip(starts, ends, strict=True), strict=True)
        }

    def chosen(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Returns the class of each task, (..., num_tasks): the one of the highest value.

        Args:
            rows: Labels or probabilities, (..., num_outputs).

        Returns:
            -1 where the label of a task is missing. Of equal ones the first class wins.

        Examples:
            >>> tasks = Tasks(("species", "health"), (("cat", "dog"), ("ill", "well")))
            >>> tasks.chosen(np.array([[0, 1, np.nan, np.nan]]))
            array([[ 1, -1]])
        """
        found = []
        for columns in self.columns.values():
            own = rows[..., columns]
            is_missing = np.isnan(own).any(axis=-1)
            best = np.where(is_missing[..., None], 0.0, own).argmax(axis=-1)
            found.append(np.where(is_missing, MISSING, best))
        return np.stack(found, axis=-1).astype(np.int64)

    def names_of(self, row: npt.NDArray[Any]) -> dict[str, str]:
        """Returns the class of each task of one example, "" where it is missing."""
        pairs = zip(self.names, self.classes, self.chosen(row).tolist(), strict=True)
        return {name: "" if place == MISSING else own[place] for name, own, place in pairs}


def write_tasks(path: pathlib.Path, tasks: Tasks) -> None:
    """Writes the classes of each task, as a JSON object."""
    write_json(path, tasks.as_json())


def read_tasks(path: pathlib.Path) -> Tasks | None:
    """Returns the tasks that `write_tasks` wrote; None if there is no such file.

    Raises:
        UsageError: The file is not JSON, or something else.
    """
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
        return Tasks.of_json({str(name): list(map(str, own)) for name, own in content.items()})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"'{path}' is not a JSON object with the classes of each task: "
            f"{type(error).__name__}: {error}. Correct it."
        ) from None
