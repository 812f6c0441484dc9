"""CORAL, against the formula of the paper."""

import keras
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import sklearn.metrics

from tfxfer.models.objectives import Scores
from tfxfer.models.ordinal.coral import CORAL, class_probabilities, is_above, logits_of


@pytest.fixture
def told():
    """Logits of 30 examples of 4 classes in an order, labels and sample weights."""
    generator = np.random.default_rng(0)
    score = generator.normal(scale=2, size=(30, 1))
    logits = (score + np.array([1.5, 0.2, -1.0])).astype("float32")
    weights = generator.gamma(1.0, size=30)
    labels = np.tile(np.arange(4), 8)[:30]
    return logits, labels, (weights / weights.mean()).astype("float32")


def of_the_paper(logits, labels):
    """Returns the loss of each example: equation 4 with all weights 1."""
    losses = np.zeros(len(labels))
    for k in range(logits.shape[1]):
        probability = scipy.special.expit(logits[:, k].astype(float))
        losses -= np.where(labels > k, np.log(probability), np.log(1 - probability))
    return losses


def test_losses_are_those_of_the_paper(told):
    logits, labels, weights = told
    expected = of_the_paper(logits, labels)
    assert CORAL.losses(logits, labels, 0.0) == pytest.approx(expected)
    assert CORAL.scores(logits, labels, 0.0).loss == pytest.approx(expected.mean())
    weighted = (weights * expected).mean()
    assert CORAL.scores(logits, labels, 0.0, weights).loss == pytest.approx(weighted, rel=1e-6)
    loss, _ = CORAL.loss_and_slope(logits, labels, 0.0, weights)
    assert loss == pytest.approx(weighted, rel=1e-5)
    probabilities = class_probabilities(logits)
    assert CORAL.probability_losses(probabilities, labels) == pytest.approx(expected, rel=1e-3)


def test_the_slope_is_the_numerical_gradient(told):
    logits, labels, weights = told

    def of(flat):
        return CORAL.mean_loss(flat.reshape(logits.shape), labels, 0.1, weights)

    _, slope = CORAL.loss_and_slope(logits, labels, 0.1, weights)
    expected = scipy.optimize.approx_fprime(logits.ravel().astype(float), of, 1e-6)
    assert slope.ravel() == pytest.approx(expected, abs=1e-6)


def test_keras_trains_what_the_solver_minimizes(told):
    logits, labels, weights = told
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    model.compile(loss=CORAL.loss(0.1), weighted_metrics=[CORAL.keras_metric()])
    found = model.evaluate(logits, labels, sample_weight=weights, batch_size=30, verbose=0)
    assert Scores(*found) == pytest.approx(CORAL.scores(logits, labels, 0.1, weights), rel=1e-5)
    soft = CORAL.of_soft_targets()
    model.compile(loss=soft.loss(0.1), weighted_metrics=[soft.keras_metric()])
    rows = np.eye(4, dtype="float32")[labels]
    again = model.evaluate(logits, rows, sample_weight=weights, batch_size=30, verbose=0)
    assert again == pytest.approx(found, rel=1e-5)


def test_probabilities_of_classes_are_differences_of_neighbors(told):
    logits, labels, _ = told
    found = class_probabilities(logits)
    above = scipy.special.expit(logits)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert found[:, 0] == pytest.approx(1 - above[:, 0], abs=1e-6)
    assert found[:, 1] == pytest.approx(above[:, 0] - above[:, 1], abs=1e-6)
    assert found[:, 3] == pytest.approx(above[:, 2], abs=1e-6)
    assert logits_of(found) == pytest.approx(logits, abs=1e-3)
    expected = sklearn.metrics.accuracy_score(labels, found.argmax(axis=1))
    assert CORAL.scores(logits, labels, 0.0).metric == pytest.approx(expected)


def test_the_layers_that_are_saved_give_what_the_function_of_arrays_gives(told, tmp_path):
    logits, _, _ = told
    # Neighbors in the wrong order, as may be while a head is trained.
    logits = np.concatenate([logits, [[0.0, 2.0, -1.0]]]).astype("float32")
    inputs = keras.Input((3,))
    keras.Model(inputs, CORAL.activation()(inputs)).save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    found = keras.ops.convert_to_numpy(model(logits))
    assert found == pytest.approx(CORAL.activate(logits), abs=1e-6)
    assert (found >= 0).all()


def test_targets_a_guess_and_the_rank():
    assert is_above([0, 1, 3], 3).tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 1]]
    guess = CORAL.scores(np.zeros((4, 3)), np.arange(4), 0.0)
    assert CORAL.guess_loss(3) == pytest.approx(guess.loss)
    assert CORAL.rank(0.1, 0.5) > CORAL.rank(0.2, 0.9)
