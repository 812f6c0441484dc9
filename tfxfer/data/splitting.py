"""Splits: missing ones are split off train, and no example is in two of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.config.schema import RunConfig
from tfxfer.data.contents import NearCopyGroups, found_in
from tfxfer.data.labels.stratification import divided, limited
from tfxfer.data.labels.targets import are_numbers, are_several, images_of_each, occurring
from tfxfer.data.source import Split, first_few, untuned
from tfxfer.data.split_names import SPLITS
from tfxfer.errors import DataError, UsageError

# Why a model that was trained on all labeled images has no validation split.
JOINED = "The model was trained on its images, too (--folds)."


class Divisible(Protocol):
    """What can be divided by content: a split of images, or of texts."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class indices, (num_examples,)."""

    @property
    def groups(self) -> Sequence[str] | None:
        """The group of each example, "" for one that has none; None where none has."""

    @property
    def digests(self) -> Callable[[], npt.NDArray[np.uint8]]:
        """Returns a digest of the content of each example, (num_examples, 16)."""

    def select(self, indices: npt.NDArray[np.int64], /) -> Self:
        """Returns the split that has only some of the examples."""

    def grouped(self, groups: Sequence[str] | None, /) -> Self:
        """Returns the split with other groups."""

    def __len__(self) -> int: ...


Part = TypeVar("Part", bound=Divisible)

_NOT_FOUND = "no {} split found"


def divide(
    splits: Mapping[str, Part], class_names: tuple[str, ...], config: RunConfig, what: str = "image"
) -> tuple[dict[str, Part], list[str]]:
    """Returns the splits of the settings, and notes on how they were made.

    Splits that are missing are split off `train`; no example is in two of them; the settings
    `*_examples` limit them.

    Args:
        splits: The splits that the data come with; `train` is one of them.
        class_names: Names of the classes.
        config: Settings of the run.
        what: What an example is called in notes.

    Raises:
        UsageError, DataError: They cannot be divided.

    Examples:
        >>> from tfxfer.config.schema import FitConfig
        >>> from tfxfer.data.opening import open_as_it_is
        >>> digits = open_as_it_is("digits")
        >>> splits, _ = divide(digits.splits, digits.class_names, FitConfig(data="digits"))
        >>> {name: len(split) for name, split in splits.items()}
        {'train': 1079, 'validation': 359, 'test': 359}
    """
    found, notes = with_validation(splits, config, what)
    found, more = disjoint(found, class_names, what)
    notes += more
    for name, split in found.items():
        counts = images_of_each(split.labels, len(class_names))
        missing = [class_names[label] for label in np.flatnonzero(counts == 0)]
        if missing:
            notes.append(f"'{name}' has no {what}s of {first_few(missing, 'class', 'classes')}")
    limits = {
        "train": config.train_examples,
        "validation": config.validation_examples,
        "test": config.test_examples,
    }
    for stream, name in enumerate(found):
        limit, split = limits[name], found[name]
        if limit is not None and limit < len(split):
            # A stream of its own for each split; carving has the first.
            kept = limited(split.labels, split.digests(), limit, (config.seed, 1 + stream))
            found[name] = split.select(kept)
    return found, notes


def with_validation(
    splits: Mapping[str, Part], config: RunConfig, what: str = "image"
) -> tuple[dict[str, Part], list[str]]:
    """Returns the splits, with missing ones split off `train`, and a note on each of these."""
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
    parts = divided(train.labels, train.digests(), fractions, (config.seed, 0), train.groups)
    if not len(parts["validation"]):
        raise UsageError(
            f"Cannot hold out {what}s for validation: no class has more than one {what}, or more "
            f"than one group. Add {what}s, or a 'validation' folder next to 'train'."
        )
    carved = {name: train.select(indices) for name, indices in parts.items()}
    by = "label" if are_several(train.labels) else "class"
    by = "value" if are_numbers(train.labels) else by
    notes = [
        f"{_NOT_FOUND.format(name)}: {len(carved[name]):,} of the {len(train):,} training {what}s "
        f"are held out for it, stratified by {by}"
        for name in fractions
    ]
    merged = {**splits, **carved}
    return {name: merged[name] for name in SPLITS if name in merged and len(merged[name])}, notes


def was_held_out(name: str, notes: Sequence[str]) -> bool:
    """Tells whether a split was held out from `train` at random, by the notes on the data.

    Examples:
        >>> notes = ["no test split found: 359 of the 1,797 training images are held out for it"]
        >>> was_held_out("test", notes), was_held_out("validation", notes)
        (True, False)
    """
    return any(note.startswith(_NOT_FOUND.format(name)) for note in notes)


