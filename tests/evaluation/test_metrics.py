import dataclasses

import numpy as np
import pytest
import sklearn.metrics
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    recall_score,
    top_k_accuracy_score,
)

from tfxfer.evaluation.calibration import calibration
from tfxfer.evaluation.confusion import Confusion
from tfxfer.evaluation.metrics import (
    ClassScores,
    balanced_accuracy,
    cross_entropy,
    describe_gap,
    describe_scores,
    in_top_k,
    is_imbalanced,
    summarize,
)
from tfxfer.models.losses import cross_entropy as losses
from tfxfer.models.objectives import accuracy
from tfxfer.runs.scores.summary import Summary


def class_scores(pairs):
    return ClassScores.from_counts(pairs.num_correct, pairs.num_predicted, pairs.support)


def test_accuracy_and_loss_equal_scikit_learns(predictions):
    probabilities, labels = predictions
    assert accuracy(probabilities, labels) == accuracy_score(labels, probabilities.argmax(axis=1))
    assert cross_entropy(probabilities, labels) == pytest.approx(
        log_loss(labels, probabilities, labels=range(5)), rel=1e-12
    )


def test_a_probability_of_zero_costs_a_finite_loss():
    assert cross_entropy([[1.0, 0.0]], [1]) == pytest.approx(-np.log(2.0**-126))


def test_the_summary_has_what_metrics_json_promises(predictions):
    summary = summarize(*predictions)
    assert summary.num_examples == 37
    known = {name for name, value in dataclasses.asdict(summary).items() if value is not None}
    assert known == {
        "accuracy",
        "balanced_accuracy",
        "loss",
        "num_examples",
        "uneven_classes",
    }


def test_scores_are_described_for_each_split_that_exists():
    balanced = {"accuracy": 0.5, "balanced_accuracy": 0.51, "uneven_classes": False}
    scores = {"validation": Summary(**balanced | {"num_examples": 1200})}
    (line,) = describe_scores(scores)
    assert line.startswith("validation accuracy 0.5000")
    assert "600 of 1,200" in line
    assert "balanced" not in line
    both = scores | {"test": Summary(**balanced | {"accuracy": 0.25, "num_examples": 4})}
    test, validation = describe_scores(both)
    assert test.startswith("test accuracy 0.2500")
    assert "1 of 4" in test
    assert validation == line


def test_the_balanced_accuracy_is_described_where_classes_are_imbalanced():
    # Of nine and three images all of the first class are right, and one of the other.
    labels = [0] * 9 + [1] * 3
    found = np.eye(2)[[0] * 9 + [1, 0, 0]]
    scores = {"test": summarize(found, labels)}
    assert scores["test"].accuracy == pytest.approx(10 / 12)
    assert scores["test"].balanced_accuracy == pytest.approx((1 + 1 / 3) / 2)
    (line,) = describe_scores(scores)
    assert line.startswith("test accuracy 0.8333")
    assert "balanced accuracy 0.6667" in line
    assert "10 of 12" in line


def test_the_scores_of_a_number_are_errors_beside_the_baseline():
    found = Summary(
        accuracy=0.5,
        num_examples=1200,
        mean_absolute_error=1234.5,
        root_mean_squared_error=2000.0,
        r2=0.75,
        baseline_error=2469.0,
    )
    assert describe_scores({"test": found}) == [
        "test mean absolute error 1,234 (always the training median: 2,469), root mean squared "
        "error 2,000, R² 0.7500 (1,200 images)"
    ]


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
    ("counts", "imbalanced"),
    [((10, 15), False), ((10, 16), True), ((1, 2), False), ((1, 3), True), ((4, 0, 4), False)],
)
def test_classes_are_imbalanced_where_one_has_over_half_as_many_examples_again(counts, imbalanced):
    assert is_imbalanced(np.repeat(np.arange(len(counts)), counts)) == imbalanced


