"""Uncertainty weighting, against the formula of the paper."""

import keras
import numpy as np
import pytest
import scipy.optimize

from tfxfer.models.losses.grouped_cross_entropy import GroupedCrossEntropy
from tfxfer.models.tasks.uncertainty import uncertainty_weights, weighed_by_uncertainty

SIZES = (3, 2)
GUESSES = np.log(SIZES)


def test_weights_are_at_the_minimum_of_the_papers_sum():
    losses = np.array([0.8, 0.3])

    def total(logarithms):  # equation 10 of Kendall et al., of the logarithms of the variances
        return (losses * np.exp(-logarithms) + logarithms / 2).sum()

    best = scipy.optimize.minimize(total, np.zeros(2), tol=1e-12).x
    precisions = np.exp(-best)
    found = keras.ops.convert_to_numpy(uncertainty_weights(losses, GUESSES))
    assert found == pytest.approx(precisions / precisions.mean(), rel=1e-4)
    assert found.mean() == pytest.approx(1)


def test_a_task_without_error_does_not_take_all_the_weight():
    found = keras.ops.convert_to_numpy(uncertainty_weights([0.0, 0.5], GUESSES))
    assert found[0] / found[1] == pytest.approx(0.5 / (0.02 * GUESSES[0]), rel=1e-5)


@pytest.fixture
def view():
    inputs = keras.Input((5,))
    outputs = keras.layers.Dense(5, kernel_initializer="identity")(inputs)
    made = weighed_by_uncertainty(SIZES)(inputs, outputs)
    loss = GroupedCrossEntropy(SIZES).keras_loss(0.0)
    made.compile(optimizer=keras.optimizers.SGD(0.0), loss=loss)
    return made


def examples():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(8, 5)).astype("float32")
    labels = np.zeros((8, 5), np.float32)
    labels[np.arange(8), generator.integers(3, size=8)] = 1
    labels[np.arange(8), 3 + generator.integers(2, size=8)] = 1
    labels[:3, 3:] = np.nan
    return logits, labels


def test_the_loss_of_a_step_is_the_weighted_mean_of_those_of_the_tasks(view):
    logits, labels = examples()
    losses = GroupedCrossEntropy(SIZES).of_probabilities(
        np.concatenate(
            [
                keras.ops.convert_to_numpy(keras.ops.softmax(part))
                for part in (logits[:, :3], logits[:, 3:])
            ],
            axis=1,
        ),
        labels,
    )
    before = keras.ops.convert_to_numpy(view.running_losses)
    assert before == pytest.approx(GUESSES, rel=1e-6)
    found = view.train_on_batch(logits, labels)
    # Of the second task three labels are missing.
    running = 0.95 * GUESSES + 0.05 * losses.sum(axis=0) / [8, 5]
    assert keras.ops.convert_to_numpy(view.running_losses) == pytest.approx(running, rel=1e-5)
    weights = keras.ops.convert_to_numpy(uncertainty_weights(running, GUESSES))
    assert found == pytest.approx((weights * losses.sum(axis=0)).sum() / 2 / 8, rel=1e-5)


def test_a_task_without_labels_in_a_batch_keeps_its_running_loss(view):
    logits, labels = examples()
    labels[:, 3:] = np.nan
    view.train_on_batch(logits, labels)
    running = keras.ops.convert_to_numpy(view.running_losses)
    assert running[1] == pytest.approx(GUESSES[1], rel=1e-6)
    assert running[0] != pytest.approx(GUESSES[0], rel=1e-3)


def test_running_losses_are_part_of_a_checkpoint_but_not_trained(view):
    assert any(one is view.running_losses for one in view.variables)
    assert not any(one is view.running_losses for one in view.trainable_variables)


def test_sample_weights_count_in_the_loss(view):
    logits, labels = examples()
    weights = np.zeros((8, 5), np.float32)
    assert view.test_on_batch(logits, labels, sample_weight=weights) == 0