def disjoint(
    splits: Mapping[str, Part], class_names: tuple[str, ...], what: str = "image"
) -> tuple[dict[str, Part], list[str]]:
    """Returns the splits without examples that are also in a later one, and notes on these.

    The test split stays as it is, so that its scores are comparable with published ones.
    """
    kept, notes = dict(splits), []
    names = list(splits)
    for place, name in enumerate(names):
        split = kept[name]
        for other in names[place + 1 :]:
            twice = found_in(split.digests(), splits[other].digests())
            if twice.any():
                count = (
                    f"1 {what} that is" if twice.sum() == 1 else f"{twice.sum():,} {what}s that are"
                )
                notes.append(f"left out of '{name}': {count} also in '{other}'")
                split = split.select(np.flatnonzero(~twice))
        for label in occurring(kept[name].labels) - occurring(split.labels):
            if name == "train":
                raise DataError(
                    f"Every {what} of class '{class_names[label]}' in 'train' is also in another "
                    "split, so none is left to train on. Remove the duplicates."
                )
        if not len(split):
            raise DataError(
                f"Every {what} of '{name}' is also in another split. Remove the duplicates."
            )
        kept[name] = split
    return kept, notes


def near_copies_together(
    splits: Mapping[str, Part],
    near: NearCopyGroups,
    class_names: tuple[str, ...],
    what: str = "image",
) -> tuple[dict[str, Part], list[str]]:
    """Returns the splits with each group of near copies in one of them, and notes on these.

    Of splits that the data come with, an earlier one loses what has a near copy in a later one, as
    with exact duplicates. In each, near copies become a group, which splitting does not divide.

    Args:
        splits: The splits that the data come with.
        near: The near copies.
        class_names: Names of the classes.
        what: What an example is called in messages.

    Raises:
        DataError: A split, or a class of `train`, would have no examples left.

    Examples:
        >>> from tfxfer.data.opening import open_as_it_is
        >>> digits = open_as_it_is("digits")
        >>> near = NearCopyGroups.of([digits.splits["train"].digests()[:2]])
        >>> splits, _ = near_copies_together(digits.splits, near, digits.class_names)
        >>> first, second, third = splits["train"].groups[:3]
        >>> first == second, third
        (True, '')
    """
    numbers = {name: near.numbers_of(split.digests()) for name, split in splits.items()}
    names, found, notes = list(splits), {}, []
    for place, name in enumerate(names):
        split = splits[name]
        left = np.ones(len(split), np.bool_)
        for other in names[place + 1 :]:
            there = numbers[other][numbers[other] >= 0]
            twice = left & np.isin(numbers[name], there)
            if twice.any():
                count = f"1 {what}" if twice.sum() == 1 else f"{twice.sum():,} {what}s"
                notes.append(f"left out of '{name}': {count} with near copies in '{other}'")
                left &= ~twice
        if not left.all():
            split = split.select(np.flatnonzero(left))
            lost = occurring(splits[name].labels) - occurring(split.labels)
            if not len(split) or (name == "train" and lost):
                which = f"of class '{class_names[min(lost)]}' " if lost else ""
                raise DataError(
                    f"Every {what} {which}in '{name}' has a near copy in a later split, so none is "
                    "left. Leave out --group-near-copies, or split the data again."
                )
        together = near.together(split.digests(), split.groups)
        found[name] = split.grouped(together if any(together) else None)
    return found, notes


def default_fraction(num_examples: int) -> float:
    """Returns the fraction of the examples to hold out by default.

    AutoGluon's rule (Erickson et al. 2020, arXiv:2003.06505; `default_holdout_frac` in
    autogluon.core.utils): 500 examples but 10% to 20% below 5,000, and 2,500 but 1% to 10% above.

    Examples:
        >>> default_fraction(1_000)
        0.2
        >>> default_fraction(50_000)
        0.05
    """
    if num_examples < 5000:
        return max(0.1, min(0.2, 500 / num_examples))
    return max(0.01, min(0.1, 2500 / num_examples))


def with_validation_joined(
    splits: Mapping[str, Split], set_aside: npt.NDArray[np.uint8] | None
) -> dict[str, Split]:
    """Returns splits whose validation images are training images, but for those set aside.

    Args:
        splits: With "train" and "validation".
        set_aside: The first bytes of their digests, (num_images, num_bytes); None for none.
    """
    validation = splits["validation"]
    is_aside = np.zeros(len(validation), np.bool_)
    if set_aside is not None:
        is_aside = found_in(validation.digests()[:, : set_aside.shape[1]], set_aside)
    train = joined(splits["train"], validation.select(np.flatnonzero(~is_aside)))
    found = {**splits, "train": train, "validation": validation.select(np.flatnonzero(is_aside))}
    return {name: split for name, split in found.items() if len(split)}


def joined(one: Split, other: Split) -> Split:
    """Returns the images of two splits as one, those of the first one first."""
    count = len(one)
    groups = None
    if one.groups is not None or other.groups is not None:
        groups = [*(one.groups or [""] * count), *(other.groups or [""] * len(other))]
    weights = None
    if one.weights is not None or other.weights is not None:
        given = [
            np.ones(len(s), np.float32) if s.weights is None else s.weights for s in (one, other)
        ]
        weights = np.concatenate(given)
    both = Split(
        labels=np.concatenate([one.labels, other.labels]),
        open_images=lambda: untuned(one.open_images().concatenate(other.open_images())),
        describe=lambda i: one.describe(i) if i < count else other.describe(i - count),
        digests=lambda: np.concatenate([one.digests(), other.digests()]),
        weights=weights,
        groups=groups,
    )
    first, second = one.read_image, other.read_image
    if first is None or second is None:
        return both
    return both.read_with(lambda i: tf.cond(i < count, lambda: first(i), lambda: second(i - count)))
