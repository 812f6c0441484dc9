"""Which examples go where: stratified, seeded choices by label. NumPy alone, nothing is read."""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

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
    labels: Integers, fractions: Mapping[str, float], seed: tuple[int, ...]
) -> dict[str, Integers]:
    """Returns the examples of "train" and of each part to carve from them.

    Every class is divided as the whole is, as nearly as whole examples allow. Each class keeps an
    example in "train"; the first part has one of it too where there are 2, the second where there
    are 3, and so on. What chance decides depends on the labels and the seed alone.

    Args:
        labels: Shape (num_examples,), at least 0.
        fractions: For each part, how much of all examples it gets; their sum is below 1.
        seed: Any number of integers, at least 0.

    Returns:
        The indices of each part, ascending; no example is in two parts, and each is in one.
    """
    members = _members(labels, seed)
    counts = np.array([len(member) for member in members], np.int64)
    taken = np.zeros_like(counts)  # from the front of each class's members
    parts: dict[str, Integers] = {}
    for place, (name, fraction) in enumerate(fractions.items()):
        # One for "train", and one for each later part that the class is large enough for.
        later = [counts >= 2 + number for number in range(place + 1, len(fractions))]
        most = counts - taken - 1 - np.sum(later, axis=0, dtype=np.int64)
        least = (counts >= 2 + place).astype(np.int64)
        size = apportion(counts, round(fraction * len(labels)), least, most)
        parts[name] = _sorted(
            member[start : start + number]
            for member, start, number in zip(members, taken, size, strict=True)
        )
        taken = taken + size
    rest = _sorted(member[start:] for member, start in zip(members, taken, strict=True))
    return {"train": rest, **parts}


def subset(labels: Integers, num_examples: int, seed: tuple[int, ...]) -> Integers:
    """Returns the indices of `num_examples` examples, ascending, with each class in proportion.

    Every class is in it if there are as many examples as classes.
    """
    members = _members(labels, seed)
    counts = np.array([len(member) for member in members], np.int64)
    least = np.full_like(counts, 1 if num_examples >= len(members) else 0)
    size = apportion(counts, num_examples, least, counts)
    return _sorted(member[:number] for member, number in zip(members, size, strict=True))


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
    while taken.sum() < total:
        taken[np.argmax(np.where(taken < most, ideal - taken, -np.inf))] += 1
    while taken.sum() > total:
        taken[np.argmin(np.where(taken > least, ideal - taken, np.inf))] -= 1
    return taken


def _members(labels: Integers, seed: tuple[int, ...]) -> list[Integers]:
    """Returns the indices of each label that occurs, in random order."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_label = shuffled[np.argsort(labels[shuffled], kind="stable")]
    starts = np.unique(labels[by_label], return_index=True)[1]
    return np.split(by_label, starts[1:])


def _sorted(pieces: Iterable[Integers]) -> Integers:
    together: Integers = np.concatenate([np.zeros(0, np.int64), *pieces])
    return np.sort(together)
