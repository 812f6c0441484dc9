"""Groups hashes that differ in few bits, without comparing all pairs."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

Hashes = npt.NDArray[np.uint64]

# Hashes that share a key and are at most so many are compared place by place, all keys at once.
_SHORT_RUN = 64

# So many are compared all with all sooner than divided once more: 2 million pairs take 10 ms.
_SMALL = 2048

# Pairs that are compared at a time: what that takes fits into the cache of a core.
_BLOCK = 2**18

# Near pairs that are kept, before their groups are counted, but for those of one more block.
_KEPT_PAIRS = 2**20


def near_groups(hashes: Hashes, radius: int) -> Integers:
    """Returns the number of the group that each hash is in, from 0.

    Two hashes are in one group where they differ in at most `radius` bits, or where a chain of
    others, each that near to the next, links them. The groups are exact, and are found without
    comparing all with all wherever the bits allow it: of `radius + 1` bands of bits, two hashes
    that are near share one at least (Norouzi et al. 2012, "Fast search in Hamming space with
    multi-index hashing"). What shares a band is divided by the other bits in turn, and what is in
    one group already is not looked at again.

    Args:
        hashes: Of any number of words, (num_hashes, num_words).
        radius: Bits that may differ, at least 0.

    Examples:
        >>> hashes = np.array([[0b0000], [0b0001], [0b1111]], np.uint64)
        >>> near_groups(hashes, 1)
        array([0, 0, 1])
    """
    if not len(hashes):
        return np.zeros(0, np.int64)
    order = np.lexsort(hashes.T)
    ordered = hashes[order]
    is_new = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))
    distinct = ordered[is_new]
    groups = _Groups(len(distinct))
    _link(distinct, np.arange(len(distinct)), radius, groups)
    numbers = np.unique(groups.find(np.arange(len(distinct))), return_inverse=True)[1]
    found = np.empty(len(hashes), np.int64)
    found[order] = numbers[np.cumsum(is_new) - 1]
    return found


class _Groups:
    """Disjoint sets of numbers (Galler & Fischer 1964), joined and looked up by the array."""

    def __init__(self, count: int) -> None:
        self._parents = np.arange(count)

    def find(self, members: Integers) -> Integers:
        """Returns the number that stands for the group of each member, its least."""
        roots = self._parents[members]
        while True:
            further = self._parents[roots]
            if np.array_equal(further, roots):
                self._parents[members] = roots
                return roots
            roots = further

    def join(self, ones: Integers, others: Integers) -> None:
        """Makes one group of those of each pair."""
        ones, others = self.find(ones), self.find(others)
        differ = ones != others
        if not differ.any():
            return
        roots, places = np.unique(
            np.concatenate([ones[differ], others[differ]]), return_inverse=True
        )
        half = len(places) // 2
        labels = _components(len(roots), places[:half], places[half:])
        least = roots[np.unique(labels, return_index=True)[1]]
        self._parents[roots] = least[labels]


def _components(count: int, ones: Integers, others: Integers) -> Integers:
    """Returns the component of each node of a graph, from 0."""
    # SciPy takes a quarter of a second to import.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(ones), np.bool_), (ones, others)), shape=(count, count))
    labels: Integers = connected_components(edges, directed=False)[1].astype(np.int64)
    return labels


def _link(hashes: Hashes, members: Integers, radius: int, groups: _Groups) -> None:
    """Joins the groups of those members, all of them different, that are near each other."""
    own = hashes[members]
    bits = _varying_bits(own)
    if len(bits) <= radius:  # then no two differ in more
        groups.join(members[:-1], members[1:])
        return
    if len(members) <= _SMALL:
        _compare_all(own, members, radius, groups)
        return
    # Neighboring bits are correlated: each band has bits from everywhere.
    bands = [bits[start :: radius + 1] for start in range(radius + 1)]
    sizes = [np.unique(_keys(own, band), return_counts=True)[1] for band in bands]
    cost = sum(int(np.square(size, dtype=np.float64).sum()) for size in sizes)
    if cost > len(members) ** 2 / 2:  # the bits do not tell them apart
        _compare_all(own, members, radius, groups)
        return
    for band in bands:
        keys = _keys(own, band)
        order = np.argsort(keys, kind="stable")
        for run in _long_runs(hashes, members[order], keys[order], radius, groups):
            _link(hashes, run, radius, groups)


def _long_runs(
    hashes: Hashes, members: Integers, keys: Hashes, radius: int, groups: _Groups
) -> Iterator[Integers]:
    """Joins what is near among members of one key where these are few; yields those of the others.

    Args:
        hashes: All of them.
        members: In the order of their keys.
        keys: Of the members.
        radius: Bits that may differ.
        groups: What is joined.
    """
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    sizes = np.diff(np.append(starts, len(keys)))
    roots = groups.find(members)
    # What is one group already needs no look.
    is_one = np.minimum.reduceat(roots, starts) == np.maximum.reduceat(roots, starts)
    is_short = np.repeat(~is_one & (sizes <= _SHORT_RUN), sizes)
    short, short_keys = members[is_short], keys[is_short]
    for shift in range(1, _SHORT_RUN):
        same = np.flatnonzero(short_keys[:-shift] == short_keys[shift:])
        if not len(same):
            break
        ones, others = short[same], short[same + shift]
        near = _distances(hashes[ones], hashes[others]) <= radius
        groups.join(ones[near], others[near])
    for run in np.flatnonzero(~is_one & (sizes > _SHORT_RUN)):
        found = members[starts[run] : starts[run] + sizes[run]]
        roots = groups.find(found)  # again: earlier runs may have joined some
        if (roots != roots[0]).any():
            yield found


def _compare_all(own: Hashes, members: Integers, radius: int, groups: _Groups) -> None:
    """Joins the groups of members that are near each other, each compared with all that is needed.

    Those in the largest group need not be compared with each other: where nearly all are near each
    other few comparisons are made.
    """
    labels = np.unique(groups.find(members), return_inverse=True)[1].astype(np.int64)
    left = np.arange(len(members))  # not compared with all yet
    while True:
        largest = np.bincount(labels).argmax()
        waiting = np.flatnonzero(labels[left] != largest)
        if not len(waiting):
            break
        # Increasingly many before groups are recomputed, which costs as much as many comparisons.
        chosen = waiting[: 1 + (len(members) - len(left)) // 4]
        ones, others, num_compared = _near_pairs(own, left, chosen, labels, radius)
        if len(ones):
            labels = _components(labels.max() + 1, labels[ones], labels[others])[labels]
        left = np.delete(left, chosen[:num_compared])
    first = np.unique(labels, return_index=True)[1]
    groups.join(members, members[first[labels]])


def _near_pairs(
    own: Hashes, left: Integers, chosen: Integers, labels: Integers, radius: int
) -> tuple[Integers, Integers, int]:
    """Returns hashes that are near each other and of two groups, (num_pairs,) twice.

    The third is how many of the chosen were compared: where very many are near, not all.

    Args:
        own: The hashes.
        left: The numbers of those that are compared.
        chosen: The places in `left` of those that are compared with all the others.
        labels: The groups that are known, of all hashes.
        radius: Bits that may differ.
    """
    columns, of_columns = own[left], labels[left]
    found: list[npt.NDArray[np.int64]] = []
    num_compared = 0
    step = max(1, _BLOCK // len(left))
    while num_compared < len(chosen) and sum(map(np.size, found)) < 2 * _KEPT_PAIRS:
        rows = chosen[num_compared : num_compared + step]
        num_compared += len(rows)
        near = _distances(columns[rows][:, None], columns[None]) <= radius
        near &= of_columns[rows][:, None] != of_columns
        row, column = np.divmod(np.flatnonzero(near), len(left))
        found.append(np.stack([left[rows[row]], left[column]]))
    ones, others = np.concatenate(found, axis=1)
    return ones, others, num_compared


def _distances(ones: Hashes, others: Hashes) -> npt.NDArray[np.uint8]:
    """Returns in how many bits hashes differ; their words are the last axis."""
    total: npt.NDArray[np.uint8] = np.bitwise_count(ones[..., 0] ^ others[..., 0])
    for word in range(1, ones.shape[-1]):
        total = total + np.bitwise_count(ones[..., word] ^ others[..., word])
    return total


def _varying_bits(hashes: Hashes) -> Integers:
    """Returns the numbers of the bits that are not the same in all hashes."""
    varying = np.bitwise_or.reduce(hashes, axis=0) ^ np.bitwise_and.reduce(hashes, axis=0)
    shifts = np.arange(64, dtype=np.uint64)
    return np.flatnonzero((varying[:, None] >> shifts) & np.uint64(1))


def _keys(hashes: Hashes, bits: Integers) -> Hashes:
    """Returns a number of some bits, at most 64, of each hash."""
    keys = np.zeros(len(hashes), np.uint64)
    for place, bit in enumerate(bits):
        word, shift = divmod(int(bit), 64)
        keys |= ((hashes[:, word] >> np.uint64(shift)) & np.uint64(1)) << np.uint64(place)
    return keys
