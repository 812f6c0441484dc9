"""The objective of several labels for each image."""

import keras
import numpy as np
import pytest
import sklearn.metrics

from tfxfer.models.objectives import Scores
from tfxfer.models.sigmoids import SIGMOIDS, label_accuracy, sigmoid


@pytest.fixture
def told():
    """Logits and labels of 30 examples and 4 labels, some of them unknown; and weights."""
    generator = np.random.default_rng(0)
    logits = generator.normal(scale=2, size=(30, 4)).astype("float32")
    labels = generator.integers(2, size=(30, 4)).astype("float32")
    labels[generator.random((30, 4)) < 0.2] = np.nan
    weights = generator.gamma(1.0, size=(30, 4))
    return logits, labels, (weights / weights.mean()).astype("float32")


def test_the_layer_that_is_saved_gives_what_the_function_of_arrays_gives(told):
    logits, _, _ = told
    layer = SIGMOIDS.activation()
    assert (layer.name, layer.compute_dtype) == ("probabilities", "float32")
    assert keras.ops.convert_to_numpy(layer(logits)) == pytest.approx(sigmoid(logits), abs=1e-6)
    assert SIGMOIDS.logits_of(sigmoid(logits)) == pytest.approx(logits, abs=1e-4)


def test_accuracy_is_one_minus_the_hamming_loss_of_what_is_known(told):
    logits, labels, _ = told
    known = np.nan_to_num(labels)
    expected = 1 - sklearn.metrics.hamming_loss(known, logits >= 0)
    assert label_accuracy(logits, known) == pytest.approx(expected)
    is_known = ~np.isnan(labels)
    right = (logits[is_known] >= 0) == (labels[is_known] == 1)
    assert label_accuracy(logits, labels) == pytest.approx(right.mean())
    hits = SIGMOIDS.hits(sigmoid(logits), known)
    assert hits.mean() == pytest.approx(expected)


def test_keras_counts_in_training_what_is_counted_on_validation(told):
    logits, labels, weights = told
    for some in (None, weights):
        metric = SIGMOIDS.keras_metric()
        for half in (slice(0, 10), slice(10, 30)):
            metric.update_state(labels[half], logits[half], None if some is None else some[half])
        assert metric.name == "accuracy"
        expected = SIGMOIDS.metric(logits, labels, some)
        assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


def test_keras_trains_what_the_solver_minimizes(told):
    logits, labels, weights = told
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    model.compile(loss=SIGMOIDS.loss(0.1), weighted_metrics=[SIGMOIDS.keras_metric()])
    found = model.evaluate(logits, labels, sample_weight=weights, batch_size=30, verbose=0)
    assert Scores(*found) == pytest.approx(SIGMOIDS.scores(logits, labels, 0.1, weights), rel=1e-5)
    loss, _ = SIGMOIDS.loss_and_slope(logits, labels, 0.1, weights)
    assert loss == pytest.approx(found[0], rel=1e-5)


def test_a_guess_has_the_loss_of_logits_of_zero(told):
    _, labels, _ = told
    guess = SIGMOIDS.scores(np.zeros((30, 4)), np.nan_to_num(labels), 0.0)
    assert SIGMOIDS.guess_loss(4) == pytest.approx(guess.loss)


def test_the_lower_validation_loss_is_better():
    assert SIGMOIDS.rank(0.1, 0.5) > SIGMOIDS.rank(0.2, 0.9)


def test_losses_of_examples_have_the_mean_loss_as_their_mean(told):
    logits, labels, _ = told
    losses = SIGMOIDS.losses(logits, labels, 0.1)
    assert losses.shape == (30,)
    assert losses.mean() == pytest.approx(SIGMOIDS.scores(logits, labels, 0.1).loss)
    of_labels = SIGMOIDS.probability_losses(sigmoid(logits), labels)
    assert of_labels.mean() == pytest.approx(SIGMOIDS.scores(logits, labels, 0.0).loss, rel=1e-5)


def test_labels_of_mixed_images_count_by_their_share(told):
    logits, labels, weights = told
    targets = np.where(np.isnan(labels), np.nan, np.random.default_rng(1).random(labels.shape))
    metric = SIGMOIDS.of_soft_targets().keras_metric()
    metric.update_state(targets.astype("float32"), logits, weights)
    is_known = ~np.isnan(targets)
    shares = np.where(logits >= 0, targets, 1 - targets)[is_known]
    assert float(metric.result()) == pytest.approx(np.average(shares, weights=weights[is_known]))
