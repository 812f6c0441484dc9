"""Which examples go where: stratified, seeded choices by content. NumPy and SciPy, no TensorFlow.

Chance is a number made of the seed and of what an example is: its content or its group. So a choice
does not depend on the order of the examples, copies of an example go the same way, and with new
examples beside them the old ones stay where they are, but for as many as the shares demand.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tfxfer.config.schema import RunConfig
from tfxfer.data.source import SPLITS, Split
from tfxfer.errors import DataError, UsageError
from tfxfer.system.digests import Ids, ids_of


def with_validation(
    splits: Mapping[str, Split], config: RunConfig
) -> tuple[dict[str, Split], list[str]]:
    """Returns the splits, with those that had to be carved from `train`, and notes that say so."""
    if "validation" in splits:
        return dict(splits), []
    train = splits["train"]
    wanted = {"validation": config.validation_fraction}
    if "test" not in splits:
        wanted["test"] = config.test_fraction
    fractions = {
        name: default_fraction(len(train)) if fraction is None else fraction
        for name, fraction in wanted.items()
    }
    if sum(fractions.values()) >= 1:
        raise UsageError(
            "Settings 'validation_fraction' and 'test_fraction' leave nothing to train on: they "
            f"are {' and '.join(f'{fraction:g}' for fraction in fractions.values())}; their sum "
            "must be below 1."
        )
    parts = carve(train.labels, train.digests(), fractions, (config.seed, 0), train.groups)
    if not len(parts["validation"]):
        raise UsageError(
            "No images can be set aside for validation, as no class has more than one, or more "
            "than one group. Add images, or a 'validation' folder beside 'train'."
        )
    carved = {name: train.select(indices) for name, indices in parts.items()}
    notes = [
        f"the data have no '{name}': {len(carved[name]):,} of the {len(train):,} training images, "
        "stratified by class, were set aside"
        for name in fractions
    ]
    merged = {**splits, **carved}
    return {name: merged[name] for name in SPLITS if name in merged and len(merged[name])}, notes


def disjoint(
    splits: Mapping[str, Split], class_names: tuple[str, ...]
) -> tuple[dict[str, Split], list[str]]:
    """Returns the splits without images that are also in a later one, and notes that say so.

    The test stays as it is, so that it can be compared with what others found on it.
    """
    kept, notes = dict(splits), []
    names = list(splits)
    for place, name in enumerate(names):
        split = kept[name]
        for other in names[place + 1 :]:
            twice = found_in(split.digests(), splits[other].digests())
            if twice.any():
                count = (
                    "1 image that is" if twice.sum() == 1 else f"{twice.sum():,} images that are"
                )
                notes.append(f"left out of '{name}': {count} also in '{other}'")
                split = split.select(np.flatnonzero(~twice))
        for label in set(kept[name].labels) - set(split.labels):
            if name == "train":
                raise DataError(
                    f"Every image of class '{class_names[label]}' in 'train' is also in another "
                    "split: nothing is left to learn it from. Remove the copies."
                )
        if not len(split):
            raise DataError(f"Every image of '{name}' is also in another split. Remove the copies.")
        kept[name] = split
    return kept, notes


Integers = npt.NDArray[np.int64]


def default_fraction(num_examples: int) -> float:
    """Returns the part of the examples that is set aside where no one chose one.

    AutoGluon's rule (Erickson et al. 2020, arXiv:2003.06505; `default_holdout_frac` in
    autogluon.core.utils): 500 examples but 10% to 20% below 5,000, and 2,500 but 1% to 10% above.
    """
    if num_examples < 5000:
        return max(0.1, min(0.2, 500 / num_examples))
    return max(0.01, min(0.1, 2500 / num_examples))


def carve(
    labels: Integers,
    digests: Ids,
    fractions: Mapping[str, float],
    seed: tuple[int, ...],
    groups: Sequence[str] | None = None,
) -> dict[str, Integers]:
    """Returns the examples of "train" and of each part to carve from them.

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
    """
    units = inseparable(digests, groups)
    chances = _chances(digests, seed, groups)
    chance = np.full(units.max() + 1, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(chance, units, chances)  # that of a unit, whatever the order of its examples
    sizes = np.bincount(units)
    strata = _most_common_labels(units, labels)
    members = _by_class(strata, chance)
    counts = np.array([sizes[member].sum() for member in members], np.int64)
    whole = np.array([len(member) for member in members], np.int64)
    left = list(members)
    parts: dict[str, Integers] = {}
    for place, (name, fraction) in enumerate(fractions.items()):
        # One unit for "train", and one for each later part that the class is large enough for.
        later = [whole >= 2 + number for number in range(place + 1, len(fractions))]
        reserved = np.stack([np.ones_like(whole), *later]).sum(axis=0)
        # The first part takes those of the lowest chance, the second those of the highest: where
        # the share of one of them grows, the other stays as it is.
        ordered = [member if place == 0 else member[::-1] for member in left]
        # The size of the largest piece that leaves as many units as are reserved.
        largest = [
            sizes[member[: max(0, len(member) - keep)]].sum()
            for member, keep in zip(ordered, reserved, strict=True)
        ]
        most = np.array(largest, np.int64)
        smallest = [sizes[member[:1]].sum() for member in ordered]
        least = np.minimum(np.where(whole >= 2 + place, smallest, 0), most)
        wanted = apportion(counts, round(fraction * len(labels)), least, most)
        taken = [
            _nearest(sizes[member], int(number), len(member) - int(keep), bool(some))
            for member, number, keep, some in zip(ordered, wanted, reserved, least, strict=True)
        ]
        chosen = [member[:number] for member, number in zip(ordered, taken, strict=True)]
        parts[name] = _examples(units, chosen)
        left = [
            member[number:] if place == 0 else member[: len(member) - number]
            for member, number in zip(left, taken, strict=True)
        ]
    return {"train": _examples(units, left), **parts}


def subset(labels: Integers, digests: Ids, num_examples: int, seed: tuple[int, ...]) -> Integers:
    """Returns the indices of `num_examples` examples, ascending, with each class in proportion.

    Every class is in it if there are as many examples as classes.
    """
    chances = _chances(digests, seed)
    members = _by_class(labels, chances)
    counts = np.array([len(member) for member in members], np.int64)
    least = np.full_like(counts, 1 if num_examples >= len(members) else 0)
    size = apportion(counts, num_examples, least, counts)
    return _sorted(member[:number] for member, number in zip(members, size, strict=True))


def inseparable(digests: Ids, groups: Sequence[str] | None = None) -> Integers:
    """Returns the number of the unit that each example is part of, from 0.

    Two examples are in one unit where they have the same content or group, or where a chain of
    others that have links them.
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
    """
    return np.argsort(_as_items(digests), kind="stable").astype(np.int64)


def found_in(digests: Ids, others: Ids) -> npt.NDArray[np.bool_]:
    """Tells of each example whether its content is also among others."""
    return np.isin(_as_items(digests), _as_items(others))


def distinct(digests: Ids) -> Ids:
    """Returns each content once, in an order that the contents alone decide."""
    return digests[np.unique(_as_items(digests), return_index=True)[1]]


def apportion(counts: Integers, total: int, least: Integers, most: Integers) -> Integers:
    """Returns how many to take of each class, in proportion to its count.

    The method of the largest remainder, within limits; the first class wins a tie.

    Args:
        counts: How many there are of each class, at least 1.
        total: How many to take in all; brought between the sums of `least` and of `most`.
        least: How many to take of each class at the least.
        most: And at the most.
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


