"""Splits that differ are told apart, and random ones are not."""

import numpy as np
import pytest
from made_galleries import blobs, gallery
from sklearn.metrics import roc_auc_score

from tfxfer.curation.shift import shifts_of, within_classes


def split_at_random(count, seed=0):
    return (np.random.default_rng(seed).random(count) < 0.4).astype(np.int64)


def test_random_splits_are_not_told_apart():
    features, labels = blobs(num_each=60)
    (shift,) = shifts_of(gallery(features, labels, split_at_random(180)), 0)
    assert shift.splits == (0, 1)
    assert 0.35 < shift.auroc < 0.62
    low, high = shift.interval
    assert low < shift.auroc < high


def test_splits_of_different_images_are():
    features, labels = blobs(num_each=60)
    splits = split_at_random(180)
    features[:, 7] += 1.0 * splits
    (shift,) = shifts_of(gallery(features, labels, splits), 0)
    assert shift.auroc > 0.9


def test_another_mix_of_classes_is_no_shift_of_their_images():
    features, labels = blobs(num_each=60)
    shares = np.array([0.1, 0.3, 0.8])[labels]
    splits = (np.random.default_rng(0).random(180) < shares).astype(np.int64)
    (shift,) = shifts_of(gallery(features, labels, splits), 0)
    assert shift.auroc < 0.65


def test_each_split_is_compared_with_the_first():
    features, labels = blobs(num_each=60)
    splits = np.arange(180) % 3
    assert [one.splits for one in shifts_of(gallery(features, labels, splits), 0)] == [
        (0, 1),
        (0, 2),
    ]


def test_of_few_images_or_one_split_there_is_nothing_to_tell():
    features, labels = blobs(num_each=10)
    assert shifts_of(gallery(features, labels), 0) == []
    splits = (np.arange(30) < 9).astype(np.int64)
    assert shifts_of(gallery(features, labels, splits), 0) == []


@pytest.mark.parametrize("seed", range(3))
def test_within_classes_it_is_the_mean_of_their_auroc(seed):
    generator = np.random.default_rng(seed)
    shares = generator.random(90).round(1)  # with ties
    is_other, labels = generator.integers(2, size=90), generator.integers(3, size=90)
    areas, weights = [], []
    for label in range(3):
        own = labels == label
        areas.append(roc_auc_score(is_other[own], shares[own]))
        weights.append(np.sum(is_other[own]) * np.sum(1 - is_other[own]))
    expected = np.average(areas, weights=weights)
    np.testing.assert_allclose(within_classes(shares, is_other, labels), expected)


def test_without_a_class_in_both_splits_there_is_no_auroc():
    assert within_classes(np.array([0.2, 0.7]), np.array([0, 1]), np.array([0, 1])) is None
    features, labels = blobs(num_each=20, num_classes=2)
    assert shifts_of(gallery(features, labels, labels), 0) == []
