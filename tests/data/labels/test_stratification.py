"""Splits of images that may have several labels."""

import numpy as np
import pytest

from tfxfer.data.carving import carve, subset
from tfxfer.data.labels.stratification import divided, limited
from tfxfer.system.digests import ids_of

FRACTIONS = {"validation": 0.2, "test": 0.1}


def several(num_examples, seed=0):
    """Returns labels of which the last is rare, and the content of the examples."""
    generator = np.random.default_rng(seed)
    chance = np.array([0.5, 0.2, 0.03])
    labels = (generator.random((num_examples, 3)) < chance).astype(np.float32)
    digests = ids_of((bytes([number // 256, number % 256]),) for number in range(num_examples))
    return labels, digests.copy()


def test_each_label_is_divided_as_the_whole_is():
    labels, digests = several(1000)
    parts = divided(labels, digests, FRACTIONS, (0, 0))
    assert sorted(np.concatenate(list(parts.values()))) == list(range(1000))
    assert [len(part) for part in parts.values()] == pytest.approx([700, 200, 100], abs=3)
    for name, share in (("train", 0.7), *FRACTIONS.items()):
        counts = labels[parts[name]].sum(axis=0)
        assert counts == pytest.approx(share * labels.sum(axis=0), abs=1.5), name


def test_a_rare_label_stays_in_train():
    labels, digests = several(200)
    labels[:, 2] = 0
    for number in (1, 2):
        labels[number, 2] = 1
        parts = divided(labels, digests, FRACTIONS, (0, 0))
        assert labels[parts["train"], 2].sum() >= 1


def test_the_order_of_the_examples_does_not_matter_but_the_seed_does():
    labels, digests = several(300)
    order = np.random.default_rng(1).permutation(300)
    one = divided(labels, digests, FRACTIONS, (0, 0))
    other = divided(labels[order], digests[order], FRACTIONS, (0, 0))
    for name, part in one.items():
        assert sorted(order[other[name]]) == part.tolist()
    assert divided(labels, digests, FRACTIONS, (1, 0))["test"].tolist() != one["test"].tolist()


def test_groups_and_duplicates_stay_together():
    labels, digests = several(300)
    digests[1::2][:50] = digests[::2][:50]  # pairs of the same content
    groups = [f"patient {number % 40}" if number >= 150 else "" for number in range(300)]
    parts = divided(labels, digests, FRACTIONS, (0, 0), groups)
    part_of = np.empty(300, object)
    for name, part in parts.items():
        part_of[part] = name
    for number in range(0, 100, 2):
        assert part_of[number] == part_of[number + 1]
    for patient in range(40):
        assert len({part_of[n] for n in range(150, 300) if n % 40 == patient}) == 1
    assert all(len(part) for part in parts.values())


def test_unknown_labels_count_as_none():
    labels, digests = several(100)
    unknown = np.where(labels == 0, np.nan, labels).astype(np.float32)
    known = divided(labels, digests, FRACTIONS, (0, 0))
    for name, part in divided(unknown, digests, FRACTIONS, (0, 0)).items():
        np.testing.assert_array_equal(part, known[name])


@pytest.mark.parametrize("number", [1, 37, 100, 299])
def test_a_subset_has_exactly_as_many_and_each_label_in_proportion(number):
    labels, digests = several(300)
    chosen = limited(labels, digests, number, (0, 1))
    assert len(chosen) == number
    assert np.all(np.diff(chosen) > 0)
    assert labels[chosen].sum(axis=0) == pytest.approx(labels.sum(axis=0) * number / 300, abs=2)


def test_one_class_for_each_image_is_divided_as_ever():
    labels, (_, digests) = np.arange(90) % 3, several(90)
    for name, part in divided(labels, digests, FRACTIONS, (5, 0)).items():
        np.testing.assert_array_equal(part, carve(labels, digests, FRACTIONS, (5, 0))[name])
    expected = subset(labels, digests, 20, (5, 1))
    np.testing.assert_array_equal(limited(labels, digests, 20, (5, 1)), expected)
