"""LogME against the evidence by determinants, and the shrinkage H-score against scikit-learn."""

import numpy as np
import pytest
import sklearn.covariance

from tfxfer.ranking.scores import logme, maximum_evidence, shrinkage_h_score

# More images than features, fewer, as many, and features that depend on each other.
SHAPES = {"tall": (50, 7), "wide": (12, 40), "square": (9, 9)}


def data(name, num_classes=3, seed=0):
    """Returns features that tell something about their labels, and the labels."""
    generator = np.random.default_rng(seed)
    if name == "dependent":
        features = generator.normal(size=(30, 4)) @ generator.normal(size=(4, 9))
    else:
        features = generator.normal(size=SHAPES[name])
    labels = np.arange(len(features)) % num_classes
    features[:, 0] += labels
    return features, labels


def evidence_by_determinants(features, targets, alpha, beta):
    """Returns ln N(targets; 0, I / beta + F F' / alpha)."""
    covariance = np.eye(len(targets)) / beta + features @ features.T / alpha
    sign, logarithm = np.linalg.slogdet(2 * np.pi * covariance)
    assert sign == 1
    return -0.5 * (logarithm + targets @ np.linalg.solve(covariance, targets))


@pytest.mark.parametrize("name", [*SHAPES, "dependent"])
def test_the_evidence_is_that_by_determinants(name):
    features, labels = data(name)
    for label in range(3):
        targets = (labels == label).astype(float)
        found = maximum_evidence(features, targets)
        expected = evidence_by_determinants(features, targets, found.alpha, found.beta)
        assert found.value == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("name", [*SHAPES, "dependent"])
def test_no_other_precisions_have_more_evidence(name):
    features, labels = data(name)
    targets = (labels == 0).astype(float)
    best = maximum_evidence(features, targets).value
    exponents = np.linspace(-4, 8, 25)
    others = [
        evidence_by_determinants(features, targets, np.exp(alpha), np.exp(beta))
        for alpha in exponents
        for beta in exponents
    ]
    assert max(others) <= best + 1e-9
    assert max(others) > best - 0.5  # the grid is fine enough to come near


@pytest.mark.parametrize("name", SHAPES)
def test_logme_is_the_mean_evidence_per_image(name):
    features, labels = data(name)
    found = [maximum_evidence(features, (labels == label) * 1.0) for label in range(3)]
    by_determinants = [
        evidence_by_determinants(features, (labels == label) * 1.0, one.alpha, one.beta)
        for label, one in enumerate(found)
    ]
    expected = np.mean(by_determinants) / len(labels)
    assert logme(features, labels) == pytest.approx(expected, abs=1e-8)


def test_logme_of_noise_does_not_grow_with_the_number_of_features():
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.arange(60) % 3)
    scores = [logme(generator.normal(size=(60, width)), labels) for width in (5, 60, 400, 1600)]
    # Without any feature: the evidence of noise whose variance is the mean square of the targets.
    chance = -0.5 * np.log(2 * np.pi * np.e / 3)
    assert scores == pytest.approx([chance] * 4, abs=0.1)
    assert scores[2] == pytest.approx(-0.87, abs=0.05)


def test_logme_prefers_features_that_tell_the_classes_apart():
    labels = np.arange(80) % 4
    noise = np.random.default_rng(0).normal(size=(80, 100))
    useful = noise.copy()
    useful[:, :4] += 3 * np.eye(4)[labels]
    assert logme(useful, labels) > logme(noise, labels) + 0.1


def test_logme_takes_float32_features_and_labels_that_do_not_start_at_zero():
    features, labels = data("tall")
    again = logme(features.astype(np.float32), labels * 2 + 1)
    assert again == pytest.approx(logme(features, labels), abs=1e-5)


def h_score_by_scikit_learn(features, labels):
    shrunk, amount = sklearn.covariance.ledoit_wolf(features)
    means = np.stack([features[labels == label].mean(axis=0) for label in labels])
    between = np.cov(means, rowvar=False, bias=True)
    return np.trace(np.linalg.solve(shrunk, (1 - amount) * between))


@pytest.mark.parametrize("name", [*SHAPES, "dependent"])
def test_the_h_score_is_that_of_scikit_learns_covariance(name):
    features, labels = data(name)
    expected = h_score_by_scikit_learn(features, labels)
    assert shrinkage_h_score(features, labels) == pytest.approx(expected, rel=1e-8)


def test_the_h_score_of_constant_features_is_zero():
    assert shrinkage_h_score(np.ones((6, 3)), np.array([0, 0, 0, 1, 1, 1])) == 0
