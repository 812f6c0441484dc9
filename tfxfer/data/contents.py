"""Examples by their content: which are the same, in what order, and which belong together."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tfxfer.system.digests import Ids

Integers = npt.NDArray[np.int64]


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
    contents = np.unique(_as_items(digests), return_inverse=True)[1].astype(np.int64)
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
    return np.argsort(_as_items(digests), kind="stable").astype(np.int64)


def found_in(digests: Ids, others: Ids) -> npt.NDArray[np.bool_]:
    """Tells of each example whether its content is also among others.

    Examples:
        >>> from tfxfer.system.digests import ids_of
        >>> found_in(ids_of([(b"a",), (b"b",)]), ids_of([(b"b",), (b"c",)]))
        array([False,  True])
    """
    return np.isin(_as_items(digests), _as_items(others))


def distinct(digests: Ids) -> Ids:
    """Returns each content once, in an order that the contents alone decide.

    Examples:
        >>> from tfxfer.system.digests import ids_of
        >>> distinct(ids_of([(b"a",), (b"b",), (b"a",)])).shape
        (2, 16)
    """
    return digests[np.unique(_as_items(digests), return_index=True)[1]]


def _as_items(digests: Ids) -> npt.NDArray[np.void]:
    """Returns each digest as one item that can be compared and sorted, (num_examples,)."""
    # Big-endian numbers, for NumPy sorts no plain bytes that end in zeros as they are.
    numbers = np.ascontiguousarray(digests).view(">u8")
    names = ("first", "second")[: numbers.shape[1]]  # of 16 bytes or, where they were cut, of 8
    return numbers.view([(name, ">u8") for name in names])[:, 0]
