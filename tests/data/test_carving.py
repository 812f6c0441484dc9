"""Which examples are set aside: numbers a reader can check by hand."""

import numpy as np
import pytest

from tfxfer.data.carving import apportion, carve, deal, subset
from tfxfer.system.digests import ids_of

CIFAR_LIKE = np.tile(np.arange(10), 5000)


IMBALANCED = np.repeat([0, 1, 2, 3, 4], [100, 50, 3, 2, 1])


def contents(*numbers):
    """Returns the digests of images, each of which a number stands for."""
    return ids_of((str(number).encode(),) for number in numbers)


DIFFERENT = contents(*range(len(CIFAR_LIKE)))


def carved(labels, fractions, seed):
    return carve(labels, DIFFERENT[: len(labels)], fractions, seed)


def chosen(labels, num_examples, seed):
    return subset(labels, DIFFERENT[: len(labels)], num_examples, seed)


def counts(labels, indices, num_classes=5):
    return np.bincount(labels[indices], minlength=num_classes).tolist()


def test_carving_divides_every_class_as_the_whole():
    parts = carved(CIFAR_LIKE, {"validation": 0.05}, (0, 0))
    assert list(parts) == ["train", "validation"]
    assert counts(CIFAR_LIKE, parts["validation"], 10) == [250] * 10
    assert counts(CIFAR_LIKE, parts["train"], 10) == [4750] * 10


@pytest.mark.parametrize("fractions", [{"validation": 0.2}, {"validation": 0.3, "test": 0.3}])
def test_each_example_is_in_exactly_one_part_in_the_order_it_had(fractions):
    parts = carved(IMBALANCED, fractions, (3, 0))
    for indices in parts.values():
        assert (np.diff(indices) > 0).all()
    together = np.sort(np.concatenate(list(parts.values())))
    np.testing.assert_array_equal(together, np.arange(len(IMBALANCED)))


def test_small_classes_keep_one_to_train_on_and_give_one_to_validation_first():
    parts = carved(IMBALANCED, {"validation": 0.1, "test": 0.1}, (0, 0))
    # 156 examples, so 16 for each part; the shares of the large classes are 10.3 and 5.1, and one
    # of them makes room for the two small ones.
    assert counts(IMBALANCED, parts["validation"]) == [10, 4, 1, 1, 0]
    assert counts(IMBALANCED, parts["test"]) == [10, 5, 1, 0, 0]
    assert counts(IMBALANCED, parts["train"]) == [80, 41, 1, 1, 1]


@pytest.mark.parametrize("fraction", [0.001, 0.5, 0.95])
def test_every_class_has_a_training_example_and_where_it_can_one_of_each_part(fraction):
    fractions = {"validation": fraction, "test": 0.99 - fraction}
    parts = carved(IMBALANCED, fractions, (0, 0))
    present = {name: set(IMBALANCED[indices]) for name, indices in parts.items()}
    assert present == {"train": {0, 1, 2, 3, 4}, "validation": {0, 1, 2, 3}, "test": {0, 1, 2}}


def test_carving_depends_on_the_seed_alone():
    first, again, other = (
        carved(CIFAR_LIKE, {"validation": 0.05}, seed)["validation"]
        for seed in ((1, 0), (1, 0), (2, 0))
    )
    np.testing.assert_array_equal(first, again)
    # Two random choices of a twentieth share a twentieth: 125 of 2,500.
    assert 80 < len(np.intersect1d(first, other)) < 170


def test_nothing_is_set_aside_where_every_class_has_one_example():
    parts = carved(np.arange(4), {"validation": 0.5}, (0, 0))
    assert len(parts["validation"]) == 0
    assert parts["train"].tolist() == [0, 1, 2, 3]


def test_labels_that_do_not_occur_do_not_matter():
    parts = carved(np.array([2, 2, 9, 9]), {"validation": 0.5}, (0, 0))
    assert sorted(np.array([2, 2, 9, 9])[parts["validation"]]) == [2, 9]


def test_a_subset_has_each_class_in_proportion():
    assert counts(CIFAR_LIKE, chosen(CIFAR_LIKE, 1000, (0, 1)), 10) == [100] * 10
    assert counts(IMBALANCED, chosen(IMBALANCED, 78, (0, 1))) == [50, 25, 1, 1, 1]


def test_a_subset_has_every_class_if_there_are_as_many_examples():
    assert counts(IMBALANCED, chosen(IMBALANCED, 5, (0, 1))) == [1, 1, 1, 1, 1]
    assert counts(IMBALANCED, chosen(IMBALANCED, 4, (0, 1))) == [3, 1, 0, 0, 0]


def test_a_subset_keeps_the_order_and_depends_on_the_seed_alone():
    first, again, other = (chosen(CIFAR_LIKE, 100, seed) for seed in ((1, 1), (1, 1), (2, 1)))
    assert (np.diff(first) > 0).all()
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_subset_of_more_than_there_are_is_all():
    np.testing.assert_array_equal(chosen(IMBALANCED, 1000, (0, 1)), np.arange(len(IMBALANCED)))


def test_apportioning_follows_the_largest_remainders():
    counts_, nothing = np.array([53, 24, 23]), np.zeros(3, np.int64)
    # Of 10: 5.3, 2.4 and 2.3, so the seat that is left goes to the second.
    assert apportion(counts_, 10, nothing, counts_).tolist() == [5, 3, 2]
    assert apportion(counts_, 10, np.array([0, 0, 4]), counts_).tolist() == [4, 2, 4]
    assert apportion(counts_, 10, nothing, np.array([1, 24, 23])).tolist() == [1, 5, 4]


