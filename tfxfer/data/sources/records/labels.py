"""The labels of TFRecord files: a class for each example, several, tasks, or a number."""

import pathlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tfxfer.data.labels.reading import LabelReading
from tfxfer.data.labels.targets import Labels
from tfxfer.data.labels.tasks import Tasks
from tfxfer.data.libraries.labels import check_tasks, rows_of_sequences, rows_of_tasks
from tfxfer.data.source import canonical
from tfxfer.data.sources.records.examples import IMAGE, LABEL, Told
from tfxfer.errors import UsageError
from tfxfer.system.names import parse_class_lines

LABELS_FILE = "labels.txt"


@dataclass(frozen=True)
class RecordLabels:
    """The labels of the examples of each split.

    Attributes:
        class_names: The names of the classes or labels, or of the target.
        labels: Of each split, of any kind.
        tasks: The tasks whose classes the names are; None if there are none.
    """

    class_names: tuple[str, ...]
    labels: Mapping[str, Labels]
    tasks: Tasks | None = None

    @classmethod
    def of(
        cls, path: pathlib.Path, told: Mapping[str, Told], how: LabelReading, *, needs_train: bool
    ) -> Self:
        """Returns the labels as the settings ask, or else as the examples have them.

        Args:
            path: What was opened, for messages.
            told: What the examples of each split say.
            how: How their labels are to be read.
            needs_train: Whether there is a split to train on, with at least two classes.

        Raises:
            UsageError: The examples have no such labels, or only one class.
        """
        if how.columns:
            raise UsageError(
                f"Setting 'label_columns' (--label-columns) names columns of a manifest, but "
                f"'{path}' has TFRecord files. Leave it out: several integers in '{LABEL}' are "
                "several labels."
            )
        if how.target:
            _check_there(path, told, how)
            numbers = {name: _numbers(one, how.target) for name, one in told.items()}
            return cls((how.target,), numbers)
        if how.tasks:
            _check_there(path, told, how)
            tasks = Tasks(how.tasks, tuple(_classes(told, key) for key in how.tasks))
            labels = {name: _task_rows(one, tasks) for name, one in told.items()}
            if needs_train:
                check_tasks(path.name, tasks, labels["train"])
            return cls(tasks.output_names, labels, tasks)
        several, labels = _are_several(told, how), {}
        known = _known_numbers(path, told, needs_train)
        names = _class_names(path, known, list(told.values()))
        number_of = {number: place for place, number in enumerate(known)}
        for name, one in told.items():
            places = np.array([number_of[number] for number in one.numbers], np.int64)
            lengths = np.array(one.lengths, np.int64)
            labels[name] = rows_of_sequences(lengths, places, len(names)) if several else places
        return cls(names, labels)


def _check_there(path: pathlib.Path, told: Mapping[str, Told], how: LabelReading) -> None:
    """Raises a UsageError if no example has a feature that is a task, or the target."""
    for key in how.own_columns:
        if all(value is None for one in told.values() for value in one.columns[key]):
            raise UsageError(
                f"No example in '{path}' has the feature '{key}', which {how.option} names."
            )


def _are_several(told: Mapping[str, Told], how: LabelReading) -> bool:
    """Tells whether examples have several labels.

    Raises:
        UsageError: They have, but are to have one class; or one has none.
    """
    first: dict[int, Any] = {}  # an example without a label, and one with several
    for one in told.values():
        for place, length in zip(one.places, one.lengths, strict=True):
            first.setdefault(min(length, 2), place)
    if how.kind == "multi" or (2 in first and how.kind == "auto"):
        return True
    if 2 in first and how.is_preference:
        return True
    if 2 in first:
        file, number = first[2]
        raise UsageError(
            f"Example #{number} of '{file}' has several integers in '{LABEL}', but setting "
            "'labels' (--labels) is 'single'. Choose multi."
        )
    if 0 in first:
        file, number = first[0]
        raise UsageError(
            f"Example #{number} of '{file}' has no usable '{LABEL}'. Needed are '{IMAGE}', an "
            f"image file, and '{LABEL}', an integer from 0. If images may have no label, choose "
            "--labels multi."
        )
    return False


