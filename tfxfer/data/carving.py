"""Stratified, seeded splits and subsets by content. NumPy and SciPy, no TensorFlow.

Random numbers are a hash of the seed and of an example's content or group. So a split does not
depend on the order of the examples, and duplicates stay together. When examples are added, the old
ones stay in their splits, except for as many as the fractions require.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxfer.data.contents import Integers, inseparable
from tfxfer.system.digests import Ids, ids_of


def carve(
    labels: Integers,
    digests: Ids,
    fractions: Mapping[str, float],
    seed: tuple[int, ...],
    groups: Sequence[str] | None = None,
) -> dict[str, Integers]:
    """Returns the examples of "train" and of each part that is split off.

    Examples of the same content, or of the same group, stay together. Every class is divided as the
    whole is, as nearly as this allows. Each class keeps an example in "train"; the first part has
    one of it too where there are 2, the second where there are 3, of different content and group.

    Args:
        labels: Shape (num_examples,), at least 0.
        digests: Of the content of each example.
        fractions: For each of one or two parts, how much of all examples it gets; their sum is
            below 1.
        seed: Any number of integers, at least 0.
        groups: The group of each example, "" for one that has none; None where none has.

    Returns:
        The indices of each part, ascending; no example is in two parts, and each is in one.

    Examples:
        >>> from tfxfer.system.digests import ids_of
        >>> digests = ids_of([(b"a",), (b"b",), (b"b",), (b"c",), (b"d",), (b"e",)])
        >>> parts = carve(np.array([0, 0, 0, 0, 1, 1]), digests, {"validation": 0.34}, (0,))
        >>> {name: len(part) for name, part in parts.items()}
        {'train': 4, 'validation': 2}
    """
    strata = _Strata.of(labels, digests, seed, groups)
    left = list(strata.members)
    parts: dict[str, Integers] = {}
    for place, (name, fraction) in enumerate(fractions.items()):
        # The first part takes those of the lowest chance, the second those of the highest: where
        # the share of one of them grows, the other stays as it is.
        ordered = [member if place == 0 else member[::-1] for member in left]
        reserved = strata.reserved(place + 1, len(fractions))
        wanted = round(fraction * len(labels))
        taken = strata.take(ordered, wanted, reserved, strata.whole >= 2 + place)
        chosen = [member[:number] for member, number in zip(ordered, taken, strict=True)]
        parts[name] = strata.examples(chosen)
        left = [
            member[number:] if place == 0 else member[: len(member) - number]
            for member, number in zip(left, taken, strict=True)
        ]
    return {"train": strata.examples(left), **parts}


@dataclass(frozen=True, eq=False)
class _Strata:
    """Examples in indivisible units, by class.

    Attributes:
        units: Of each example, (num_examples,).
        sizes: Examples of each unit.
        members: The units of each class, those of the lowest chance first.
    """

    units: Integers
    sizes: Integers
    members: list[Integers]

    @classmethod
    def of(
        cls, labels: Integers, digests: Ids, seed: tuple[int, ...], groups: Sequence[str] | None
    ) -> "_Strata":
        """Returns those of examples; see `carve`."""
        units = inseparable(digests, groups)
        chances = chances_of(digests, seed, groups)
        chance = np.full(units.max() + 1, np.iinfo(np.uint64).max, np.uint64)
        np.minimum.at(chance, units, chances)  # that of a unit, whatever the order of its examples
        members = _by_class(_most_common_labels(units, labels), chance)
        return cls(units, np.bincount(units), members)

    @property
    def counts(self) -> Integers:
        """How many examples each class has."""
        return np.array([self.sizes[member].sum() for member in self.members], np.int64)

    @property
    def whole(self) -> Integers:
        """How many units each class has."""
        return np.array([len(member) for member in self.members], np.int64)

    def reserved(self, place: int, num_parts: int) -> Integers:
        """Returns how many units of each class stay for "train" and the parts from a place on.

        One for "train", and one for each of the others that the class is large enough for.
        """
        later = [self.whole >= 2 + number for number in range(place, num_parts)]
        reserved: Integers = np.stack([np.ones_like(self.whole), *later]).sum(axis=0)
        return reserved

    def take(
        self,
        ordered: Sequence[Integers],
        wanted: int,
        reserved: Integers,
        at_least_one: npt.NDArray[np.bool_],
    ) -> list[int]:
        """Returns how many of the first units to take of each class, in proportion to its examples.

        Args:
            ordered: The units of each class that are left.
            wanted: How many examples to take in all.
            reserved: How many units of each class must stay.
            at_least_one: Of which classes one unit must be taken where one may be.
        """
        sizes = self.sizes
        # The size of the largest piece that leaves as many units as are reserved.
        largest = [
            sizes[member[: max(0, len(member) - keep)]].sum()
            for member, keep in zip(ordered, reserved, strict=True)
        ]
        most = np.array(largest, np.int64)
        smallest = [sizes[member[:1]].sum() for member in ordered]
        least = np.minimum(np.where(at_least_one, smallest, 0), most)
        shares = apportion(self.counts, wanted, least, most)
        return [
            _nearest(sizes[member], int(number), len(member) - int(keep), bool(some))
            for member, number, keep, some in zip(ordered, shares, reserved, least, strict=True)
        ]

    def examples(self, chosen: Sequence[Integers]) -> Integers:
        """Returns the examples of some units of each class, ascending."""
        wanted = np.zeros(self.units.max() + 1, np.bool_)
        wanted[np.concatenate([np.zeros(0, np.int64), *chosen])] = True
        return np.flatnonzero(wanted[self.units])


def subset(labels: Integers, digests: Ids, num_examples: int, seed: tuple[int, ...]) -> Integers:
    """Returns the indices of `num_examples` examples, ascending, with each class in proportion.

    Every class is in it if there are as many examples as classes.

    Examples:
        >>> from tfxfer.system.digests import ids_of
        >>> labels = np.array([0, 0, 0, 0, 1, 1])
        >>> chosen = subset(labels, ids_of((bytes([number]),) for number in range(6)), 3, (0,))
        >>> labels[chosen]
        array([0, 0, 1])
    """
    chances = chances_of(digests, seed)
    members = _by_class(labels, chances)
    counts = np.array([len(member) for member in members], np.int64)
    least = np.full_like(counts, 1 if num_examples >= len(members) else 0)
    size = apportion(counts, num_examples, least, counts)
    return _sorted(member[:number] for member, number in zip(members, size, strict=True))


def deal(
    labels: Integers,
    digests: Ids,
    num_folds: int,
    seed: tuple[int, ...],
    groups: Sequence[str] | None = None,
) -> Integers:
    """Returns the fold of each example, from 0: folds for cross-validation, stratified by class.

    As in `carve`, examples of the same content, or of the same group, stay together, and the order
    of the examples does not matter. Some folds are empty if there are fewer of these units.

    Args:
        labels: Shape (num_examples,), at least 0.
        digests: Of the content of each example.
        num_folds: Number of folds.
        seed: Any number of integers, at least 0.
        groups: The group of each example, "" for one that has none; None where none has.

    Examples:
        >>> from tfxfer.system.digests import ids_of
        >>> digests = ids_of((bytes([number]),) for number in range(6))
        >>> folds = deal(np.array([0, 0, 0, 1, 1, 1]), digests, 3, (0,))
        >>> sorted(folds[:3].tolist()), sorted(folds[3:].tolist())
        ([0, 1, 2], [0, 1, 2])
    """
    strata = _Strata.of(labels, digests, seed, groups)
    fold_of = np.zeros(len(strata.sizes), np.int64)
    total = np.zeros(num_folds, np.int64)
    for member in strata.members:
        own = np.zeros(num_folds, np.int64)
        for unit in member[np.argsort(-strata.sizes[member], kind="stable")]:
            # The fold with the fewest examples of the class; of several, the smallest one.
            fold = int(np.lexsort((total, own))[0])
            fold_of[unit] = fold
            own[fold] += strata.sizes[unit]
            total[fold] += strata.sizes[unit]
    return fold_of[strata.units]


def apportion(counts: Integers, total: int, least: Integers, most: Integers) -> Integers:
    """Returns how many to take of each class, in proportion to its count.

    The method of the largest remainder, within limits; the first class wins a tie.

    Args:
        counts: How many there are of each class, at least 1.
        total: How many to take in all; brought between the sums of `least` and of `most`.
        least: How many to take of each class at the least.
        most: And at the most.

    Examples:
        >>> counts = np.array([60, 30, 10])
        >>> apportion(counts, 10, np.zeros_like(counts), counts)
        array([6, 3, 1])
    """
    total = int(np.clip(total, least.sum(), most.sum()))
    ideal = counts * (total / counts.sum())
    taken: Integers = np.clip(np.floor(ideal).astype(np.int64), least, most)
    lacking = total - int(taken.sum())
    step, limits = (1, most) if lacking > 0 else (-1, least)
    # The class that is furthest from its share is first; of equal ones the first class.
    waiting = [
        (-step * float(ideal[place] - taken[place]), int(place))
        for place in np.flatnonzero(taken != limits)
    ]
    heapq.heapify(waiting)
    for _ in range(abs(lacking)):
        place = waiting[0][1]
        taken[place] += step
        if taken[place] == limits[place]:
            heapq.heappop(waiting)
        else:
            heapq.heapreplace(waiting, (-step * float(ideal[place] - taken[place]), place))
    return taken


def _by_class(labels: Integers, chances: npt.NDArray[np.uint64]) -> list[Integers]:
    """Returns the examples of each class that occurs, those of the lowest chance first."""
    order = np.lexsort((chances, labels))
    starts = np.flatnonzero(np.diff(labels[order]))
    return np.split(order, starts + 1)


def chances_of(
    digests: Ids, seed: tuple[int, ...], groups: Sequence[str] | None = None
) -> npt.NDArray[np.uint64]:
    """Returns a number for each example that is as good as random, of its group or else content."""
    keys = np.array(digests)
    if groups is not None:
        of_groups = ids_of((b"group", name.encode("utf-8", "surrogateescape")) for name in groups)
        grouped = np.array([name != "" for name in groups], np.bool_)
        keys[grouped] = of_groups[grouped]
    salt = ids_of([(repr(seed).encode(),)]).view(np.uint64)[0]
    numbers = np.ascontiguousarray(keys).view(np.uint64)  # (num_examples, 2)
    # Digests are random already, but with each seed the order must be another one: the finaliser of
    # SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
    mixed = numbers[:, 0] ^ salt[0]
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    result: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31)) ^ salt[1]
    return result


def _most_common_labels(units: Integers, labels: Integers) -> Integers:
    """Returns for each unit the label that most of its examples have; of several, the lowest."""
    num = int(labels.max()) + 1
    pairs, counts = np.unique(units * num + labels, return_counts=True)
    order = np.lexsort((-counts, pairs // num))
    first = np.unique(pairs[order] // num, return_index=True)[1]
    return np.array(pairs[order[first]] % num, np.int64)


def _nearest(sizes: Integers, wanted: int, most: int, at_least_one: bool) -> int:
    """Returns how many of the first units together are nearest to a number of examples.

    Args:
        sizes: Examples of each unit.
        wanted: The number of examples.
        most: How many units may be taken.
        at_least_one: Whether one must be.
    """
    together = np.concatenate([[0], np.cumsum(sizes[: max(0, most)])])
    number = int(np.argmin(np.abs(together - wanted)))
    return max(number, 1) if at_least_one else number


def _sorted(pieces: Iterable[Integers]) -> Integers:
    together: Integers = np.concatenate([np.zeros(0, np.int64), *pieces])
    return np.sort(together)
