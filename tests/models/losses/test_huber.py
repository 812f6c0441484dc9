"""The Huber loss, against SciPy's and Keras' own."""

import keras
import numpy as np
import pytest
import scipy.optimize
import scipy.special

from tfxfer.models.losses.huber import huber, huber_slope, keras_huber

ERRORS = np.array([-3.0, -1.0, -0.4, 0.0, 0.9, 1.0, 7.0])


def test_the_loss_is_that_of_scipy():
    assert huber(ERRORS) == pytest.approx(scipy.special.huber(1.0, ERRORS))


def test_the_slope_is_the_numerical_gradient():
    inside = np.array([-3.0, -0.4, 0.2, 7.0])
    found = scipy.optimize.approx_fprime(inside, lambda x: huber(x).sum(), 1e-7)
    assert huber_slope(inside) == pytest.approx(found, abs=1e-5)


def test_keras_computes_the_same_of_numbers_in_the_unit_of_the_user():
    numbers, outputs = 50 + 10 * ERRORS, np.zeros((len(ERRORS), 1), np.float32)
    found = keras_huber(50.0, 10.0)(numbers, outputs)
    assert np.asarray(found) == pytest.approx(huber(ERRORS), abs=1e-5)
    reference = keras.losses.huber((numbers[:, None] - 50) / 10, outputs)
    assert np.asarray(found) == pytest.approx(np.asarray(reference), abs=1e-5)
