import keras
import numpy as np
import pytest

from tfxfer.models.objectives import SOFTMAX, Scores, accuracy, is_right, softmax


def logits_and_labels():
    generator = np.random.default_rng(0)
    return generator.normal(size=(11, 4)).astype("float32"), generator.integers(4, size=11)


def test_of_equal_probabilities_the_first_class_wins():
    assert accuracy([[0.5, 0.5], [0.5, 0.5]], [0, 1]) == 0.5
    assert is_right([[0.5, 0.5], [0.5, 0.5]], [0, 1]).tolist() == [True, False]


def test_weighted_objectives_equal_those_of_repeated_examples():
    logits = np.random.default_rng(0).normal(size=(6, 3))
    labels, weights = np.array([0, 1, 2, 2, 1, 0]), np.array([1, 2, 0, 1, 3, 1])
    copies = np.repeat(np.arange(6), weights)
    expected = SOFTMAX.scores(logits[copies], labels[copies], 0.1)
    assert SOFTMAX.scores(logits, labels, 0.1, weights) == pytest.approx(expected)


def test_higher_validation_accuracy_is_better_and_then_lower_loss():
    assert SOFTMAX.rank(9.0, 0.6) > SOFTMAX.rank(1.0, 0.5)
    assert SOFTMAX.rank(1.0, 0.5) > SOFTMAX.rank(2.0, 0.5)
    assert not SOFTMAX.rank(1.0, 0.5) > SOFTMAX.rank(1.0, 0.5)


def test_the_layer_that_is_saved_gives_what_the_function_of_arrays_gives():
    logits, _ = logits_and_labels()
    layer = SOFTMAX.activation()
    assert (layer.name, layer.compute_dtype) == ("probabilities", "float32")
    assert keras.ops.convert_to_numpy(layer(logits)) == pytest.approx(softmax(logits), abs=1e-6)
    assert SOFTMAX.activate(logits).sum(axis=1) == pytest.approx(np.ones(11), abs=1e-6)


def test_keras_counts_in_training_what_is_counted_on_validation():
    logits, labels = logits_and_labels()
    weights = np.arange(11, dtype="float32")
    metric = SOFTMAX.keras_metric()
    metric.update_state(labels, logits, weights)
    assert metric.name == "accuracy"
    assert float(metric.result()) == pytest.approx(SOFTMAX.metric(logits, labels, weights))
    losses = keras.ops.convert_to_numpy(SOFTMAX.loss(0.1)(labels, logits))
    scores = SOFTMAX.scores(logits, labels, 0.1)
    assert scores == pytest.approx(Scores(losses.mean(), accuracy(logits, labels)), rel=1e-6)


def test_soft_targets_count_by_what_the_predicted_class_has_of_them():
    logits, labels = logits_and_labels()
    weights = np.arange(11, dtype="float32")
    targets = np.random.default_rng(1).dirichlet(np.ones(4), size=11).astype("float32")
    soft = SOFTMAX.of_soft_targets()
    metric = soft.keras_metric()
    metric.update_state(targets, logits, weights)
    shares = targets[np.arange(11), logits.argmax(axis=1)]
    assert metric.name == "accuracy"
    assert float(metric.result()) == pytest.approx(np.average(shares, weights=weights))
    # A target that is one class alone is a label.
    metric.reset_state()
    metric.update_state(np.eye(4, dtype="float32")[labels], logits, weights)
    assert float(metric.result()) == pytest.approx(SOFTMAX.metric(logits, labels, weights))
    losses = keras.ops.convert_to_numpy(soft.loss(0.1)(np.eye(4)[labels], logits))
    expected = keras.ops.convert_to_numpy(SOFTMAX.loss(0.1)(labels, logits))
    assert losses == pytest.approx(expected, rel=1e-5)


def test_a_guess_has_the_loss_of_logits_that_are_all_the_same():
    labels = np.arange(6) % 3
    assert SOFTMAX.guess_loss(3) == pytest.approx(SOFTMAX.scores(np.zeros((6, 3)), labels, 0.0)[0])
