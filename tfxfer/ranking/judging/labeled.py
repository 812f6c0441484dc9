"""The images that backbones are compared on, without their features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tfxfer.data.contents import Integers, inseparable
from tfxfer.data.labels.kinds import MULTI_LABEL, MULTI_TASK, NUMERIC
from tfxfer.data.labels.stratification import dealt
from tfxfer.data.labels.targets import Labels, are_numbers, are_several
from tfxfer.data.labels.tasks import Tasks
from tfxfer.data.source import Split
from tfxfer.errors import UsageError
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.ranking.judging.metric import METRICS, Metric


@dataclass(frozen=True)
class Labeled:
    """The images that backbones are compared on, without their features.

    Attributes:
        labels: Of any kind; class indices, for example, have the shape (num_examples,).
        folds: The fold of each image, shape (num_examples,).
        units: What each image cannot be separated from, such as its duplicates or its group, as a
            number, shape (num_examples,).
        num_classes: Number of classes or labels; 1 for a number.
        objective: What a head is fitted for.
        tasks: The tasks whose classes the labels are; None if there are none.
    """

    labels: Labels
    folds: Integers
    units: Integers
    num_classes: int
    objective: Objective = SOFTMAX
    tasks: Tasks | None = None

    @classmethod
    def of(
        cls,
        splits: Sequence[Split],
        num_folds: int,
        seed: int,
        num_classes: int,
        objective: Objective = SOFTMAX,
        tasks: Tasks | None = None,
    ) -> Self:
        """Returns the images of splits, split by split, in stratified folds.

        Exact duplicates, and the groups of the data, stay in one fold.

        Args:
            splits: With the images.
            num_folds: Number of folds.
            seed: Seed of the folds.
            num_classes: As the attribute.
            objective: As the attribute.
            tasks: As the attribute.
        """
        labels = np.concatenate([split.labels for split in splits])
        digests = np.concatenate([split.digests() for split in splits])
        groups = [group for split in splits for group in _groups(split)]
        some = groups if any(groups) else None
        folds = dealt(labels, digests, num_folds, (seed, 0), some)
        units = inseparable(digests, some)
        return cls(labels, folds, units, num_classes, objective, tasks)

    @property
    def num_folds(self) -> int:
        """Number of folds that have images."""
        return len(np.unique(self.folds))

    @property
    def num_outputs(self) -> int:
        """Number of outputs of a head: one less than classes that have an order."""
        return self.num_classes - self.objective.is_ordered

    @property
    def special(self) -> str:
        """The kind of labels in one word; empty where an image has one class."""
        if self.tasks is not None:
            return MULTI_TASK
        if are_numbers(self.labels):
            return NUMERIC
        return MULTI_LABEL if are_several(self.labels) else ""

    @property
    def metric(self) -> Metric:
        """The metric that backbones are ranked by."""
        return METRICS[self.special]


def check_folds(labeled: Labeled, num_folds: int, what: str = "Ranking") -> None:
    """Raises a UsageError if the images are too few to be cross-validated.

    Args:
        labeled: The images.
        num_folds: The number of folds they were to be divided into.
        what: What divides them, for the message.
    """
    num_units = len(np.unique(labeled.units))
    if num_units < num_folds:
        raise UsageError(
            f"{what} divides the images into {num_folds} folds, but there are only {num_units} "
            "different images (or groups) for training and validation. Add images."
        )
    if labeled.special == NUMERIC:
        return
    if labeled.special:
        if not any(map(_is_learnable, labeled.labels.T, [labeled.units] * labeled.num_classes)):
            raise UsageError(
                f"{what} needs a label that at least two different images (or groups) for training "
                "and validation have, and two have not. Add images."
            )
        return
    classes, counts = np.unique(
        np.unique(np.stack([labeled.labels, labeled.units]), axis=1)[0], return_counts=True
    )
    if len(classes) < 2 or counts.max() < 2:
        raise UsageError(
            f"{what} needs at least two classes, and two different images (or groups) of one of "
            "them, for training and validation. Add images."
        )


def _is_learnable(column: Labels, units: Integers) -> bool:
    """Returns whether at least two units have a label, and two have not.

    Args:
        column: The label of each example, (num_examples,).
        units: Of each example.
    """
    return all(len(np.unique(units[column == value])) >= 2 for value in (0, 1))


def _groups(split: Split) -> list[str]:
    return [""] * len(split) if split.groups is None else list(split.groups)
