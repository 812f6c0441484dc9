import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, recall_score

from tfxfer.metrics import (
    accuracy,
    balanced_accuracy,
    cross_entropy,
    describe_scores,
    has_uneven_classes,
    judging_split,
    smoothed_cross_entropy,
    softmax,
    summarise,
)


@pytest.fixture
def predictions():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(5), size=37)
    return probabilities, generator.integers(5, size=37)


def test_accuracy_and_loss_equal_scikit_learns(predictions):
    probabilities, labels = predictions
    assert accuracy(probabilities, labels) == accuracy_score(labels, probabilities.argmax(axis=1))
    assert cross_entropy(probabilities, labels) == pytest.approx(
        log_loss(labels, probabilities, labels=range(5)), rel=1e-12
    )


def test_of_equal_probabilities_the_first_class_wins():
    assert accuracy([[0.5, 0.5], [0.5, 0.5]], [0, 1]) == 0.5


def test_a_probability_of_zero_costs_a_finite_loss():
    assert cross_entropy([[1.0, 0.0]], [1]) == pytest.approx(-np.log(2.0**-126))


def test_the_summary_has_what_metrics_json_promises(predictions):
    summary = summarise(*predictions)
    assert summary["num_examples"] == 37
    assert list(summary) == [
        "accuracy",
        "balanced_accuracy",
        "loss",
        "num_examples",
        "uneven_classes",
    ]


def test_scores_are_said_for_the_splits_that_there_are():
    even = {"accuracy": 0.5, "balanced_accuracy": 0.51, "uneven_classes": False}
    scores = {"validation": even | {"num_examples": 1200}, "seconds": {}}
    assert describe_scores(scores) == ["validation accuracy 0.5000 (1,200 images)"]
    both = scores | {"test": even | {"accuracy": 0.25, "num_examples": 4}}
    assert describe_scores(both)[0] == "test accuracy 0.2500 (4 images)"


def test_the_balanced_accuracy_is_said_where_classes_are_uneven():
    # Of nine and three images all of the first class are right, and one of the other.
    labels = [0] * 9 + [1] * 3
    found = np.eye(2)[[0] * 9 + [1, 0, 0]]
    scores = {"test": summarise(found, labels)}
    assert scores["test"]["accuracy"] == pytest.approx(10 / 12)
    assert scores["test"]["balanced_accuracy"] == pytest.approx((1 + 1 / 3) / 2)
    assert describe_scores(scores) == ["test accuracy 0.8333, balanced 0.6667 (12 images)"]


def test_the_balanced_accuracy_is_the_mean_recall_of_the_classes_that_occur(predictions):
    probabilities, labels = predictions
    found = balanced_accuracy(probabilities, labels)
    assert found == pytest.approx(balanced_accuracy_score(labels, probabilities.argmax(axis=1)))
    seen = labels != 2
    recalls = recall_score(
        labels[seen], probabilities[seen].argmax(axis=1), labels=[0, 1, 3, 4], average=None
    )
    assert balanced_accuracy(probabilities[seen], labels[seen]) == pytest.approx(recalls.mean())


@pytest.mark.parametrize(
    ("counts", "uneven"),
    [((10, 15), False), ((10, 16), True), ((1, 2), False), ((1, 3), True), ((4, 0, 4), False)],
)
def test_classes_are_uneven_where_one_has_over_half_as_many_examples_again(counts, uneven):
    assert has_uneven_classes(np.repeat(np.arange(len(counts)), counts)) == uneven


def test_an_example_of_weight_two_counts_as_two(predictions):
    probabilities, labels = predictions
    weights = np.arange(37) % 3  # 0, 1 and 2
    copies = np.repeat(np.arange(37), weights)
    logits = np.log(probabilities)
    assert accuracy(probabilities, labels, weights) == pytest.approx(
        accuracy(probabilities[copies], labels[copies])
    )
    assert smoothed_cross_entropy(logits, labels, 0.1, weights) == pytest.approx(
        smoothed_cross_entropy(logits[copies], labels[copies], 0.1)
    )


def test_weights_of_one_are_no_weights(predictions):
    probabilities, labels = predictions
    ones, logits = np.ones(37, "float32"), np.log(probabilities)
    assert accuracy(probabilities, labels, ones) == accuracy(probabilities, labels)
    with_ones = smoothed_cross_entropy(logits, labels, 0.1, ones)
    assert with_ones == pytest.approx(smoothed_cross_entropy(logits, labels, 0.1), rel=1e-15)


def test_the_loss_of_logits_is_that_of_their_probabilities(predictions):
    probabilities, labels = predictions
    logits = np.log(probabilities) + 1000  # which no exponential of a float32 holds
    assert softmax(logits) == pytest.approx(probabilities, rel=1e-3)
    expected = cross_entropy(probabilities, labels)
    assert smoothed_cross_entropy(logits, labels, 0.0) == pytest.approx(expected)


def test_smoothed_labels_are_a_mixture_with_the_even_distribution(predictions):
    probabilities, labels = predictions
    targets = 0.9 * np.eye(5)[labels] + 0.1 / 5
    expected = -(targets * np.log(probabilities)).sum(axis=1).mean()
    found = smoothed_cross_entropy(np.log(probabilities), labels, 0.1)
    assert found == pytest.approx(expected)


def test_the_test_split_judges_where_there_is_one():
    scores = {"validation": {"accuracy": 0.9}, "test": {"accuracy": 0.8}}
    assert judging_split(scores) == "test"
    assert judging_split({"validation": {"accuracy": 0.9}}) == "validation"
