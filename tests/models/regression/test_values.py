"""The objective of a number: what is trained, and what the saved model gives."""

import keras
import numpy as np
import pytest
import scipy.optimize
import sklearn.metrics

from tfxfer.models.losses.huber import huber
from tfxfer.models.regression.values import values


@pytest.fixture
def told():
    """Standardized outputs for 30 numbers, the numbers and sample weights."""
    generator = np.random.default_rng(0)
    numbers = generator.lognormal(3, 1, size=30)
    weights = generator.gamma(1.0, size=30)
    outputs = generator.normal(size=(30, 1)).astype("float32")
    return outputs, numbers, (weights / weights.mean()).astype("float32")


def made(numbers):
    median = np.median(numbers)
    spread = np.abs(numbers - median).mean()
    return values(float(numbers.mean()), float(numbers.std()), float(spread))


def test_losses_are_those_of_standardized_numbers(told):
    outputs, numbers, weights = told
    objective = made(numbers)
    errors = outputs[:, 0] - (numbers - numbers.mean()) / numbers.std()
    assert objective.losses(outputs, numbers, 0.0) == pytest.approx(huber(errors))
    loss, slope = objective.loss_and_slope(outputs, numbers, 0.0, weights)
    assert loss == pytest.approx((weights * huber(errors)).mean())
    assert loss == pytest.approx(objective.scores(outputs, numbers, 0.0, weights).loss)

    def of(flat):
        return objective.mean_loss(flat[:, None], numbers, 0.0, weights)

    expected = scipy.optimize.approx_fprime(outputs[:, 0].astype(float), of, 1e-6)
    assert slope[:, 0] == pytest.approx(expected, abs=1e-5)
    found = objective.activate(outputs)
    assert objective.probability_losses(found, numbers) == pytest.approx(huber(errors), abs=1e-5)


def test_the_metric_ranks_by_the_mean_absolute_error(told):
    outputs, numbers, weights = told
    objective = made(numbers)
    predicted = objective.activate(outputs)[:, 0]
    error = sklearn.metrics.mean_absolute_error(numbers, predicted)
    baseline = sklearn.metrics.mean_absolute_error(numbers, np.full(30, np.median(numbers)))
    metric = objective.metric(outputs, numbers, None)
    assert metric == pytest.approx(1 - error / baseline, rel=1e-5)
    assert objective.hits(predicted[:, None], numbers).mean() == pytest.approx(metric, rel=1e-5)
    assert objective.shown(metric) == f"{error:#.4g}"
    assert objective.rank(9.0, 0.5) > objective.rank(0.1, 0.4)  # whatever the loss
    assert objective.rank_by.startswith("val_mae")
    assert objective.rank(0.1, 0.5) > objective.rank(0.2, 0.5)
    weighted = objective.metric(outputs, numbers, weights)
    error = sklearn.metrics.mean_absolute_error(numbers, predicted, sample_weight=weights)
    assert weighted == pytest.approx(1 - error / baseline, rel=1e-5)
    assert objective.confidences(predicted, numbers)[0].shape == (0,)


def test_keras_trains_what_is_evaluated(told):
    outputs, numbers, weights = told
    objective = made(numbers)
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    metric = objective.keras_metric()
    model.compile(loss=objective.loss(0.0), weighted_metrics=[metric])
    loss, found = model.evaluate(outputs, numbers, sample_weight=weights, verbose=0)
    assert loss == pytest.approx(objective.mean_loss(outputs, numbers, 0.0, weights), rel=1e-5)
    assert found == pytest.approx(objective.metric(outputs, numbers, weights), rel=1e-4)


def test_the_saved_layer_gives_the_unit_of_the_user(told):
    outputs, numbers, _ = told
    objective = made(numbers)
    layer = objective.activation()
    found = np.asarray(layer(outputs))
    assert found == pytest.approx(numbers.mean() + numbers.std() * outputs, rel=1e-5)
    np.testing.assert_array_equal(found, objective.activate(outputs))
    assert objective.logits_of(found) == pytest.approx(outputs, abs=1e-5)
    assert (layer.name, layer.dtype) == ("value", "float32")