def _known_numbers(path: pathlib.Path, told: Mapping[str, Told], needs_train: bool) -> list[int]:
    """Returns the numbers of the classes, ascending."""
    numbers = sorted({number for one in told.values() for number in one.numbers})
    if len(numbers) < 2 and needs_train:
        raise UsageError(
            f"The examples in '{path}' have only one class; a classifier needs at least 2."
        )
    strange = set(numbers) - set(next(iter(told.values())).numbers)
    if strange and needs_train:
        raise UsageError(
            f"The label {min(strange)} does not occur in the training files of '{path}', but in "
            "others."
        )
    return numbers


def _classes(told: Mapping[str, Told], key: str) -> tuple[str, ...]:
    """Returns the classes of a task: in the order of their numbers or, if they are text, names."""
    values = {value for one in told.values() for value in one.columns[key]}
    return tuple(
        str(value) for value in sorted(filter(_is_class, values), key=lambda v: (str(type(v)), v))
    )


def _is_class(value: Any) -> bool:
    return value is not None and value != -1


def _task_rows(told: Told, tasks: Tasks) -> Labels:
    """Returns the labels of several tasks, (num_examples, num_outputs)."""
    columns = []
    for key, names in zip(tasks.names, tasks.classes, strict=True):
        for value, (file, number) in zip(told.columns[key], told.places, strict=True):
            if isinstance(value, float):
                raise UsageError(
                    f"Example #{number} of '{file}' has {value:g} in '{key}', a number: a task has "
                    "classes, integers or text. Leave it out of --tasks."
                )
        own = [names.index(str(one)) if _is_class(one) else -1 for one in told.columns[key]]
        columns.append(np.array(own, np.int64))
    return rows_of_tasks(columns, tasks)


def _numbers(told: Told, key: str) -> Labels:
    """Returns the number of each example, NaN where it is missing."""
    for value, (file, number) in zip(told.columns[key], told.places, strict=True):
        if isinstance(value, str):
            raise UsageError(
                f"Example #{number} of '{file}' has '{value}' in '{key}'; a target is a number."
            )
    found = [np.nan if value is None else value for value in told.columns[key]]
    return np.array(found, np.float64)


def _class_names(
    path: pathlib.Path, numbers: Sequence[int], told: Sequence[Told]
) -> tuple[str, ...]:
    """Returns the class names for class numbers."""
    file = (path.parent if path.is_file() else path) / LABELS_FILE
    if file.is_file():
        known = _read_labels(file)
        for number in numbers:
            if number not in known:
                raise UsageError(f"'{file}' has no name for the label {number}.")
        return _distinct([known[number] for number in numbers], numbers)
    texts = [_texts(told, number) for number in numbers]
    if all(len(found) == 1 for found in texts):
        return _distinct([min(found) for found in texts], numbers)
    return tuple(str(number) for number in numbers)


def _texts(told: Sequence[Told], number: int) -> set[str]:
    """Returns the names of a class in splits where it has only one."""
    own = [one.names.get(number, set()) for one in told]
    return {min(texts) for texts in own if len(texts) == 1} - {""}


def _read_labels(file: pathlib.Path) -> dict[int, str]:
    """Returns the names in a `labels.txt` by number, stripped.

    It may be one that an export has, too, in which some names stand as JSON writes them.
    """
    text = file.read_text("utf-8", "replace")
    lines = text.removeprefix("\ufeff").removesuffix("\n").split("\n")
    pairs = [re.fullmatch(r"(\d+)[:\t ](.+)", line) for line in lines]
    if all(pairs):
        return {int(pair[1]): pair[2].strip() for pair in pairs if pair}
    try:
        names = parse_class_lines(text)
    except ValueError:  # a quotation mark that is a plain character
        names = lines
    written = dict(enumerate(names))
    return {
        number: name if lines[number].startswith('"') else name.strip()
        for number, name in written.items()
        if name.strip()
    }


def _distinct(names: list[str], numbers: Sequence[int]) -> tuple[str, ...]:
    """Returns the names, or the numbers if two classes share a name."""
    distinct = len(set(map(canonical, names))) == len(names)
    return tuple(names if distinct else (str(number) for number in numbers))
