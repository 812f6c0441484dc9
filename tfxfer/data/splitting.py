"""Splits: missing ones are split off train, and no image is in two of them."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tfxfer.config.schema import RunConfig
from tfxfer.data.contents import NearCopyGroups, found_in
from tfxfer.data.labels.stratification import divided
from tfxfer.data.labels.targets import are_several, occurring
from tfxfer.data.source import Split
from tfxfer.data.split_names import SPLITS
from tfxfer.errors import DataError, UsageError


def with_validation(
    splits: Mapping[str, Split], config: RunConfig
) -> tuple[dict[str, Split], list[str]]:
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
            "Cannot hold out images for validation: no class has more than one image, or more than "
            "one group. Add images, or a 'validation' folder next to 'train'."
        )
    carved = {name: train.select(indices) for name, indices in parts.items()}
    notes = [
        f"no {name} split found: held out {len(carved[name]):,} of the {len(train):,} training "
        f"images, stratified by {'label' if are_several(train.labels) else 'class'}"
        for name in fractions
    ]
    merged = {**splits, **carved}
    return {name: merged[name] for name in SPLITS if name in merged and len(merged[name])}, notes


def disjoint(
    splits: Mapping[str, Split], class_names: tuple[str, ...]
) -> tuple[dict[str, Split], list[str]]:
    """Returns the splits without images that are also in a later one, and notes on these.

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
                    "1 image that is" if twice.sum() == 1 else f"{twice.sum():,} images that are"
                )
                notes.append(f"left out of '{name}': {count} also in '{other}'")
                split = split.select(np.flatnonzero(~twice))
        for label in occurring(kept[name].labels) - occurring(split.labels):
            if name == "train":
                raise DataError(
                    f"Every image of class '{class_names[label]}' in 'train' is also in another "
                    "split, so none is left to train on. Remove the duplicates."
                )
        if not len(split):
            raise DataError(
                f"Every image of '{name}' is also in another split. Remove the duplicates."
            )
        kept[name] = split
    return kept, notes


def near_copies_together(
    splits: Mapping[str, Split], near: NearCopyGroups, class_names: tuple[str, ...]
) -> tuple[dict[str, Split], list[str]]:
    """Returns the splits with each group of near copies in one of them, and notes on these.

    Of splits that the data come with, an earlier one loses what has a near copy in a later one, as
    with exact duplicates. In each, near copies become a group, which splitting does not divide.

    Raises:
        DataError: A split, or a class of `train`, would have no images left.
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
                count = "1 image" if twice.sum() == 1 else f"{twice.sum():,} images"
                notes.append(f"left out of '{name}': {count} with near copies in '{other}'")
                left &= ~twice
        if not left.all():
            split = split.select(np.flatnonzero(left))
            lost = occurring(splits[name].labels) - occurring(split.labels)
            if not len(split) or (name == "train" and lost):
                what = f"of class '{class_names[min(lost)]}' " if lost else ""
                raise DataError(
                    f"Every image {what}in '{name}' has a near copy in a later split, so none is "
                    "left. Leave out --group-near-copies, or divide the data anew."
                )
        together = near.together(split.digests(), split.groups)
        found[name] = dataclasses.replace(split, groups=together if any(together) else None)
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