def test_the_scores_of_classes_equal_scikit_learns_exactly(predictions):
    probabilities, labels = predictions
    predicted = probabilities.argmax(axis=1)
    pairs = Confusion.from_predictions(labels, predicted, 5)
    np.testing.assert_array_equal(
        pairs.dense(), sklearn.metrics.confusion_matrix(labels, predicted)
    )
    found = class_scores(pairs)
    expected = precision_recall_fscore_support(labels, predicted, labels=range(5), zero_division=0)
    for ours, theirs in zip(
        (found.precision, found.recall, found.f1, found.support), expected, strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    macro = precision_recall_fscore_support(labels, predicted, average="macro", zero_division=0)
    assert tuple(found.macro().values()) == pytest.approx(macro[:3], rel=1e-15)


def test_the_rows_of_the_confusion_matrix_sum_to_the_images_of_the_classes(predictions):
    probabilities, labels = predictions
    confusion = Confusion.from_predictions(
        labels, probabilities.argmax(axis=1), 7
    ).dense()  # two never occur
    assert confusion.shape == (7, 7)
    np.testing.assert_array_equal(confusion.sum(axis=1), np.bincount(labels, minlength=7))
    assert np.trace(confusion) / 37 == accuracy(probabilities, labels)


def test_classes_that_do_not_occur_have_scores_of_zero_and_no_say_in_the_means():
    # Class 2 occurs and is never predicted; class 3 neither occurs nor is predicted.
    labels, predicted = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0])
    found = class_scores(Confusion.from_predictions(labels, predicted, 4))
    assert found.precision.tolist() == [0.5, 0.5, 0, 0]
    assert found.recall.tolist() == [0.5, 1, 0, 0]
    assert found.macro()["f1"] == f1_score(labels, predicted, average="macro")


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_top_k_equals_scikit_learns(predictions, k):
    probabilities, labels = predictions
    expected = top_k_accuracy_score(labels, probabilities, k=k, labels=range(5))
    assert in_top_k(probabilities, labels, k).mean() == expected


def test_calibration_equals_scikit_learns_curve_and_guo_s_formula(predictions):
    probabilities, labels = predictions
    found = calibration(probabilities, labels, num_bins=10)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    accuracies, confidences = calibration_curve(right, confidence, n_bins=10)
    np.testing.assert_allclose(found.accuracy, accuracies, rtol=1e-14)
    np.testing.assert_allclose(found.confidence, confidences, rtol=1e-14)
    assert found.count.sum() == 37
    error = 0.0
    for low in range(10):
        inside = (confidence > low / 10) & (confidence <= (low + 1) / 10)
        if inside.any():
            error += inside.sum() / 37 * abs(right[inside].mean() - confidence[inside].mean())
    assert found.error == pytest.approx(error, rel=1e-12)


def test_a_sure_classifier_that_is_right_is_calibrated():
    assert calibration([[1.0, 0.0], [0.0, 1.0]], [0, 1]).error == 0
    assert calibration([[1.0, 0.0], [0.0, 1.0]], [1, 1]).error == 0.5


def test_of_equal_probabilities_the_first_classes_are_on_top_and_nan_comes_last():
    found = in_top_k([[0.2, 0.4, 0.4, 0.0]] * 4, [0, 1, 2, 3], 2)
    assert found.tolist() == [False, True, True, False]
    assert in_top_k([[0.4, 0.4, 0.4]] * 3, [0, 1, 2], 1).tolist() == [True, False, False]
    assert in_top_k([[np.nan, 0.1, 0.2]] * 3, [0, 1, 2], 2).tolist() == [False, True, True]


def test_blocks_of_rows_change_no_class_on_top(monkeypatch, predictions):
    probabilities, labels = predictions
    whole = in_top_k(probabilities, labels, 2)
    monkeypatch.setattr(losses, "_BLOCK", 17)  # three rows of five
    np.testing.assert_array_equal(in_top_k(probabilities, labels, 2), whole)


@pytest.mark.parametrize(
    ("validation", "test", "is_told"),
    [
        (Summary(0.9, num_examples=400), Summary(0.6, num_examples=400), True),
        (Summary(0.9, num_examples=10), Summary(0.6, num_examples=10), False),  # chance
        (Summary(0.96, num_examples=50_000), Summary(0.945, num_examples=50_000), False),  # small
        (Summary(0.6, num_examples=400), Summary(0.9, num_examples=400), False),
        (Summary(0.9), Summary(0.6), False),  # a run of an earlier version
    ],
)
def test_a_test_accuracy_that_is_clearly_below_that_of_validation_is_told(
    validation, test, is_told
):
    found = describe_gap({"validation": validation, "test": test})
    assert (found is not None) == is_told
    assert describe_gap({"validation": validation}) is None


def test_the_gap_is_told_in_percentage_points_with_its_unit():
    splits = {
        "validation": Summary(0.91, num_examples=252),
        "test": Summary(0.56, num_examples=394),
    }
    told = describe_gap(splits, "texts")
    assert told is not None
    assert told.startswith("Test accuracy is 35.0 percentage points below validation")
    assert "the test texts differ from the training texts" in told
