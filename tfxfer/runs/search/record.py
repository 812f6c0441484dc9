"""The choice of a search, as checkpoints and `metrics.json` hold it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tfxfer.config.settings import section_of

# Name of the way that trains nothing but the head.
HEAD_ALONE = "head alone"


@dataclass(frozen=True)
class SearchRecord:
    """What a search chose, and why.

    Attributes:
        way: Name of the way whose weights are kept, or of the default if the search was left out.
        num_trials: Number of trials.
        epochs: Epochs of all trials together.
        reason: Why it was chosen, as a sentence.
        changes: The settings in which it differs from the default, by dotted keys.
        optimism: By how much its validation accuracy is too high because validation chose it.
        not_tried: Names of the ways for which there was no time.
        has_other_seed: Whether its images came in the order of another seed than that of the run.
    """

    way: str
    num_trials: int
    epochs: int
    reason: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    optimism: float = 0.0
    not_tried: tuple[str, ...] = ()
    has_other_seed: bool = False

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns the record of the known keys; others were written by a later version."""
        names = {one.name for one in dataclasses.fields(cls)}
        known = {name: value for name, value in content.items() if name in names}
        return cls(**{**known, "not_tried": tuple(known.get("not_tried", ()))})

    @property
    def is_left_out(self) -> bool:
        """Whether the default was trained without a search."""
        return not self.num_trials and self.way != HEAD_ALONE

    @property
    def sentence(self) -> str:
        """What was chosen, and why."""
        if self.is_left_out:
            return f"left out, as {self.reason}."
        return f"chose '{self.way}': {self.reason}."

    @property
    def missing(self) -> str:
        """What was not tried for lack of time; empty if everything was."""
        return f"Not tried for lack of time: {'; '.join(self.not_tried)}." if self.not_tried else ""

    def nested_changes(self) -> dict[str, Any]:
        """Returns the changes, nested as in a recipe."""
        nested: dict[str, Any] = {}
        for key, value in self.changes.items():
            section, name = section_of(nested, key)
            section[name] = value
        return nested
