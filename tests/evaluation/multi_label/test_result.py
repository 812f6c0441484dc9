"""The metrics of several labels, printed and as JSON."""

import json

import numpy as np
import pytest
import sklearn.metrics

from tfxfer.data.labels.outputs import Outputs
from tfxfer.evaluation.multi_label.result import MultiLabelResult
from tfxfer.evaluation.predictions import evaluate_predictions, summarize_predictions

NAMES = ("even", "large", "loop")
THRESHOLDS = np.array([0.3, 0.5, 0.6])
OUTPUTS = Outputs(NAMES, thresholds=THRESHOLDS)


def told(num_examples=80, unknown=0.0):
    generator = np.random.default_rng(0)
    labels = (generator.random((num_examples, 3)) < [0.5, 0.3, 0.2]).astype("float32")
    noise = generator.random((num_examples, 3))
    probabilities = (0.3 * labels + 0.7 * noise).astype("float32")
    labels[generator.random(labels.shape) < unknown] = np.nan
    return probabilities, labels


def result(num_examples=80, unknown=0.0):
    probabilities, labels = told(num_examples, unknown)
    return evaluate_predictions("things", "test", OUTPUTS, probabilities, labels, ("a note",))


def test_the_metrics_are_those_of_scikit_learn():
    found = result()
    assert isinstance(found, MultiLabelResult)
    y, predicted = found.labels, found.probabilities >= THRESHOLDS
    scores = sklearn.metrics
    expected = {
        "mean_average_precision": scores.average_precision_score(y, found.probabilities),
        "macro_f1": scores.f1_score(y, predicted, average="macro"),
        "micro_f1": scores.f1_score(y, predicted, average="micro"),
        "exact_match": scores.accuracy_score(y, predicted),
        "accuracy": 1 - scores.hamming_loss(y, predicted),
        "loss": np.mean([scores.log_loss(y[:, i], found.probabilities[:, i]) for i in range(3)]),
    }
    content = found.as_json()
    assert {name: content[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    summary = summarize_predictions(OUTPUTS, found.probabilities, y)
    assert {name: getattr(summary, name) for name in expected} == pytest.approx(expected, rel=1e-5)
    precision, recall, f1, support = scores.precision_recall_fscore_support(y, predicted)
    for index, one in enumerate(content["labels"]):
        assert one["precision"] == pytest.approx(precision[index])
        assert (one["recall"], one["f1"]) == pytest.approx((recall[index], f1[index]))
        assert (one["support"], one["threshold"]) == (support[index], THRESHOLDS[index])


def test_unknown_labels_count_in_nothing():
    found = result(unknown=0.3)
    known = ~np.isnan(found.labels)
    assert known.mean() == pytest.approx(0.7, abs=0.1)
    other = MultiLabelResult(
        "things", "test", NAMES, THRESHOLDS, np.where(known, found.probabilities, 0.9), found.labels
    )
    one, two = found.as_json(), other.as_json()
    for name, ends in one.pop("intervals").items():
        assert two["intervals"][name] == pytest.approx(ends)
    del two["intervals"]
    assert two == {**one, "notes": []}
    right = (found.probabilities >= THRESHOLDS) == (found.labels == 1)
    assert found.accuracy == pytest.approx(right[known].mean())
    assert found.exact_match == pytest.approx((right | ~known).all(axis=1).mean())


def test_intervals_hold_the_metrics_whatever_the_order_of_the_images():
    found = result()
    for _, value, (low, high) in found.rows():
        assert low <= value + 0.02
        assert value <= high
    order = np.random.default_rng(1).permutation(80)
    probabilities, labels = told()
    other = evaluate_predictions("things", "test", OUTPUTS, probabilities[order], labels[order])
    for name, ends in found.intervals.items():
        assert other.intervals[name] == pytest.approx(ends)


def test_a_label_that_no_image_has_is_none_in_json():
    probabilities, labels = told()
    labels[:, 2] = 0
    found = evaluate_predictions("things", "test", OUTPUTS, probabilities, labels)
    content = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert content["labels"][2]["average_precision"] is None
    assert found.mean_average_precision == pytest.approx(found.average_precision[:2].mean())
    summary = summarize_predictions(OUTPUTS, probabilities, labels)
    assert summary.average_precision["loop"] is None


def test_labels_that_occur_together_are_counted():
    found = result()
    y = found.labels
    assert found.co_occurrence[0, 1] == np.sum((y[:, 0] == 1) & (y[:, 1] == 1))
    assert np.diag(found.co_occurrence).tolist() == found.classes.support.tolist()
    assert np.diag(found.predicted_together).tolist() == found.classes.num_predicted.tolist()


def test_the_text_has_a_line_for_each_label():
    lines = result().describe().splitlines()
    assert lines[:2] == ["things test, 80 images", "  note: a note"]
    (head,) = [number for number, line in enumerate(lines) if "threshold" in line]
    assert [line.split()[0] for line in lines[head + 1 :]] == list(NAMES)
    assert len({len(line) for line in lines[head:]}) == 1
