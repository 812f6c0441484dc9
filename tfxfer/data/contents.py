"""Examples by their content: which are the same, in what order, and which belong together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tfxfer.system.digests import ID_BYTES, Ids

Integers = npt.NDArray[np.int64]

# Names of the arrays that hold near copies in a file.
_DIGESTS, _NUMBERS = "near_copies", "near_copy_groups"


def inseparable(digests: Ids, groups: Sequence[str] | None = None) -> Integers:
    """Returns the number of the unit that each example is part of, from 0.

    Two examples are in one unit where they have the same content or group, or where a chain of
    others that have links them.

    Examples:
        >>> from tfxfer.system.digests import ids_of
        >>> units = inseparable(ids_of([(b"a",), (b"b",), (b"a",)]))
        >>> bool(units[0] == units[2]), bool(units[0] == units[1])
        (True, False)
    """
    contents = np.unique(as_items(digests), return_inverse=True)[1].astype(np.int64)
    if groups is None:
        return contents
    # SciPy takes a quarter of a second to import, and few data have groups.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = np.array(groups, dtype=object).astype(str)
    grouped = np.flatnonzero(names != "")
    places = np.unique(names[grouped], return_inverse=True)[1]
    num_contents = int(contents.max()) + 1
    total = num_contents + (int(places.max()) + 1 if len(places) else 0)
    # A graph of contents and groups, with an edge for each example that has both.
    edges = (np.ones(len(grouped), np.bool_), (contents[grouped], num_contents + places))
    components = connected_components(coo_array(edges, shape=(total, total)), directed=False)[1]
    units = components[contents]
    return np.unique(units, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, eq=False)
class NearCopyGroups:
    """Contents that are near copies of each other, and are to stay in one split.

    Attributes:
        digests: Each content once, (num_contents, 8 or 16).
        numbers: The group of each, from 0, (num_contents,).
    """

    digests: Ids
    numbers: Integers

    @classmethod
    def of(cls, groups: Iterable[Ids]) -> Self:
        """Returns the record of groups of digests, each (num_members, 16); no two share one."""
        distinct_ones = [distinct(group) for group in groups]
        sizes = [len(group) for group in distinct_ones]
        nothing = np.zeros((0, ID_BYTES), np.uint8)
        return cls(
            np.concatenate([nothing, *distinct_ones]), np.repeat(np.arange(len(sizes)), sizes)
        )

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self | None:
        """Returns what `arrays` gave; None if it is not among some arrays."""
        if _DIGESTS not in arrays:
            return None
        return cls(arrays[_DIGESTS], arrays[_NUMBERS])

    def arrays(self, num_bytes: int | None) -> dict[str, npt.NDArray[Any]]:
        """Returns arrays for a file, with so many bytes of each digest; None is all."""
        return {_DIGESTS: self.digests[:, :num_bytes], _NUMBERS: self.numbers}

    def _rows(self) -> Iterator[tuple[npt.NDArray[np.uint8], int]]:
        return zip(self.digests, self.numbers.tolist(), strict=True)

    def numbers_of(self, digests: Ids) -> Integers:
        """Returns the number of each example's group, -1 for those that have no near copies.

        Args:
            digests: Of the examples, (num_examples, 16).
        """
        width = self.digests.shape[1]
        known = {row.tobytes(): number for row, number in self._rows()}
        return np.array([known.get(row[:width].tobytes(), -1) for row in digests], np.int64)

    def together(self, digests: Ids, groups: Sequence[str] | None) -> list[str]:
        """Returns the groups of examples, with near copies in one.

        The name of a group of near copies follows from its contents, so that it stays the same
        where other images are added. Groups that have near copies of each other become one.

        Args:
            digests: Of the examples, (num_examples, 16).
            groups: The groups that the data have; None where they have none.
        """
        numbers = self.numbers_of(digests)
        names = [""] * len(digests) if groups is None else list(groups)
        # The least of its digests, of which an export keeps eight bytes.
        own: dict[int, str] = {}
        for row, number in self._rows():
            text = f"near copies {row[:8].tobytes().hex()}"
            own[number] = min(text, own.get(number, text))
        leaders: dict[str, str] = {}

        def leader(name: str) -> str:
            while name in leaders:
                name = leaders[name]
            return name

        for name, number in zip(names, numbers.tolist(), strict=True):
            if name and number >= 0:
                first, second = sorted([leader(name), leader(own[number])])
                if first != second:
                    leaders[second] = first
        wanted = [
            own[number] if number >= 0 else name
            for name, number in zip(names, numbers.tolist(), strict=True)
        ]
        return [leader(name) if name else "" for name in wanted]


def canonical_order(digests: Ids) -> Integers:
    """Returns the indices of examples in an order that their content alone decides.

    Examples of the same content stay in the order they have.

    Examples:
        >>> from tfxfer.system.digests import ids_of
        >>> forward, backward = ids_of([(b"a",), (b"b",)]), ids_of([(b"b",), (b"a",)])
        >>> first, second = forward[canonical_order(forward)], backward[canonical_order(backward)]
        >>> np.array_equal(first, second)
        True
    """
    return np.argsort(as_items(digests), kind="stable").astype(np.int64)


def found_in(digests: Ids, others: Ids) -> npt.NDArray[np.bool_]:
    """Tells of each example whether its content is also among others.

    Examples:
        >>> from tfxfer.system.digests import ids_of
        >>> found_in(ids_of([(b"a",), (b"b",)]), ids_of([(b"b",), (b"c",)]))
        array([False,  True])
    """
    return np.isin(as_items(digests), as_items(others))


def distinct(digests: Ids) -> Ids:
    """Returns each content once, in an order that the contents alone decide.

    Examples:
        >>> from tfxfer.system.digests import ids_of
        >>> distinct(ids_of([(b"a",), (b"b",), (b"a",)])).shape
        (2, 16)
    """
    return digests[np.unique(as_items(digests), return_index=True)[1]]


def as_items(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.bytes_]:
    """Returns each row as one item that can be compared and sorted, (num_rows,).

    Only as a Python object does an item lack the zeros at its end.

    Args:
        rows: Digests or other bytes, (num_rows, num_bytes).

    Examples:
        >>> rows = np.array([[2, 0], [1, 3]], np.uint8)
        >>> as_items(rows).argsort()
        array([1, 0])
    """
    # NumPy sorts strings ten times as fast as records of two numbers.
    return np.ascontiguousarray(rows).view(f"S{rows.shape[1]}")[:, 0]
