"""The `splits.csv` of a run as a manifest: the run knows its labels, its tasks and its target."""

import dataclasses
import pathlib

from tfxfer.data.labels.numbers import read_number
from tfxfer.data.labels.reading import LabelReading
from tfxfer.data.labels.tasks import read_tasks
from tfxfer.system.names import parse_class_lines
from tfxfer.system.run_layout import RunDirectory


def is_of_run(path: pathlib.Path) -> bool:
    """Tells whether a manifest is the `splits.csv` of a run."""
    run = RunDirectory(path.parent)
    return path == run.splits and run.config.is_file() and run.classes.is_file()


def labels_of_run(path: pathlib.Path) -> list[str]:
    """Returns the labels of a run whose `splits.csv` this is, which no image there need have."""
    if not is_of_run(path):
        return []
    return parse_class_lines(RunDirectory(path.parent).classes.read_text("utf-8"))


def reading_of_run(path: pathlib.Path, how: LabelReading) -> LabelReading:
    """Returns how the labels of a manifest are to be read: a run knows its tasks or target."""
    if not is_of_run(path):
        return how
    run = RunDirectory(path.parent)
    tasks, number = read_tasks(run.tasks), read_number(run.target)
    if number is not None:
        return dataclasses.replace(how, target=number.name)
    return how if tasks is None else dataclasses.replace(how, tasks=tasks.names)
