"""Whether a search also tries to fine-tune without shift and zoom.

These help with photographs: an object that is shifted or a little larger is the same object. Where
classes differ in fine texture, or at the edge of the image, they wash out what tells them apart.
A head that does about as well on shifted and zoomed images spares the search that trial.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from tfxfer.config.decided import DecidedAugment
from tfxfer.config.schema import FitConfig
from tfxfer.planning.plan import Plan
from tfxfer.planning.ways.way import Way
from tfxfer.ranking.decisions.heads import Heads
from tfxfer.system.run_layout import WARPING
from tfxfer.training.frozen.changes import Changes

# A head that loses more than this times as much on shifted and zoomed images, and by more than
# noise, puts them in question. It is 1.6 to 2.6 on metal strips and 3.5 to 5.2 on digits, and at
# most 1.4 on photographs and brain slices; see benchmarks/README.md.
_IN_QUESTION = 1.5

# Most validation images that are looked at.
_MOST = 128

# What the way without warps has at zero.
_WARPS = ("shift", "zoom", "rotation")


@dataclass(frozen=True)
class Warping:
    """Whether fine-tuning without shift and zoom is tried, and why not.

    Attributes:
        is_tried_without: Whether it is.
        plain: Loss of a head on validation images.
        warped: Its loss on shifted and zoomed ones.
        loss: What the loss is called.
    """

    is_tried_without: bool
    plain: float
    warped: float
    loss: str = "log loss"

    FILE: ClassVar[str] = WARPING
    OPEN: ClassVar[str] = (
        "before training, a head on shifted and zoomed images decides whether fine-tuning without "
        "them is tried"
    )

    @classmethod
    def of(cls, heads: Heads, plan: Plan) -> Self:
        """Returns what a head decides for a plan whose search may try both."""
        augment = _warps(plan.portfolio.ways if plan.portfolio else ())
        seed = plan.config.seed

        def warped(num_images: int) -> Changes:
            return Changes.of(num_images, augment, seed, view=0)

        found = heads.compared(warped, "shifted and zoomed", _MOST)
        return cls(found.is_worse(_IN_QUESTION), *found.means, heads.loss)

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns what `as_json` wrote."""
        return cls(**{one.name: content[one.name] for one in dataclasses.fields(cls)})

    def as_json(self) -> dict[str, Any]:
        """Returns its content in `warping.json`."""
        plain, warped = np.round([self.plain, self.warped], 6).tolist()
        return dataclasses.asdict(self) | {"plain": plain, "warped": warped}

    @property
    def sentence(self) -> str:
        """Why there is no trial without shift and zoom.

        Examples:
            >>> Warping(False, 0.387, 0.378).sentence
            'fine-tuning without shift and zoom is not tried: the log loss of a head is 0.3780 on \
shifted and zoomed images in place of 0.3870'
        """
        return (
            f"fine-tuning without shift and zoom is not tried: the {self.loss} of a head is "
            f"{self.warped:.4f} on shifted and zoomed images in place of {self.plain:.4f}"
        )

    @staticmethod
    def is_open(plan: Plan, asked: FitConfig) -> bool:
        """Tells whether a search is to try both.

        A thorough search has the time that it was given, and tries both in any case.

        Args:
            plan: The plan of a fit.
            asked: The settings that the user gave.
        """
        del asked  # what the user gave is the same in both ways
        portfolio = plan.portfolio
        return portfolio is not None and not portfolio.is_thorough and len(portfolio.ways) > 1

    def applied(self, plan: Plan) -> Plan:
        """Returns the plan, if need be without those trials, and why."""
        if self.is_tried_without:
            return plan
        rest = plan.portfolio and plan.portfolio.with_warps()
        return replace(plan.with_note(self.sentence), portfolio=rest)


def _warps(ways: Sequence[Way]) -> DecidedAugment:
    """Returns the augmentation that the first of two ways has, and the second one has not."""
    default, plain = (way.augment for way in ways)
    warps = {name: getattr(default, name) - getattr(plain, name) for name in _WARPS}
    return DecidedAugment(**{"flip": False, **warps})
