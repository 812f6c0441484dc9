"""Groups of examples by a number that those of one group share: sizes, kinds, and whom to name."""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Groups:
    """Examples in groups; all is counted by the array, however many or large the groups are.

    Attributes:
        numbers: Of the group of each example, all from 0 on, (num_examples,).
    """

    numbers: Integers

    @functools.cached_property
    def sizes(self) -> Integers:
        """How many examples each group has, (num_groups,)."""
        return np.bincount(self.numbers)

    @functools.cached_property
    def _order(self) -> Integers:
        """The examples, group by group; those of a group in their order."""
        return np.argsort(self.numbers, kind="stable")

    @functools.cached_property
    def _ends(self) -> Integers:
        """Where each group ends in that order."""
        return np.cumsum(self.sizes)

    def members(self, group: int) -> Integers:
        """Returns the examples of a group, ascending."""
        end = self._ends[group]
        return self._order[end - self.sizes[group] : end]

    def num_different(self, values: npt.NDArray[np.integer]) -> Integers:
        """Returns how many different values each group has, (num_groups,).

        Args:
            values: Of each example, at least 0, (num_examples,).
        """
        if not len(values):
            return np.zeros(0, np.int64)
        most = int(values.max()) + 1
        pairs = np.unique(self.numbers * most + values)
        return np.bincount(pairs // most, minlength=len(self.sizes))

    def largest_first(self, chosen: npt.NDArray[np.bool_]) -> Integers:
        """Returns some groups, the largest first; of equal ones that of the first example.

        Args:
            chosen: Whether a group is one of them, (num_groups,).
        """
        groups = np.flatnonzero(chosen)
        first = self._order[self._ends[groups] - self.sizes[groups]]
        return groups[np.lexsort((first, -self.sizes[groups]))]

    def telling(self, group: int, kinds: npt.NDArray[np.integer], limit: int) -> Integers:
        """Returns the examples that a group is told by, ascending: all, or so many.

        Where there are more, the first of each kind are among them, as far as there is room.

        Args:
            group: Which.
            kinds: Of each example, such as its split, (num_examples,).
            limit: The most.
        """
        members = self.members(group)
        if len(members) <= limit:
            return members
        is_first = np.zeros(len(members), np.bool_)
        is_first[np.unique(kinds[members], return_index=True)[1]] = True
        # The first of each kind, then the others, each in their order.
        order = np.argsort(~is_first, kind="stable")[:limit]
        return members[np.sort(order)]
