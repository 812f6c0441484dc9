import keras
import numpy as np
import pytest

import tfxfer.models.losses.cross_entropy as losses
from tfxfer.evaluation.metrics import cross_entropy
from tfxfer.models.losses.cross_entropy import (
    mean_smoothed_cross_entropy,
    smoothed_cross_entropies,
    smoothed_cross_entropy,
    smoothed_cross_entropy_and_slope,
    soft_cross_entropy,
)
from tfxfer.models.objectives import accuracy, softmax


def test_label_smoothing_follows_its_formula_and_sends_gradients_of_it():
    logits = np.array([[2.0, 0.5, -1.0], [0.0, 0.0, 3.0]], "float32")
    labels = np.array([0, 1])
    dense = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.1, reduction=None
    )
    expected = keras.ops.convert_to_numpy(dense(np.eye(3)[labels], logits))
    for shape in ((2,), (2, 1)):
        loss = smoothed_cross_entropy(0.1)(labels.reshape(shape), logits)
        assert keras.ops.convert_to_numpy(loss) == pytest.approx(expected, rel=1e-5)


def test_the_loss_of_a_soft_target_is_that_of_keras_and_of_its_classes_by_share():
    draws = np.random.default_rng(0)
    logits = draws.normal(size=(5, 3)).astype("float32")
    targets = draws.dirichlet(np.ones(3), size=5).astype("float32")
    found = keras.ops.convert_to_numpy(soft_cross_entropy(0.1)(targets, logits))
    dense = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.1, reduction=None
    )
    assert found == pytest.approx(keras.ops.convert_to_numpy(dense(targets, logits)), rel=1e-5)
    of_class = [smoothed_cross_entropy(0.1)(np.full(5, one), logits) for one in range(3)]
    of_class = np.stack([keras.ops.convert_to_numpy(losses) for losses in of_class], axis=1)
    assert found == pytest.approx((targets * of_class).sum(axis=1), rel=1e-5)


def test_an_example_of_weight_two_counts_as_two(predictions):
    probabilities, labels = predictions
    weights = np.arange(37) % 3  # 0, 1 and 2
    copies = np.repeat(np.arange(37), weights)
    logits = np.log(probabilities)
    assert accuracy(probabilities, labels, weights) == pytest.approx(
        accuracy(probabilities[copies], labels[copies])
    )
    assert mean_smoothed_cross_entropy(logits, labels, 0.1, weights) == pytest.approx(
        mean_smoothed_cross_entropy(logits[copies], labels[copies], 0.1)
    )


def test_the_loss_of_each_example_is_that_of_keras_and_their_mean_is_the_mean(predictions):
    probabilities, labels = predictions
    logits = np.log(probabilities)
    dense = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.1, reduction=None
    )
    expected = keras.ops.convert_to_numpy(dense(np.eye(5)[labels], logits))
    found = smoothed_cross_entropies(logits, labels, 0.1)
    assert found == pytest.approx(expected, rel=1e-5)
    assert found.mean() == pytest.approx(
        mean_smoothed_cross_entropy(logits, labels, 0.1), rel=1e-12
    )


def test_weights_of_one_are_no_weights(predictions):
    probabilities, labels = predictions
    ones, logits = np.ones(37, "float32"), np.log(probabilities)
    assert accuracy(probabilities, labels, ones) == accuracy(probabilities, labels)
    with_ones = mean_smoothed_cross_entropy(logits, labels, 0.1, ones)
    assert with_ones == pytest.approx(mean_smoothed_cross_entropy(logits, labels, 0.1), rel=1e-15)


def test_the_loss_of_logits_is_that_of_their_probabilities(predictions):
    probabilities, labels = predictions
    logits = np.log(probabilities) + 1000  # which no exponential of a float32 holds
    assert softmax(logits) == pytest.approx(probabilities, rel=1e-3)
    expected = cross_entropy(probabilities, labels)
    assert mean_smoothed_cross_entropy(logits, labels, 0.0) == pytest.approx(expected)


def test_smoothed_labels_are_a_mixture_with_the_even_distribution(predictions):
    probabilities, labels = predictions
    targets = 0.9 * np.eye(5)[labels] + 0.1 / 5
    expected = -(targets * np.log(probabilities)).sum(axis=1).mean()
    found = mean_smoothed_cross_entropy(np.log(probabilities), labels, 0.1)
    assert found == pytest.approx(expected)


def test_blocks_of_rows_change_no_number(monkeypatch, predictions):
    probabilities, labels = predictions
    logits = np.log(probabilities).astype(np.float32)
    weights = np.linspace(0, 2, 37)

    def numbers():
        return (
            softmax(logits).tobytes(),
            mean_smoothed_cross_entropy(logits, labels, 0.0),
            mean_smoothed_cross_entropy(logits, labels, 0.1),
            mean_smoothed_cross_entropy(logits, labels, 0.1, weights),
        )

    whole = numbers()
    monkeypatch.setattr(losses, "_BLOCK", 17)  # three rows of five
    assert [block.stop for block in losses.row_blocks(logits)][:2] == [3, 6]
    assert numbers() == whole
    # As it was when all was worked on at once.
    rows = logits.astype(np.float64)
    rows = rows - rows.max(axis=1, keepdims=True)
    logarithms = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    chosen = logarithms[np.arange(37), labels]
    assert whole[2] == -(0.9 * chosen.mean() + 0.1 * logarithms.mean())


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_the_slope_of_the_weighted_loss_is_that_of_differences(label_smoothing):
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4, 3)).astype("float32")
    labels = np.array([0, 2, 1, 1])
    weights = np.array([0.0, 1.0, 2.0, 5.0], "float32") / 2
    loss, slope = smoothed_cross_entropy_and_slope(logits, labels, label_smoothing, weights)

    def expected(logits):
        targets = (1 - label_smoothing) * np.eye(3)[labels] + label_smoothing / 3
        logarithms = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        weights = np.array([0.0, 1.0, 2.0, 5.0]) / 2
        return float(-(weights[:, None] * targets * logarithms).sum() / 4)

    assert loss == pytest.approx(expected(logits.astype("float64")), rel=1e-6)
    for place in np.ndindex(4, 3):
        step = np.zeros((4, 3))
        step[place] = 1e-6
        difference = expected(logits + step) - expected(logits - step)
        assert slope[place] == pytest.approx(difference / 2e-6, abs=1e-6)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_the_three_forms_of_the_loss_agree(label_smoothing, is_weighted, predictions):
    probabilities, labels = predictions
    logits = np.log(probabilities).astype("float32")
    weights = np.linspace(0, 2, 37, dtype="float32") if is_weighted else None  # mean 1
    exact = mean_smoothed_cross_entropy(logits, labels, label_smoothing, weights)
    quick, slope = smoothed_cross_entropy_and_slope(logits, labels, label_smoothing, weights)
    each = keras.ops.convert_to_numpy(smoothed_cross_entropy(label_smoothing)(labels, logits))
    assert quick == pytest.approx(exact, rel=1e-6)
    assert np.average(each, weights=weights) == pytest.approx(exact, rel=1e-6)
    # What the classes win from each other cancels.
    assert slope.sum(axis=1) == pytest.approx(np.zeros(37), abs=1e-6)
