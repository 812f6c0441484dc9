"""Stratified splits and subsets for labels of any kind. Numbers are divided by their quantiles.

Multi-label examples are divided by iterative stratification (Sechidis et al. 2011, "On the
Stratification of Multi-Label Data", ECML PKDD), in the implementation of the package
`iterative-stratification`: the rarest label is dealt first.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tfxfer.data.carving import carve, chances_of, deal, subset
from tfxfer.data.contents import inseparable
from tfxfer.data.labels.numbers import quantiles_of
from tfxfer.data.labels.targets import Integers, Labels, are_numbers, are_several
from tfxfer.system.digests import Ids


def divided(
    labels: Labels,
    digests: Ids,
    fractions: Mapping[str, float],
    seed: tuple[int, ...],
    groups: Sequence[str] | None = None,
) -> dict[str, Integers]:
    """Returns the examples of "train" and of each part that is split off; see `carve`.

    With multi-label data, each label is divided as the whole is, as nearly as possible. A fraction
    is then one of the units: examples of the same content or group, which stay together. A unit has
    the labels of all its examples. The result depends on the content, not on the order of the
    examples; but where examples are added, others may change their split.

    Args:
        labels: Of any kind.
        digests: Of the content of each example.
        fractions: For each of one or two parts, how much of all it gets; their sum is below 1.
        seed: Any number of integers, at least 0.
        groups: The group of each example, "" for one that has none; None where none has.

    Returns:
        The indices of each part, ascending; no example is in two parts, and each is in one.
    """
    if not are_several(labels):
        return carve(_classes(labels), digests, fractions, seed, groups)
    units = inseparable(digests, groups)
    rows, order = _units(labels, units, chances_of(digests, seed, groups))
    sizes = [round(fraction * len(rows)) for fraction in fractions.values()]
    if len(rows) > len(sizes):  # a part is never empty where there is enough for all
        sizes = [max(1, size) for size in sizes]
    part_of = _dealt(rows[order], [len(rows) - sum(sizes), *sizes], seed)
    number = np.empty(len(rows), np.int64)
    number[order] = part_of
    return {
        name: np.flatnonzero(number[units] == part)
        for part, name in enumerate(("train", *fractions))
    }


def limited(labels: Labels, digests: Ids, num_examples: int, seed: tuple[int, ...]) -> Integers:
    """Returns the indices of `num_examples` examples, ascending; see `subset`.

    With multi-label data, each label is in proportion, as nearly as possible.
    """
    if not are_several(labels):
        return subset(_classes(labels), digests, num_examples, seed)
    order = np.argsort(chances_of(digests, seed), kind="stable")
    part_of = _dealt((labels == 1)[order], [len(labels) - num_examples, num_examples], seed)
    # The parts are nearly as large as wanted; what is too many or too few is last in the order.
    chosen = np.argsort(part_of != 1, kind="stable")[:num_examples]
    return np.sort(order[chosen])


def dealt(
    labels: Labels,
    digests: Ids,
    num_folds: int,
    seed: tuple[int, ...],
    groups: Sequence[str] | None = None,
) -> Integers:
    """Returns the fold of each example, from 0: stratified folds for cross-validation; see `deal`.

    Examples:
        >>> from tfxfer.system.digests import ids_of
        >>> labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
        >>> folds = dealt(labels, ids_of((bytes([number]),) for number in range(4)), 2, (0,))
        >>> sorted(folds[:2].tolist()), sorted(folds[2:].tolist())
        ([0, 1], [0, 1])
    """
    if not are_several(labels):
        return deal(_classes(labels), digests, num_folds, seed, groups)
    units = inseparable(digests, groups)
    rows, order = _units(labels, units, chances_of(digests, seed, groups))
    number = np.empty(len(rows), np.int64)
    number[order] = _dealt(rows[order], [len(rows) // num_folds] * num_folds, seed)
    return number[units]


def _classes(labels: Labels) -> Integers:
    """Returns classes as they are, and of numbers their quantiles."""
    return quantiles_of(labels) if are_numbers(labels) else labels


def _units(
    labels: Labels, units: Integers, chances: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.bool_], Integers]:
    """Returns the labels of each unit, (num_units, num_labels), and the units in random order."""
    rows = np.zeros((int(units.max()) + 1, labels.shape[1]), np.bool_)
    np.logical_or.at(rows, units, labels == 1)
    chance = np.full(len(rows), np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(chance, units, chances)  # that of a unit, whatever the order of its examples
    return rows, np.argsort(chance, kind="stable").astype(np.int64)


def _dealt(
    rows: npt.NDArray[np.bool_], sizes: Sequence[int], seed: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    """Returns the part of each row, (num_rows,), by iterative stratification.

    Args:
        rows: Which labels each has, (num_rows, num_labels), in random order.
        sizes: About how many rows each part gets.
        seed: Seed of the order in which ties are broken.
    """
    # scikit-learn, which it imports, takes a second.
    from iterstrat.ml_stratifiers import IterativeStratification

    (word,) = np.random.SeedSequence(seed).generate_state(1)
    shares = np.array(sizes) / len(rows)
    # The function adds columns as the numbers that it is given.
    parts = IterativeStratification(rows, shares, np.random.RandomState(int(word)))
    return np.asarray(parts, np.int64)
