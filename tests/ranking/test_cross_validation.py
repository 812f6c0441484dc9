"""The cross-validated head: what it knows of a fold, its scores and their intervals."""

import numpy as np
import pytest
import sklearn.linear_model

from tfxfer.errors import UsageError
from tfxfer.models.standardization import Standardization
from tfxfer.ranking.cross_validation import (
    HeadScores,
    Labeled,
    accuracy_interval,
    check_folds,
    is_worse,
    out_of_fold,
    predicted,
)
from tfxfer.training.logistic_regression import PENALTIES


def blobs(num_examples=60, num_features=6, num_classes=3, seed=0):
    """Returns overlapping classes in five folds."""
    generator = np.random.default_rng(seed)
    labels = np.arange(num_examples) % num_classes
    features = generator.normal(size=(num_examples, num_features)) + 5
    features[np.arange(num_examples), labels] += 2
    folds = np.arange(num_examples) // num_classes % 5
    return features.astype("float32"), Labeled(labels, folds, np.arange(num_examples), num_classes)


def by_scikit_learn(features, labels, others, penalty):
    """Returns the probabilities of a head trained by scikit-learn on standardized features."""
    scale = Standardization.of(features)
    model = sklearn.linear_model.LogisticRegression(
        C=1 / (penalty * len(labels)), tol=1e-8, max_iter=10_000
    )
    model.fit(scale.apply(features), labels)
    return model.predict_proba(scale.apply(others))


def test_the_head_is_that_of_scikit_learn_with_the_penalty_chosen_inside():
    features, labeled = blobs()
    parts = [labeled.folds < 3, labeled.folds == 3, labeled.folds == 4]
    train, validation = ((features[part], labeled.labels[part]) for part in parts[:2])
    others = features[parts[2]]
    losses = {}
    for penalty in PENALTIES:
        shares = by_scikit_learn(*train, validation[0], penalty)
        chosen = shares[np.arange(len(shares)), validation[1]]
        losses[penalty] = -np.log(chosen).mean()
    together = [np.concatenate(pair) for pair in zip(train, validation)]
    expected = by_scikit_learn(*together, others, min(losses, key=losses.get))
    found = predicted(train, validation, others, 3)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_every_image_is_predicted_by_a_head_that_has_not_seen_its_fold():
    features, labeled = blobs()
    before = out_of_fold(features, labeled)
    np.testing.assert_allclose(before.sum(axis=1), 1, atol=1e-5)
    fold = labeled.folds == 2
    labels = labeled.labels.copy()
    labels[fold] = (labels[fold] + 1) % 3
    changed = Labeled(labels, labeled.folds, labeled.units, 3)
    after = out_of_fold(features, changed)
    np.testing.assert_array_equal(after[fold], before[fold])
    assert not np.array_equal(after[~fold], before[~fold])


def test_labels_without_relation_to_the_features_are_predicted_at_chance():
    features = np.random.default_rng(0).normal(size=(300, 400)).astype("float32")
    labeled = Labeled(np.arange(300) % 2, np.arange(300) // 2 % 5, np.arange(300), 2)
    found = HeadScores.of(out_of_fold(features, labeled), labeled)
    assert found.interval[0] < 0.5 < found.interval[1]
    assert found.log_loss < 0.8  # the penalty keeps it from being overconfident


def test_a_class_of_one_image_is_predicted_wrong():
    features, labeled = blobs(16, num_classes=3)
    labels = np.where(np.arange(16) == 0, 3, labeled.labels)
    found = out_of_fold(features, Labeled(labels, labeled.folds, labeled.units, 4))
    assert found[0].argmax() != 3


def test_the_interval_is_that_of_wilson():
    # Example of Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263.
    low, high = accuracy_interval(np.arange(263) < 81, np.arange(263))
    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert accuracy_interval(np.ones(20, bool), np.arange(20))[1] == 1


def test_groups_make_the_interval_as_wide_as_their_number_does():
    generator = np.random.default_rng(0)
    of_group = generator.random(30) < 0.8
    units = np.repeat(np.arange(30), 20)
    low, high = accuracy_interval(np.repeat(of_group, 20), units)
    alone = accuracy_interval(of_group, np.arange(30))
    assert high - low == pytest.approx(alone[1] - alone[0], rel=0.15)


def test_groups_without_a_common_cause_make_the_interval_no_wider():
    is_correct = np.random.default_rng(0).random(600) < 0.8
    low, high = accuracy_interval(is_correct, np.arange(600) // 20)
    alone = accuracy_interval(is_correct, np.arange(600))
    assert high - low == pytest.approx(alone[1] - alone[0], rel=0.25)


def test_an_accuracy_of_one_has_the_interval_of_the_number_of_groups():
    found = accuracy_interval(np.ones(600, bool), np.arange(600) // 20)
    assert found == accuracy_interval(np.ones(30, bool), np.arange(30))


def test_a_difference_on_the_same_images_is_told_from_chance():
    one = np.arange(1000) < 900
    slightly_worse = one & (np.arange(1000) % 40 != 0)  # wrong on 23 more, right on none
    assert is_worse(slightly_worse, one, np.arange(1000))
    assert not is_worse(one, slightly_worse, np.arange(1000))
    assert not is_worse(one, one, np.arange(1000))
    # Of two that are wrong on different images, 23 more are nothing.
    other = np.roll(one, 500) & (np.arange(1000) % 40 != 1)
    assert not is_worse(other, one, np.arange(1000))


def test_a_difference_in_one_group_is_not_told_from_chance():
    one = np.ones(200, bool)
    other = np.arange(200) >= 40
    assert is_worse(other, one, np.arange(200))
    assert not is_worse(other, one, np.arange(200) // 40)


@pytest.mark.parametrize(
    ("labels", "units", "parts"),
    [
        ([0, 0, 1, 1], [0, 1, 2, 3], ["5 folds", "4 different images"]),
        ([0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 2, 3], ["5 folds", "4 different"]),
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4], ["two different images", "Add images"]),
        ([0, 0, 0, 0, 0], [0, 1, 2, 3, 4], ["two classes"]),
    ],
)
def test_too_few_images_are_refused(labels, units, parts):
    labeled = Labeled(np.array(labels), np.zeros(len(labels), int), np.array(units), 5)
    with pytest.raises(UsageError) as error:
        check_folds(labeled, 5)
    assert all(part in str(error.value) for part in parts)
