"""The labels of a dataset of a library as one array, of any kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.labels.kinds import MULTI_TASK, NUMERIC
from tfxfer.data.labels.reading import AS_GIVEN, LabelReading
from tfxfer.data.labels.targets import Labels, are_numbers, are_several
from tfxfer.data.labels.tasks import MISSING, Tasks
from tfxfer.data.libraries.choosing import Chosen
from tfxfer.data.source import Split
from tfxfer.errors import UsageError


@dataclass(frozen=True)
class Classes:
    """The features that are the labels of a dataset, with their classes.

    Attributes:
        chosen: The features.
        names: The names of the classes of each; none of a number.
    """

    chosen: Chosen
    names: tuple[tuple[str, ...], ...]

    @property
    def tasks(self) -> Tasks | None:
        """The tasks; None if there are none."""
        return Tasks(self.chosen.keys, self.names) if self.chosen.special == MULTI_TASK else None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the classes or labels, or of the target.

        Examples:
            >>> Classes(Chosen("", ("label",)), (("cat", "dog"),)).outputs
            ('cat', 'dog')
        """
        if self.chosen.special == NUMERIC:
            return self.chosen.keys
        return self.names[0] if self.tasks is None else self.tasks.output_names

    def labels(self, columns: Sequence[npt.NDArray[Any]]) -> Labels:
        """Returns the labels of images that have one value in each of the features.

        Args:
            columns: The values of each feature, (num_images,) each.
        """
        return columns[0] if self.tasks is None else rows_of_tasks(columns, self.tasks)


def rows_of_sequences(
    lengths: npt.NDArray[np.int64], classes: npt.NDArray[np.int64], num_classes: int
) -> npt.NDArray[np.float32]:
    """Returns which labels each image has, (num_images, num_classes), 0 or 1.

    A row with a negative class is all NaN: nothing is known of that image.

    Args:
        lengths: How many labels each image has, (num_images,).
        classes: The classes of all images, one image after the other.
        num_classes: Number of classes.

    Examples:
        >>> rows_of_sequences(np.array([2, 0, 1]), np.array([0, 2, -1]), 3)
        array([[ 1.,  0.,  1.],
               [ 0.,  0.,  0.],
               [nan, nan, nan]], dtype=float32)
    """
    rows = np.zeros((len(lengths), num_classes), np.float32)
    image = np.repeat(np.arange(len(lengths)), lengths)
    rows[image[classes >= 0], classes[classes >= 0]] = 1
    rows[image[classes < 0]] = np.nan
    return rows


def rows_of_tasks(
    columns: Sequence[npt.NDArray[np.int64]], tasks: Tasks
) -> npt.NDArray[np.float32]:
    """Returns the labels of several tasks, (num_images, num_outputs); see `labels.tasks`.

    Args:
        columns: The class of each image, negative where it is missing, for each task.
        tasks: The tasks with their classes.

    Examples:
        >>> tasks = Tasks(("kind", "mood"), (("cat", "dog"), ("calm", "wild")))
        >>> rows_of_tasks([np.array([1]), np.array([-1])], tasks)
        array([[ 0.,  1., nan, nan]], dtype=float32)
    """
    parts = []
    for classes, size in zip(columns, tasks.sizes, strict=True):
        own = np.eye(size, dtype=np.float32)[np.maximum(classes, 0)]
        own[classes < 0] = np.nan
        parts.append(own)
    return np.concatenate(parts, axis=1)


def are_known(labels: Labels) -> npt.NDArray[np.bool_]:
    """Returns of which images something is known, (num_images,).

    Examples:
        >>> are_known(np.array([0, -1])), are_known(np.array([0.5, np.nan]))
        (array([ True, False]), array([ True, False]))
    """
    if are_several(labels):
        return np.asarray(~np.isnan(labels).all(axis=1))
    if are_numbers(labels):
        return np.asarray(np.isfinite(labels))
    return np.asarray(labels >= 0)


def without_unlabeled(
    split: Split, called: str, notes: list[str], how: LabelReading = AS_GIVEN
) -> Split:
    """Returns a split without images of which no label is known.

    Args:
        split: The split.
        called: What it is called, for the note.
        notes: Gets a line on what is left out.
        how: How the labels were read.
    """
    known = np.flatnonzero(are_known(split.labels))
    if len(known) == len(split) or how.are_replaced:
        return split
    notes.append(
        f"{len(split) - len(known):,} of the {len(split):,} images of '{called}' have no label, "
        "and were left out"
    )
    return split.select(known)


def check_tasks(name: str, tasks: Tasks, labels: Labels) -> None:
    """Raises a UsageError unless each task has at least two classes to train on.

    Args:
        name: Of the dataset.
        tasks: The tasks.
        labels: Of the training images, (num_images, num_outputs).
    """
    for task, columns in tasks.columns.items():
        own = labels[:, columns]
        known = np.unique(tasks.chosen(labels)[:, tasks.names.index(task)])
        if len(known[known != MISSING]) < 2:
            number = "no class" if np.isnan(own).all() else "only one class"
            raise UsageError(
                f"Feature '{task}' of the dataset '{name}' has {number} in train; a task needs at "
                "least 2. Leave it out of --tasks."
            )
