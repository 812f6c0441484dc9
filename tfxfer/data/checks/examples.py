"""All examples of a source in one table, the input of the check rules."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.checks.groups import Groups
from tfxfer.data.checks.result import NAMED_GROUPS, NAMED_OF_GROUP, Affected
from tfxfer.data.contents import inseparable
from tfxfer.data.image.inspection import Inspection, inspect, look_alikes
from tfxfer.data.labels.targets import Labels, numbered
from tfxfer.data.source import Source


@dataclass(frozen=True)
class Examples:
    """All examples of all splits, split by split."""

    source: Source
    splits: npt.NDArray[np.int8]  # their numbers
    places: npt.NDArray[np.int64]  # in the split
    labels: Labels  # of either kind
    digests: npt.NDArray[np.uint8]
    facts: Inspection

    @classmethod
    def of(cls, source: Source) -> "Examples":
        """Reads every example of a source."""
        facts = [inspect(split, name) for name, split in source.splits.items()]
        names = vars(facts[0])
        together = {name: np.concatenate([getattr(one, name) for one in facts]) for name in names}
        return cls(
            source,
            np.repeat(
                np.arange(len(source.splits), dtype=np.int8),
                [len(split) for split in source.splits.values()],
            ),
            np.concatenate([np.arange(len(split)) for split in source.splits.values()]),
            np.concatenate([split.labels for split in source.splits.values()]),
            np.concatenate([split.digests() for split in source.splits.values()]),
            Inspection(**together),
        )

    @property
    def readable(self) -> npt.NDArray[np.bool_]:
        """Which examples are readable, (num_examples,)."""
        return self.facts.readable

    @property
    def num_readable(self) -> dict[str, int]:
        """Number of readable examples by split."""
        counts = np.bincount(self.splits[self.readable], minlength=len(self.split_names))
        return dict(zip(self.split_names, counts.tolist(), strict=True))

    @functools.cached_property
    def contents(self) -> npt.NDArray[np.int64]:
        """Content numbers, (num_examples,): exact duplicates share one."""
        return inseparable(self.digests)

    @functools.cached_property
    def alike(self) -> npt.NDArray[np.int64]:
        """Numbers of the groups of near-duplicates, (num_examples,); see `look_alikes`."""
        return look_alikes(self.facts.perceptual_hashes, self.facts.contrasts)

    @functools.cached_property
    def kinds(self) -> npt.NDArray[np.int64]:
        """Numbers of the labels, (num_examples,): equal labels share one."""
        return numbered(self.labels)

    @functools.cached_property
    def split_names(self) -> tuple[str, ...]:
        """The names of the splits, by their numbers."""
        return tuple(self.source.splits)

    def name(self, index: int | np.integer[Any]) -> str:
        """Returns the id of an example."""
        split = self.source.splits[self.split_names[self.splits[index]]]
        return split.describe(int(self.places[index]))

    def singly(
        self, indices: npt.NDArray[np.int64], tell: Callable[[int], str] | None = None
    ) -> Affected:
        """Returns examples as groups of one.

        Args:
            indices: Of the examples.
            tell: Returns a detail to append to an example's id, by its index; None appends none.
        """

        def name(place: int) -> str:
            index = int(indices[place])
            return self.name(index) + (f": {tell(index)}" if tell else "")

        return Affected.singly(len(indices), name)

    def together(self, groups: Groups, chosen: npt.NDArray[np.bool_]) -> Affected:
        """Returns the chosen groups of examples, the largest first.

        Args:
            groups: All groups.
            chosen: Mask of the groups to return, (num_groups,).
        """
        named = groups.largest_first(chosen)[:NAMED_GROUPS]
        # Of a large group, name the first example of each split and class.
        kinds = self.kinds * len(self.split_names) + self.splits
        telling = (groups.telling(group, kinds, NAMED_OF_GROUP) for group in named)
        return Affected(
            count=int(np.count_nonzero(chosen)),
            num_examples=int(groups.sizes[chosen].sum()),
            named=tuple(tuple(self.name(index) for index in members) for members in telling),
            sizes=tuple(groups.sizes[named].tolist()),
        )
