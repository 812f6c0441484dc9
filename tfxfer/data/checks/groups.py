"""Groups of examples: sizes, number of distinct values, and representatives."""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Groups:
    """Examples in groups, counted with array operations at any number and size of groups.

    Attributes:
        numbers: Group number of each example, from 0 without gaps, (num_examples,).
    """

    numbers: Integers

    @functools.cached_property
    def sizes(self) -> Integers:
        """Number of examples per group, (num_groups,)."""
        return np.bincount(self.numbers)

    @functools.cached_property
    def _order(self) -> Integers:
        """The examples sorted by group, in their original order within each."""
        return np.argsort(self.numbers, kind="stable")

    @functools.cached_property
    def _ends(self) -> Integers:
        """End of each group in that order."""
        return np.cumsum(self.sizes)

    def members(self, group: int) -> Integers:
        """Returns the examples of a group, ascending."""
        end = self._ends[group]
        return self._order[end - self.sizes[group] : end]

    def num_different(self, values: npt.NDArray[np.integer]) -> Integers:
        """Returns the number of distinct values per group, (num_groups,).

        Args:
            values: One per example, at least 0, (num_examples,).
        """
        if not len(values):
            return np.zeros(0, np.int64)
        most = int(values.max()) + 1
        pairs = np.unique(self.numbers * most + values)
        return np.bincount(pairs // most, minlength=len(self.sizes))

    def largest_first(self, chosen: npt.NDArray[np.bool_]) -> Integers:
        """Returns the chosen groups, the largest first; ties by their first example.

        Args:
            chosen: Mask of the groups, (num_groups,).
        """
        groups = np.flatnonzero(chosen)
        first = self._order[self._ends[groups] - self.sizes[groups]]
        return groups[np.lexsort((first, -self.sizes[groups]))]

    def telling(self, group: int, kinds: npt.NDArray[np.integer], limit: int) -> Integers:
        """Returns representative examples of a group, ascending, at most `limit`.

        The first example of each kind is among them, as far as there is room.

        Args:
            group: Number of the group.
            kinds: One per example, such as its split, (num_examples,).
            limit: Maximum number of examples.
        """
        members = self.members(group)
        if len(members) <= limit:
            return members
        is_first = np.zeros(len(members), np.bool_)
        is_first[np.unique(kinds[members], return_index=True)[1]] = True
        # The first of each kind, then the others, each in their order.
        order = np.argsort(~is_first, kind="stable")[:limit]
        return members[np.sort(order)]