def test_copies_of_an_example_go_the_same_way():
    numbers = np.arange(300) % 100  # each three times
    parts = carve(
        np.zeros(300, np.int64), contents(*numbers), {"validation": 0.2, "test": 0.2}, (0,)
    )
    where = [set(numbers[indices]) for indices in parts.values()]
    assert [len(found) for found in where] == [60, 20, 20]
    assert len(set.union(*where)) == 100


def test_a_group_is_never_divided_even_where_copies_link_it_to_another():
    # Ten images of each of 20 patients; patients 3 and 4 share an image.
    patients = np.repeat(np.arange(20), 10)
    numbers = np.arange(200)
    numbers[40] = numbers[39]
    groups = [f"patient {patient}" for patient in patients]
    labels = (patients % 2).astype(np.int64)
    parts = carve(labels, contents(*numbers), {"validation": 0.2}, (0,), groups)
    divided = {name: set(patients[indices]) for name, indices in parts.items()}
    assert not divided["train"] & divided["validation"]
    assert len(parts["validation"]) == 40
    assert (3 in divided["train"]) == (4 in divided["train"])


def test_the_order_of_the_examples_does_not_matter():
    order = np.random.default_rng(0).permutation(156)
    parts = carve(IMBALANCED, contents(*range(156)), {"validation": 0.2, "test": 0.1}, (0,))
    moved = carve(IMBALANCED[order], contents(*order), {"validation": 0.2, "test": 0.1}, (0,))
    for name, indices in parts.items():
        assert sorted(order[moved[name]]) == indices.tolist()
    few, few_moved = (
        subset(IMBALANCED, contents(*range(156)), 40, (0,)),
        subset(IMBALANCED[order], contents(*order), 40, (0,)),
    )
    assert sorted(order[few_moved]) == few.tolist()


def test_new_examples_leave_the_old_ones_where_they_are_but_for_their_share():
    labels = np.zeros(1100, np.int64)
    fractions = {"validation": 0.2, "test": 0.2}
    before = carve(labels[:1000], contents(*range(1000)), fractions, (0,))
    after = carve(labels, contents(*range(1100)), fractions, (0,))
    for name in fractions:
        # Of 100 new ones about 20 go to each part, which has room for 20 more.
        gone = np.setdiff1d(before[name], after[name])
        assert len(after[name]) == 220
        assert len(gone) < 12
    assert not set(before["validation"]) & set(after["test"])
    assert not set(before["test"]) & set(after["validation"])


def test_apportioning_gives_to_the_class_that_lacks_most_each_time():
    def one_by_one(counts_, total, least, most):
        total = int(np.clip(total, least.sum(), most.sum()))
        ideal = counts_ * (total / counts_.sum())
        taken = np.clip(np.floor(ideal).astype(np.int64), least, most)
        while taken.sum() < total:
            taken[np.argmax(np.where(taken < most, ideal - taken, -np.inf))] += 1
        while taken.sum() > total:
            taken[np.argmin(np.where(taken > least, ideal - taken, np.inf))] -= 1
        return taken

    generator = np.random.default_rng(0)
    for _ in range(200):
        counts_ = generator.integers(1, generator.integers(2, 30), generator.integers(1, 12))
        most = generator.integers(0, counts_ + 1)
        least = generator.integers(0, most + 1)
        total = int(generator.integers(counts_.sum() + 2))
        found = apportion(counts_, total, least, most)
        assert found.tolist() == one_by_one(counts_, total, least, most).tolist()


def test_each_of_thousands_of_classes_is_divided():
    # Two of each class, in no order; to go through all examples for each would take a minute.
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(20_000), 2))
    parts = carve(labels, DIFFERENT[: len(labels)], {"validation": 0.1}, (0,))
    assert len(np.unique(labels[parts["train"]])) == 20_000
    assert len(np.unique(labels[parts["validation"]])) == len(parts["validation"]) == 20_000
    few = subset(labels, DIFFERENT[: len(labels)], 20_000, (0,))
    assert len(np.unique(labels[few])) == 20_000


def test_folds_have_each_class_in_proportion():
    folds = deal(IMBALANCED, DIFFERENT[: len(IMBALANCED)], 5, (0,))
    sizes = np.bincount(folds, minlength=5)
    assert sizes.max() - sizes.min() <= 1
    for label in range(5):
        counts = np.bincount(folds[label == IMBALANCED], minlength=5)
        assert counts.max() - counts.min() <= 1


def test_folds_do_not_depend_on_the_order_and_differ_by_seed():
    labels, digests = IMBALANCED, DIFFERENT[: len(IMBALANCED)]
    folds = deal(labels, digests, 5, (0,))
    shuffled = np.random.default_rng(0).permutation(len(labels))
    again = deal(labels[shuffled], digests[shuffled], 5, (0,))
    np.testing.assert_array_equal(again, folds[shuffled])
    assert not np.array_equal(deal(labels, digests, 5, (1,)), folds)


def test_duplicates_and_groups_stay_in_one_fold():
    digests = contents(*(number // 2 for number in range(40)))
    groups = [f"patient {number // 8}" if number < 32 else "" for number in range(40)]
    folds = deal(np.arange(40) // 2 % 2, digests, 4, (0,), groups)
    for number in range(4):
        assert len(set(folds[8 * number : 8 * number + 8])) == 1
    np.testing.assert_array_equal(folds[::2], folds[1::2])
    assert len(set(folds)) == 4
