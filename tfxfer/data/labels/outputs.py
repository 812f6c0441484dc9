"""What the outputs of a classifier are of, and what is decided from their values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tfxfer.data.labels.tasks import Tasks
from tfxfer.data.source import ONE_CLASS, SEVERAL_LABELS


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class Outputs:
    """What the outputs of a classifier are of: one class for each image, or labels of another kind.

    Attributes:
        names: Of the classes or labels, in the order of the outputs.
        thresholds: Of each of several labels, (num_labels,); None where there are none.
        tasks: The tasks whose classes the outputs are; None if there are none.
        is_ordered: Whether the classes have an order, which is that of the outputs.
    """

    names: tuple[str, ...]
    thresholds: npt.NDArray[np.float64] | None = field(default=None, kw_only=True)
    tasks: Tasks | None = field(default=None, kw_only=True)
    is_ordered: bool = field(default=False, kw_only=True)

    @property
    def special(self) -> str:
        """The kind of labels in one word; empty where an image has one class.

        Examples:
            >>> Outputs(("cat", "dog")).special, Outputs(("cat",), thresholds=np.ones(1)).special
            ('', 'multi-label')
        """
        if self.tasks is not None:
            return "multi-task"
        return "" if self.thresholds is None else "multi-label"

    @property
    def kind_of_labels(self) -> str:
        """What labels an image has, in words; as that of a source."""
        if self.tasks is not None:
            return self.tasks.words
        return ONE_CLASS if self.thresholds is None else SEVERAL_LABELS

    def decisions(self, probabilities: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Returns the predicted class of each image, (num_images,), or which labels it gets.

        Args:
            probabilities: Shape (..., num_outputs).

        Returns:
            For multi-label data, true where the probability is at least the threshold, (...,
            num_labels). Of several tasks, the class of each, (..., num_tasks).

        Examples:
            >>> Outputs(("cat", "dog")).decisions(np.array([[0.2, 0.8]]))
            array([1])
        """
        if self.tasks is not None:
            return self.tasks.chosen(probabilities)
        if self.thresholds is None:
            return np.asarray(probabilities.argmax(axis=-1))
        return np.asarray(probabilities >= self.thresholds)

    @classmethod
    def of_json(cls, names: tuple[str, ...], content: Mapping[str, Any]) -> Self:
        """Returns what `as_json` returned.

        Args:
            names: Of the outputs.
            content: May have other keys.

        Raises:
            KeyError, TypeError, ValueError: The content is something else.
        """
        told = content.get("thresholds")
        thresholds = None if told is None else np.array([float(told[name]) for name in names])
        tasks = Tasks.of_json(content["tasks"]) if "tasks" in content else None
        is_ordered = bool(content.get("ordered"))
        return cls(names, thresholds=thresholds, tasks=tasks, is_ordered=is_ordered)

    def as_json(self) -> dict[str, Any]:
        """Returns what an export tells of the outputs besides their names."""
        content: dict[str, Any] = {}
        if self.thresholds is not None:
            content["thresholds"] = dict(zip(self.names, self.thresholds.tolist(), strict=True))
        content |= {"ordered": True} if self.is_ordered else {}
        content |= {} if self.tasks is None else {"tasks": self.tasks.as_json()}
        return content
