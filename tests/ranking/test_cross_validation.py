"""The cross-validated head: what it knows of a fold, its scores and their intervals."""

import numpy as np
import sklearn.linear_model

from tfxfer.models.standardization import Standardization
from tfxfer.ranking.cross_validation import fitted_head, out_of_fold
from tfxfer.ranking.judging.head_scores import HeadScores
from tfxfer.ranking.judging.labeled import Labeled
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
    found = fitted_head(train, validation, 3)(others)
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
