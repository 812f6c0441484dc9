"""What the outputs of a classifier are of, and what is decided from their values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tfxfer.data.labels.kinds import MULTI_LABEL, MULTI_TASK, NUMERIC, in_words
from tfxfer.data.labels.numbers import Number
from tfxfer.data.labels.tasks import Tasks

# Two values of a target agree where they differ by at most this share of its standard deviation.
_CLOSE = 0.1


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class Outputs:
    """What the outputs of a classifier are of: one class for each image, or labels of another kind.

    Attributes:
        names: Of the classes or labels, in the order of the outputs; or of the target.
        thresholds: Of each of several labels, (num_labels,); None where there are none.
        tasks: The tasks whose classes the outputs are; None if there are none.
        is_ordered: Whether the classes have an order, which is that of the outputs.
        number: The target, whose value is the only output; None where it is something else.
    """

    names: tuple[str, ...]
    thresholds: npt.NDArray[np.float64] | None = field(default=None, kw_only=True)
    tasks: Tasks | None = field(default=None, kw_only=True)
    is_ordered: bool = field(default=False, kw_only=True)
    number: Number | None = field(default=None, kw_only=True)

    @property
    def special(self) -> str:
        """The kind of labels in one word; empty where an image has one class.

        Examples:
            >>> Outputs(("cat", "dog")).special, Outputs(("cat",), thresholds=np.ones(1)).special
            ('', 'multi-label')
        """
        if self.tasks is not None:
            return MULTI_TASK
        if self.number is not None:
            return NUMERIC
        return "" if self.thresholds is None else MULTI_LABEL

    @property
    def kind_of_labels(self) -> str:
        """What labels an image has, in words; as that of a source."""
        return in_words(self.special, self.tasks)

    def decisions(self, probabilities: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Returns the predicted class of each image, (num_images,), or which labels it gets.

        Args:
            probabilities: Shape (..., num_outputs).

        Returns:
            For multi-label data, true where the probability is at least the threshold, (...,
            num_labels). Of several tasks, the class of each, (..., num_tasks). The value of a
            target is what it is, (num_images,).

        Examples:
            >>> Outputs(("cat", "dog")).decisions(np.array([[0.2, 0.8]]))
            array([1])
        """
        if self.tasks is not None:
            return self.tasks.chosen(probabilities)
        if self.number is not None:
            return np.asarray(probabilities[..., 0])
        if self.thresholds is None:
            return np.asarray(probabilities.argmax(axis=-1))
        return np.asarray(probabilities >= self.thresholds)

    def agreement(self, found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> float:
        """Returns the share of decisions in which two sets of outputs agree, in [0, 1].

        Of a target, that of values that differ by at most a tenth of its standard deviation.

        Args:
            found: Shape (num_images, num_outputs).
            expected: In the same shape.
        """
        one, other = self.decisions(found), self.decisions(expected)
        if self.number is not None:
            return float(np.mean(np.abs(one - other) <= _CLOSE * self.number.std))
        return float(np.mean(one == other))

    @property
    def scale(self) -> float:
        """What a difference of outputs is measured by: 1, or the standard deviation of a target."""
        return 1.0 if self.number is None else self.number.std

    @classmethod
    def of_json(cls, names: tuple[str, ...], content: Mapping[str, Any]) -> Self:
        """Returns what `as_json` returned.

        Args:
            names: Of the outputs.
            content: May have other keys.

        Raises:
            KeyError, TypeError, ValueError: The content is something else.
        """
        least = content.get("thresholds")
        thresholds = None if least is None else np.array([float(least[name]) for name in names])
        tasks = Tasks.of_json(content["tasks"]) if "tasks" in content else None
        number = Number.of_json(content["target"]) if "target" in content else None
        is_ordered = bool(content.get("ordered"))
        told: dict[str, Any] = {"tasks": tasks, "number": number, "is_ordered": is_ordered}
        return cls(names, thresholds=thresholds, **told)

    def as_json(self) -> dict[str, Any]:
        """Returns what an export tells of the outputs besides their names."""
        content: dict[str, Any] = {}
        if self.thresholds is not None:
            content["thresholds"] = dict(zip(self.names, self.thresholds.tolist(), strict=True))
        content |= {"ordered": True} if self.is_ordered else {}
        content |= {} if self.tasks is None else {"tasks": self.tasks.as_json()}
        content |= {} if self.number is None else {"target": self.number.as_json()}
        return content
