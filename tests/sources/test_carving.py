"""Which examples are set aside: numbers a reader can check by hand."""

import numpy as np
import pytest

from tfxfer.sources.carving import apportion, carve, default_fraction, subset

CIFAR_LIKE = np.tile(np.arange(10), 5000)
UNEVEN = np.repeat([0, 1, 2, 3, 4], [100, 50, 3, 2, 1])


def counts(labels, indices, num_classes=5):
    return np.bincount(labels[indices], minlength=num_classes).tolist()


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


def test_carving_divides_every_class_as_the_whole():
    parts = carve(CIFAR_LIKE, {"validation": 0.05}, (0, 0))
    assert list(parts) == ["train", "validation"]
    assert counts(CIFAR_LIKE, parts["validation"], 10) == [250] * 10
    assert counts(CIFAR_LIKE, parts["train"], 10) == [4750] * 10


@pytest.mark.parametrize("fractions", [{"validation": 0.2}, {"validation": 0.3, "test": 0.3}])
def test_each_example_is_in_exactly_one_part_in_the_order_it_had(fractions):
    parts = carve(UNEVEN, fractions, (3, 0))
    for indices in parts.values():
        assert (np.diff(indices) > 0).all()
    together = np.sort(np.concatenate(list(parts.values())))
    np.testing.assert_array_equal(together, np.arange(len(UNEVEN)))


def test_small_classes_keep_one_to_train_on_and_give_one_to_validation_first():
    parts = carve(UNEVEN, {"validation": 0.1, "test": 0.1}, (0, 0))
    # 156 examples, so 16 for each part; the shares of the large classes are 10.3 and 5.1, and one
    # of them makes room for the two small ones.
    assert counts(UNEVEN, parts["validation"]) == [10, 4, 1, 1, 0]
    assert counts(UNEVEN, parts["test"]) == [10, 5, 1, 0, 0]
    assert counts(UNEVEN, parts["train"]) == [80, 41, 1, 1, 1]


@pytest.mark.parametrize("fraction", [0.001, 0.5, 0.95])
def test_every_class_has_a_training_example_and_where_it_can_one_of_each_part(fraction):
    fractions = {"validation": fraction, "test": 0.99 - fraction}
    parts = carve(UNEVEN, fractions, (0, 0))
    present = {name: set(UNEVEN[indices]) for name, indices in parts.items()}
    assert present == {"train": {0, 1, 2, 3, 4}, "validation": {0, 1, 2, 3}, "test": {0, 1, 2}}


def test_carving_depends_on_the_seed_alone():
    first, again, other = (
        carve(CIFAR_LIKE, {"validation": 0.05}, seed)["validation"]
        for seed in ((1, 0), (1, 0), (2, 0))
    )
    np.testing.assert_array_equal(first, again)
    # Two random choices of a twentieth share a twentieth: 125 of 2,500.
    assert 80 < len(np.intersect1d(first, other)) < 170


def test_nothing_is_set_aside_where_every_class_has_one_example():
    parts = carve(np.arange(4), {"validation": 0.5}, (0, 0))
    assert len(parts["validation"]) == 0
    assert parts["train"].tolist() == [0, 1, 2, 3]


def test_labels_that_do_not_occur_do_not_matter():
    parts = carve(np.array([2, 2, 9, 9]), {"validation": 0.5}, (0, 0))
    assert sorted(np.array([2, 2, 9, 9])[parts["validation"]]) == [2, 9]


def test_a_subset_has_each_class_in_proportion():
    assert counts(CIFAR_LIKE, subset(CIFAR_LIKE, 1000, (0, 1)), 10) == [100] * 10
    assert counts(UNEVEN, subset(UNEVEN, 78, (0, 1))) == [50, 25, 1, 1, 1]


def test_a_subset_has_every_class_if_there_are_as_many_examples():
    assert counts(UNEVEN, subset(UNEVEN, 5, (0, 1))) == [1, 1, 1, 1, 1]
    assert counts(UNEVEN, subset(UNEVEN, 4, (0, 1))) == [3, 1, 0, 0, 0]


def test_a_subset_keeps_the_order_and_depends_on_the_seed_alone():
    first, again, other = (subset(CIFAR_LIKE, 100, seed) for seed in ((1, 1), (1, 1), (2, 1)))
    assert (np.diff(first) > 0).all()
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_subset_of_more_than_there_are_is_all():
    np.testing.assert_array_equal(subset(UNEVEN, 1000, (0, 1)), np.arange(len(UNEVEN)))


def test_apportioning_follows_the_largest_remainders():
    counts_, nothing = np.array([53, 24, 23]), np.zeros(3, np.int64)
    # Of 10: 5.3, 2.4 and 2.3, so the seat that is left goes to the second.
    assert apportion(counts_, 10, nothing, counts_).tolist() == [5, 3, 2]
    assert apportion(counts_, 10, np.array([0, 0, 4]), counts_).tolist() == [4, 2, 4]
    assert apportion(counts_, 10, nothing, np.array([1, 24, 23])).tolist() == [1, 5, 4]
