"""The average of weights that a fit tried to keep, as checkpoints and `metrics.json` hold it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self


@dataclass(frozen=True)
class AverageRecord:
    """What became of the average of trained weights.

    Losses are those of validation, after temperature scaling.

    Attributes:
        kind: "soup", a greedy soup, or "wise", WiSE-FT.
        of: What is averaged: "epoch" or "trial"; "head" for the solved head and a fine-tuned
            network.
        members: Names of what is in the average that is kept, such as numbers of epochs; empty if
            none is kept.
        num_ingredients: What there was to average.
        loss: Loss of the weights that are kept.
        accuracy: Their accuracy, in [0, 1].
        loss_without: Loss of the weights that would be kept without averaging.
        accuracy_without: Their accuracy.
        share: For WiSE-FT, the share of the fine-tuned network in (0, 1); None if it is not kept.
        before: The average that was tried before, from whose result this one starts; None without.
    """

    kind: Literal["soup", "wise"]
    of: Literal["epoch", "trial", "head"]
    members: tuple[str, ...]
    num_ingredients: int
    loss: float
    accuracy: float
    loss_without: float
    accuracy_without: float
    share: float | None = None
    before: "AverageRecord | None" = None

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns the record of the known keys; others were written by a later version."""
        names = {one.name for one in dataclasses.fields(cls)}
        known = {name: value for name, value in content.items() if name in names}
        earlier = content.get("before")
        before = None if earlier is None else cls.of_json(earlier)
        return cls(**{**known, "members": tuple(known["members"]), "before": before})

    @property
    def is_kept(self) -> bool:
        """Whether an average replaces the weights of the best epoch."""
        return bool(self.members) or (self.before is not None and self.before.is_kept)

    @property
    def trials(self) -> tuple[str, ...]:
        """The trials whose weights are in what is kept; empty if it is no average of trials."""
        ours = self.members if self.of == "trial" else ()
        return ours or (() if self.before is None else self.before.trials)

    @property
    def what(self) -> str:
        """What is averaged, as "average of epochs 7, 9"."""
        if self.before is not None and self.before.is_kept:
            before = self.before.what
            return f"{before}; then {self._what}" if self.members else before
        return self._what

    @property
    def _what(self) -> str:
        if self.share is not None:
            return (
                f"{self.share:g} of the fine-tuned network and {1 - self.share:g} of the network "
                "before fine-tuning"
            )
        plural = "" if len(self.members) == 1 else "s"
        return f"average of {self.of}{plural} {', '.join(self.members)}"

    @property
    def sentence(self) -> str:
        """What was averaged, and what validation says of it."""
        return self._sentence if self.before is None else f"{self.before.sentence} {self._sentence}"

    @property
    def _sentence(self) -> str:
        name = {"soup": "Greedy soup", "wise": "WiSE-FT"}[self.kind]
        if self.members:
            return (
                f"{name}: kept, {self._what}. The validation loss is {self.loss:.4f} (without "
                f"averaging {self.loss_without:.4f}), the accuracy {self.accuracy:.4f} "
                f"({self.accuracy_without:.4f})."
            )
        if self.num_ingredients < 2:
            return f"{name}: not kept, as there is only one {self.of} to average."
        return (
            f"{name}: not kept, as no average lowers the validation loss of "
            f"{self.loss_without:.4f} without lowering the accuracy."
        )
