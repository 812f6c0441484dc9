import dataclasses

import keras
import numpy as np
import pytest
import scipy.optimize

from tfxfer.errors import UsageError
from tfxfer.evaluation.calibration import (
    apply_temperature,
    calibrate,
    calibrated_copy,
    calibration,
    describe_calibration,
    divide_logits,
    fit_temperature,
)
from tfxfer.evaluation.metrics import cross_entropy
from tfxfer.inference.given_images import prepared
from tfxfer.models.objectives import accuracy, softmax


def overconfident(temperature, num_examples=4000, num_classes=4, seed=0):
    """Returns probabilities that are right at a temperature, given at 1, and labels drawn so."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=2.0, size=(num_examples, num_classes))
    shares = softmax(logits)
    labels = np.array(
        [generator.choice(num_classes, p=row / row.sum()) for row in shares.astype("f8")]
    )
    return softmax(logits * temperature), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_hidden_in_the_data_is_found(temperature):
    probabilities, labels = overconfident(temperature)
    assert fit_temperature(probabilities, labels) == pytest.approx(temperature, rel=0.06)


def test_it_is_the_solution_of_an_independent_solver():
    probabilities, labels = overconfident(2.0, num_examples=300)
    logits = np.log(probabilities.astype(np.float64))

    def slope(beta):  # of the mean loss by the inverse temperature
        shares = np.exp(beta * logits)
        shares /= shares.sum(axis=1, keepdims=True)
        return np.mean((shares * logits).sum(axis=1) - logits[np.arange(300), labels])

    beta = scipy.optimize.brentq(slope, 1e-3, 100)
    assert fit_temperature(probabilities, labels) == pytest.approx(1 / beta, rel=1e-3)


def test_what_is_most_probable_stays_so_and_calibration_improves():
    probabilities, labels = overconfident(3.0)
    cooler = apply_temperature(probabilities, 3.0)
    assert accuracy(cooler, labels) == accuracy(probabilities, labels)
    assert cooler.sum(axis=1) == pytest.approx(1.0, abs=1e-6)
    assert cross_entropy(cooler, labels) < cross_entropy(probabilities, labels)
    found = calibrate(
        {"validation": probabilities[:2000], "test": probabilities[2000:]},
        {"validation": labels[:2000], "test": labels[2000:]},
    )
    error = calibration(probabilities[2000:], labels[2000:]).error
    assert found.errors["test"].error == error > 0.1
    assert found.errors["test"].error_at_temperature < 0.04
    text = describe_calibration(found, "test")
    after = found.errors["test"].error_at_temperature
    assert text.startswith(f"calibration error {error:.4f}")
    for fact in (f"{after:.4f} with --calibrate", f"temperature {found.temperature:g}"):
        assert fact in text
    applied = describe_calibration(dataclasses.replace(found, applied=True), "test")
    assert applied.startswith(f"calibration error {after:.4f}")
    for fact in (f"temperature {found.temperature:g}", f"{error:.4f} without"):
        assert fact in applied
    assert "--calibrate" not in applied


def test_where_all_is_right_temperature_scaling_does_not_help():
    probabilities = {"validation": np.array([[0.9, 0.1], [0.2, 0.8]])}
    found = calibrate(probabilities, {"validation": np.array([0, 1])})
    assert found.temperature == 1.0
    assert found.errors["validation"].error_at_temperature == pytest.approx(0.15)
    text = describe_calibration(found, "validation")
    assert text.startswith("calibration error 0.1500")
    assert "does not help" in text
    assert "--calibrate" not in text


def test_where_all_is_wrong_the_temperature_stays_within_bounds():
    assert fit_temperature([[0.9, 0.1], [0.2, 0.8]], [1, 0]) == pytest.approx(50, rel=0.01)


def test_a_head_of_several_layers_is_scaled_by_its_last():
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(5, "relu")(inputs)
    head = keras.Model(inputs, keras.layers.Dense(2, bias_initializer="ones")(hidden))
    features = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    before = np.asarray(head(features))
    divide_logits(head, 4.0)
    assert np.asarray(head(features)) == pytest.approx(before / 4, rel=1e-6)


def test_a_copy_of_a_classifier_gives_calibrated_probabilities(trained, paths):
    before = trained.predict(paths)
    copy = calibrated_copy(trained.model, 2.5)
    images = np.stack([prepared(path, trained.frame) for path in paths])
    assert np.asarray(copy(images)) == pytest.approx(apply_temperature(before, 2.5), abs=1e-6)
    assert trained.predict(paths) == pytest.approx(before, abs=1e-7)
    inputs = keras.Input((3,))
    with pytest.raises(UsageError, match="tfxfer built .*calibrated"):
        calibrated_copy(keras.Model(inputs, keras.layers.Dense(2)(inputs)), 2.0)
