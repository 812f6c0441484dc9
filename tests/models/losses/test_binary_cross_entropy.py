"""Binary cross-entropy of several labels, against independent formulas."""

import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from tfxfer.models.losses.binary_cross_entropy import (
    binary_cross_entropies,
    binary_cross_entropy,
    binary_cross_entropy_and_slope,
    label_losses,
    mean_binary_cross_entropy,
)


@pytest.fixture
def told():
    """Logits and labels of 20 examples and 3 labels, a fifth of them unknown; and weights."""
    generator = np.random.default_rng(0)
    logits = generator.normal(scale=3, size=(20, 3)).astype("float32")
    labels = generator.integers(2, size=(20, 3)).astype("float32")
    labels[generator.random((20, 3)) < 0.2] = np.nan
    weights = generator.gamma(1.0, size=(20, 3))
    return logits, labels, (weights / weights.mean()).astype("float32")


def by_hand(logit, label, label_smoothing):
    """Returns -(y log p + (1 - y) log(1 - p)), as textbooks and PyTorch's documentation have it."""
    p = 1 / (1 + np.exp(-float(logit)))
    y = label * (1 - label_smoothing) + label_smoothing / 2
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_all_forms_are_the_formula(told, label_smoothing):
    logits, labels, weights = told
    expected = np.zeros(labels.shape)
    for place in np.ndindex(*labels.shape):
        if not np.isnan(labels[place]):
            expected[place] = by_hand(logits[place], labels[place], label_smoothing)
    assert binary_cross_entropies(logits, labels, label_smoothing) == pytest.approx(expected)
    keras_loss = binary_cross_entropy(label_smoothing)(labels, logits)
    assert keras.ops.convert_to_numpy(keras_loss) == pytest.approx(expected, rel=1e-5, abs=1e-6)
    mean = mean_binary_cross_entropy(logits, labels, label_smoothing, weights)
    assert mean == pytest.approx((weights * expected).sum() / expected.size, rel=1e-6)
    loss, _ = binary_cross_entropy_and_slope(logits, labels, label_smoothing, weights)
    assert loss == pytest.approx(mean, rel=1e-5)


def test_of_known_labels_the_mean_is_the_log_loss_of_scikit_learn(told):
    logits, labels, _ = told
    labels = np.nan_to_num(labels)
    p = 1 / (1 + np.exp(-logits.astype(float)))
    theirs = [sklearn.metrics.log_loss(labels[:, i], p[:, i]) for i in range(3)]
    assert mean_binary_cross_entropy(logits, labels, 0.0) == pytest.approx(np.mean(theirs))
    assert label_losses(p, labels).mean() == pytest.approx(np.mean(theirs))


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_the_slope_is_the_gradient_that_keras_sends(told, label_smoothing):
    logits, labels, weights = told
    for some in (None, weights):
        _, slope = binary_cross_entropy_and_slope(logits, labels, label_smoothing, some)
        at = tf.constant(logits)
        with tf.GradientTape() as tape:
            tape.watch(at)
            losses = binary_cross_entropy(label_smoothing)(labels, at)
            mean = tf.reduce_mean(losses * (1.0 if some is None else some))
        assert slope == pytest.approx(tape.gradient(mean, at).numpy(), rel=1e-4, abs=1e-7)


def test_an_unknown_label_changes_nothing_in_the_gradient_of_the_others(told):
    logits, labels, _ = told
    known = np.nan_to_num(labels)
    gradients = []
    for some in (known, labels):
        at = tf.constant(logits)
        with tf.GradientTape() as tape:
            tape.watch(at)
            mean = tf.reduce_mean(binary_cross_entropy(0.0)(some, at))
        gradients.append(tape.gradient(mean, at).numpy())
    unknown = np.isnan(labels)
    np.testing.assert_array_equal(gradients[0][~unknown], gradients[1][~unknown])
    assert not gradients[1][unknown].any()


def test_nothing_overflows():
    logits = np.array([[1000.0, -1000.0, 1000.0, -1000.0]], "float32")
    labels = np.array([[1, 0, 0, 1]], "float32")
    expected = np.array([[0, 0, 1000, 1000]])
    assert binary_cross_entropies(logits, labels, 0.0) == pytest.approx(expected)
    loss, slope = binary_cross_entropy_and_slope(logits, labels, 0.0)
    assert (loss, slope.tolist()) == (500.0, [[0, 0, 0.25, -0.25]])
    assert np.isfinite(label_losses([[1.0, 0.0]], [[0, 1]])).all()
