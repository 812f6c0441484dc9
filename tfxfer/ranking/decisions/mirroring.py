"""Whether training mirrors images: not where left and right tell classes apart.

A mirror image of a photograph is another photograph of the same thing. That of a character, of a
sign that points to one side or of a left hand is one of something else.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.planning.plan import Plan
from tfxfer.planning.resuming import first_asked
from tfxfer.ranking.decisions.heads import Heads
from tfxfer.system.run_layout import MIRRORING
from tfxfer.training.frozen.changes import Changes

# A head that loses more than this times as much on mirror images, and by more than noise, puts
# flips in question. It is 0.9 to 1.4 on photographs, brain slices and metal strips, and 2.8 to 80
# on digits and arrows; see benchmarks/README.md.
_IN_QUESTION = 1.5

# Most validation images whose mirror images are looked at; those of other images only where flips
# are in question.
_MOST = 64


@dataclass(frozen=True)
class Mirroring:
    """Whether training mirrors images, and why.

    Attributes:
        flip: Whether it does.
        plain: Loss of a head on validation images.
        mirrored: Its loss on their mirror images.
        trained: Cross-validated loss of heads trained without and with mirror images; empty unless
            that was in question.
        loss: What the loss is called.
    """

    flip: bool
    plain: float
    mirrored: float
    trained: tuple[float, ...] = ()
    loss: str = "log loss"

    FILE: ClassVar[str] = MIRRORING
    OPEN: ClassVar[str] = (
        "before training, a head on mirror images decides whether images are flipped"
    )

    @classmethod
    def of(cls, heads: Heads, plan: Plan) -> Self:
        """Returns what heads decide for a plan.

        A head on features of training images is tried on validation images and on their mirror
        images. If it does far worse on these, heads are cross-validated that are trained on mirror
        images, too. Images are still flipped if that helps.
        """
        found = heads.compared(Changes.mirrored, "mirrored", _MOST)
        if not found.is_worse(_IN_QUESTION):
            return cls(True, *found.means, loss=heads.loss)
        without, also = heads.losses_of_trained(Changes.mirrored, "mirrored")
        return cls(also < without, *found.means, (without, also), heads.loss)

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns what `as_json` wrote."""
        values = {one.name: content[one.name] for one in dataclasses.fields(cls)}
        return cls(**values | {"trained": tuple(content["trained"])})

    def as_json(self) -> dict[str, Any]:
        """Returns its content in `mirroring.json`."""
        plain, mirrored, *trained = np.round([self.plain, self.mirrored, *self.trained], 6).tolist()
        losses = {"plain": plain, "mirrored": mirrored, "trained": trained}
        return dataclasses.asdict(self) | losses

    @property
    def sentence(self) -> str:
        """Why images are not mirrored.

        Examples:
            >>> Mirroring(False, 0.22, 1.46, (0.21, 0.38)).sentence
            'images are not flipped: the log loss of a head is 1.4600 on mirror images in place of \
0.2200, and training it on them, too, does not lower it (0.3800 in place of 0.2100)'
        """
        without, also = self.trained
        return (
            f"images are not flipped: the {self.loss} of a head is {self.mirrored:.4f} on mirror "
            f"images in place of {self.plain:.4f}, and training it on them, too, does not lower it "
            f"({also:.4f} in place of {without:.4f})"
        )

    @staticmethod
    def is_open(plan: Plan, asked: FitConfig) -> bool:
        """Tells whether images are flipped, the user left it open, and a head can decide it.

        Args:
            plan: The plan of a fit.
            asked: The settings that the user gave.
        """
        return plan.config.augment.flip and first_asked(plan.run, asked).augment.flip is None

    def applied(self, plan: Plan) -> Plan:
        """Returns the plan, if need be with no flips in any trial of a search, and why."""
        if self.flip:
            return plan
        return replace(
            plan.with_note(self.sentence),
            config=plan.config.with_settings({"augment": {"flip": False}}),
            portfolio=plan.portfolio and plan.portfolio.without_flips(),
        )
