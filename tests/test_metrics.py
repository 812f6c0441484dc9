import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from tfxfer.metrics import (
    accuracy,
    cross_entropy,
    describe_scores,
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
    assert list(summary) == ["accuracy", "loss", "num_examples"]


def test_scores_are_said_for_the_splits_that_there_are():
    scores = {"validation": {"accuracy": 0.5, "num_examples": 1200}, "seconds": {}}
    assert describe_scores(scores) == ["validation accuracy 0.5000 (1,200 images)"]
    both = scores | {"test": {"accuracy": 0.25, "num_examples": 4}}
    assert describe_scores(both)[0] == "test accuracy 0.2500 (4 images)"


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