def _as_items(digests: Ids) -> npt.NDArray[np.void]:
    """Returns each digest as one item that can be compared and sorted, (num_examples,)."""
    # Big-endian numbers, for NumPy sorts no plain bytes that end in zeros as they are.
    numbers = np.ascontiguousarray(digests).view(">u8")
    names = ("first", "second")[: numbers.shape[1]]  # of 16 bytes or, where they were cut, of 8
    return numbers.view([(name, ">u8") for name in names])[:, 0]


def _chances(
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
    pairs, counts = np.unique(np.stack([units, labels]), axis=1, return_counts=True)
    order = np.lexsort((pairs[1], -counts, pairs[0]))
    first = np.unique(pairs[0][order], return_index=True)[1]
    result: Integers = pairs[1][order][first]
    return result


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


def _examples(units: Integers, chosen: Sequence[Integers]) -> Integers:
    """Returns the examples of some units, ascending."""
    wanted = np.zeros(units.max() + 1, np.bool_)
    wanted[np.concatenate([np.zeros(0, np.int64), *chosen])] = True
    return np.flatnonzero(wanted[units])


def _sorted(pieces: Iterable[Integers]) -> Integers:
    together: Integers = np.concatenate([np.zeros(0, np.int64), *pieces])
    return np.sort(together)
