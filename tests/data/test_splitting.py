"""How much is set aside where nobody says, and what stays together."""

import dataclasses

import numpy as np
import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.data.contents import NearCopyGroups
from tfxfer.data.source import Split
from tfxfer.data.splitting import default_fraction, near_copies_together, with_validation
from tfxfer.errors import DataError
from tfxfer.system.digests import ids_of


@pytest.mark.parametrize(
    ("num_examples", "fraction"),
    [
        (100, 0.2),  # 500 would be more than all
        (2500, 0.2),
        (4000, 0.125),  # 500
        (4999, 500 / 4999),
        (5000, 0.1),
        (25_000, 0.1),
        (50_000, 0.05),  # 2,500
        (250_000, 0.01),
        (1_000_000, 0.01),
    ],
)
def test_the_default_fraction_is_autogluons(num_examples, fraction):
    assert default_fraction(num_examples) == pytest.approx(fraction, abs=1e-12)


def split_of(numbers, labels=None, groups=None):
    """Returns a split of images, each of which a number stands for."""
    digests = ids_of((str(number).encode(),) for number in numbers)
    labels = np.zeros(len(numbers), np.int64) if labels is None else np.array(labels)
    return Split(labels, None, lambda index: str(numbers[index]), lambda: digests, groups=groups)


def near(*groups):
    return NearCopyGroups.of(
        ids_of((str(number).encode(),) for number in numbers) for numbers in groups
    )


def names(split):
    return [split.describe(index) for index in range(len(split))]


def with_reading(split):
    """Returns the same split; what is read of it does not matter here."""
    return dataclasses.replace(split, open_images=lambda: None, read_image=lambda index: index)


def test_near_copies_of_later_splits_are_left_out_of_earlier_ones():
    given = {
        "train": with_reading(split_of([1, 2, 3, 4])),
        "validation": with_reading(split_of([5, 6])),
        "test": with_reading(split_of([7, 8])),
    }
    found, notes = near_copies_together(given, near((1, 7), (2, 3), (4, 5), (6, 8)), ("cat",))
    assert {name: names(split) for name, split in found.items()} == {
        "train": ["2", "3"],
        "validation": ["5"],
        "test": ["7", "8"],
    }
    assert notes == [
        "left out of 'train': 1 image with near copies in 'validation'",
        "left out of 'train': 1 image with near copies in 'test'",
        "left out of 'validation': 1 image with near copies in 'test'",
    ]
    first, second = found["train"].groups
    assert first == second != ""


def test_without_near_copies_a_split_has_no_groups():
    given = {"train": split_of([1, 2])}
    found, notes = near_copies_together(given, near((8, 9)), ("cat",))
    assert found["train"].groups is None
    assert notes == []


def test_near_copies_must_leave_something_of_each_class():
    given = {
        "train": with_reading(split_of([1, 2, 3], [0, 0, 1])),
        "test": with_reading(split_of([7])),
    }
    with pytest.raises(DataError, match="'dog' in 'train' has a near copy.*--group-near-copies"):
        near_copies_together(given, near((3, 7)), ("cat", "dog"))


def test_near_copies_stay_together_where_splits_are_split_off():
    numbers = list(range(60))
    train = with_reading(split_of(numbers, [number % 2 for number in numbers]))
    pairs = near(*((number, number + 2) for number in range(0, 60, 4)))
    given, _ = near_copies_together({"train": train}, pairs, ("cat", "dog"))
    config = FitConfig(validation_fraction=0.3, test_fraction=0.2)
    found, _ = with_validation(given, config)
    place = {name: split for split, one in found.items() for name in names(one)}
    assert len(place) == 60
    for number in range(0, 60, 4):
        assert place[str(number)] == place[str(number + 2)]
    apart, _ = with_validation({"train": train}, config)
    place = {name: split for split, one in apart.items() for name in names(one)}
    assert any(place[str(number)] != place[str(number + 2)] for number in range(0, 60, 4))
