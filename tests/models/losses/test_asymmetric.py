"""The asymmetric loss, against the formula of the paper."""

import keras
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import tensorflow as tf

from tfxfer.models.losses.asymmetric import (
    asymmetric_loss,
    asymmetric_loss_and_slope,
    asymmetric_losses,
    mean_asymmetric_loss,
)


def of_the_paper(logits, labels):
    """Returns equation 7 with gamma+ 0, gamma- 4 and m 0.05, label by label; 0 where unknown."""
    found = np.zeros(logits.shape)
    for place in np.ndindex(logits.shape):
        p = scipy.special.expit(float(logits[place]))
        if labels[place] == 1:
            found[place] = -((1 - p) ** 0) * np.log(p)
        elif labels[place] == 0:
            p_m = max(p - 0.05, 0)
            found[place] = -(p_m**4) * np.log(1 - p_m)
    return found


@pytest.fixture
def told():
    """Logits of 30 examples of 4 labels, labels with unknown ones, and weights."""
    generator = np.random.default_rng(0)
    logits = generator.normal(scale=3, size=(30, 4)).astype("float32")
    labels = (generator.random((30, 4)) < 0.3).astype("float32")
    labels[generator.random((30, 4)) < 0.1] = np.nan
    weights = generator.gamma(1.0, size=(30, 4)).astype("float32")
    return logits, labels, weights / weights.mean()


def test_values_are_those_of_the_paper(told):
    logits, labels, weights = told
    expected = of_the_paper(logits, labels)
    assert asymmetric_losses(logits, labels, 0.0) == pytest.approx(expected, abs=1e-12)
    mean = mean_asymmetric_loss(logits, labels, 0.0, weights)
    assert mean == pytest.approx((weights * expected).mean())
    assert np.asarray(asymmetric_loss(0.0)(labels, logits)) == pytest.approx(expected, abs=1e-5)
    halves = (expected_of(1, logits) + expected_of(0, logits)) / 2
    soft = np.asarray(asymmetric_loss(0.0)(np.full(logits.shape, 0.5), logits))
    assert soft == pytest.approx(halves, abs=1e-5)


def expected_of(label, logits):
    return of_the_paper(logits, np.full(logits.shape, label))


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_the_gradient_is_the_numerical_one_and_that_of_keras(told, label_smoothing):
    logits, labels, weights = told

    def of(flat):
        return mean_asymmetric_loss(flat.reshape(30, 4), labels, label_smoothing, weights)

    loss, slope = asymmetric_loss_and_slope(logits, labels, label_smoothing, weights)
    assert loss == pytest.approx(of(logits.ravel()))
    expected = scipy.optimize.approx_fprime(logits.ravel().astype(float), of, 1e-7)
    assert slope.ravel() == pytest.approx(expected, abs=1e-6)
    assert (slope[np.isnan(labels)] == 0).all()
    given = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(given)
        losses = asymmetric_loss(label_smoothing)(labels, given)
        total = tf.reduce_mean(losses * weights)
    assert tape.gradient(total, given).numpy() == pytest.approx(slope, abs=1e-6)
    assert total.numpy() == pytest.approx(loss, rel=1e-5)


def test_extreme_logits_have_finite_losses_and_gradients():
    logits = np.array([[-90.0, 90.0, -90.0, 90.0]], np.float32)
    labels = np.array([[1, 0, 0, 1]], np.float32)
    loss, slope = asymmetric_loss_and_slope(logits, labels, 0.0)
    assert np.isfinite(loss)
    assert np.isfinite(slope).all()
    assert slope[0, 0] == pytest.approx(-0.25)
    given = keras.ops.convert_to_tensor(logits)
    assert np.isfinite(np.asarray(asymmetric_loss(0.0)(labels, given))).all()
