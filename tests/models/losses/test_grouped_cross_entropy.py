"""The cross-entropy of several tasks, against scikit-learn's and numerical gradients."""

import keras
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import sklearn.metrics

from tfxfer.models.losses.grouped_cross_entropy import GroupedCrossEntropy

SIZES = (3, 2, 4)


@pytest.fixture
def told():
    """Logits and labels of 20 examples, of which some are missing, and sample weights."""
    generator = np.random.default_rng(0)
    logits = generator.normal(scale=2, size=(20, 9)).astype("float32")
    labels = np.zeros((20, 9), np.float32)
    for group in GroupedCrossEntropy(SIZES).groups:
        classes = generator.integers(group.stop - group.start, size=20)
        labels[np.arange(20), group.start + classes] = 1
        labels[generator.random(20) < 0.2, group] = np.nan
    weights = np.repeat(generator.gamma(1.0, size=(20, 1)), 9, axis=1)
    return logits, labels, (weights / weights.mean()).astype("float32")


def expected_mean(logits, labels, weights, factors):
    """Returns the mean by scikit-learn, task by task."""
    total = 0.0
    for group, factor in zip(GroupedCrossEntropy(SIZES).groups, factors):
        known = ~np.isnan(labels[:, group]).any(axis=1)
        own = scipy.special.softmax(logits[known, group].astype(float), axis=1)
        classes = labels[known, group].argmax(axis=1)
        loss = sklearn.metrics.log_loss(
            classes,
            own,
            labels=range(own.shape[1]),
            normalize=False,
            sample_weight=weights[known, 0].astype(float),
        )
        total += factor * loss
    return total / (len(logits) * len(SIZES))


@pytest.mark.parametrize("factors", [None, (1.5, 0.5, 1.0)])
def test_all_forms_are_the_mean_of_the_log_losses(told, factors):
    logits, labels, weights = told
    loss = GroupedCrossEntropy(SIZES, factors)
    expected = expected_mean(logits, labels, weights, factors or (1, 1, 1))
    assert loss.mean(logits, labels, 0.0, weights) == pytest.approx(expected)
    found, _ = loss.mean_and_slope(logits, labels, 0.0, weights)
    assert found == pytest.approx(expected, rel=1e-5)
    of_outputs = keras.ops.convert_to_numpy(loss.keras_loss(0.0)(labels, logits))
    assert (of_outputs * weights).mean() == pytest.approx(expected, rel=1e-5)
    plain = loss.of_examples(logits, labels, 0.0)
    assert plain.mean() == pytest.approx(loss.mean(logits, labels, 0.0))


def test_the_slope_is_the_numerical_gradient(told):
    logits, labels, weights = told
    loss = GroupedCrossEntropy(SIZES, (1.5, 0.5, 1.0))

    def of(flat):
        return loss.mean(flat.reshape(logits.shape), labels, 0.1, weights)

    _, slope = loss.mean_and_slope(logits, labels, 0.1, weights)
    expected = scipy.optimize.approx_fprime(logits.ravel().astype(float), of, 1e-6)
    assert slope.ravel() == pytest.approx(expected, abs=1e-6)
    of_outputs = keras.ops.convert_to_numpy(loss.keras_loss(0.1)(labels, logits))
    mean = loss.mean(logits, labels, 0.1, weights)
    assert (of_outputs * weights).mean() == pytest.approx(mean, rel=1e-5)


def test_a_missing_label_changes_nothing_in_the_gradient_of_the_others(told):
    logits, labels, _ = told
    loss = GroupedCrossEntropy(SIZES)
    labels = np.nan_to_num(labels)
    _, before = loss.mean_and_slope(logits, labels, 0.1)
    fewer = labels.copy()
    fewer[7, 3:5] = np.nan
    _, after = loss.mean_and_slope(logits, fewer, 0.1)
    assert (after[7, 3:5] == 0).all()
    after[7, 3:5] = before[7, 3:5]
    np.testing.assert_array_equal(after, before)


def test_losses_of_probabilities_are_those_of_each_task(told):
    logits, labels, _ = told
    loss = GroupedCrossEntropy(SIZES)
    own = [scipy.special.softmax(logits[:, group], axis=1) for group in loss.groups]
    found = loss.of_probabilities(np.concatenate(own, axis=1), labels)
    assert found.shape == (20, 3)
    assert found.mean() == pytest.approx(loss.mean(logits, labels, 0.0), rel=1e-5)
    assert (found[np.isnan(labels[:, [0, 3, 5]])] == 0).all()
