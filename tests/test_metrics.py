import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from tfxfer.metrics import accuracy, cross_entropy, describe_scores, summarise


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
