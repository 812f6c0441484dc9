"""The metrics of a number, against scikit-learn."""

import json

import numpy as np
import pytest
import sklearn.metrics

from tfxfer.data.labels.numbers import Number
from tfxfer.data.labels.outputs import Outputs
from tfxfer.evaluation.numbers.result import NumberResult
from tfxfer.evaluation.predictions import evaluate_predictions, summarize_predictions
from tfxfer.runs.scores.summary import Summary

NUMBER = Number.of("price", np.random.default_rng(1).lognormal(3, 1, size=200))
OUTPUTS = Outputs(("price",), number=NUMBER)


@pytest.fixture
def result():
    generator = np.random.default_rng(0)
    labels = generator.lognormal(3, 1, size=80)
    found = (labels + generator.normal(scale=5, size=80)).astype("float32")
    return evaluate_predictions("things", "test", OUTPUTS, found[:, None], labels, ("a note",))


def test_the_metrics_are_those_of_scikit_learn(result):
    assert isinstance(result, NumberResult)
    labels, found, scores = result.labels, result.probabilities[:, 0], sklearn.metrics
    expected = {
        "mean_absolute_error": scores.mean_absolute_error(labels, found),
        "median_absolute_error": scores.median_absolute_error(labels, found),
        "root_mean_squared_error": scores.root_mean_squared_error(labels, found),
        "r2": scores.r2_score(labels, found),
        "baseline_error": scores.mean_absolute_error(labels, np.full(80, NUMBER.median)),
    }
    content = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert {name: content[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    summary = summarize_predictions(OUTPUTS, result.probabilities, labels)
    assert {name: getattr(summary, name) for name in expected} == pytest.approx(expected, rel=1e-5)
    assert summary == result.summary() == Summary.of_json({**vars(summary), "later": 1})
    assert summary.accuracy == 1 - result.mean_absolute_error / NUMBER.spread
    assert Number.of_json(content["target"]) == NUMBER


def test_intervals_hold_the_values_and_do_not_depend_on_the_order(result):
    for name, value, (low, high) in result.rows():
        assert low < value < high, name
    turned = NumberResult("things", "test", NUMBER, result.probabilities[::-1], result.labels[::-1])
    for name, ends in turned.intervals.items():
        assert result.intervals[name] == pytest.approx(ends)


def test_the_text_has_errors_beside_the_baseline(result):
    lines = result.describe().splitlines()
    assert lines[:2] == ["things test, 80 images: price", "  note: a note"]
    assert [line[2:30].strip() for line in lines[2:7]] == [
        "mean absolute error",
        "median absolute error",
        "root mean squared error",
        "R²",
        "error of the training median",
    ]


def test_of_equal_numbers_r2_is_0():
    found = np.array([[1.0], [3.0]], np.float32)
    result = NumberResult("things", "test", NUMBER, found, np.array([2.0, 2.0]))
    assert (result.r2, result.mean_absolute_error) == (0, 1)
    assert (result.class_names, result.num_examples, result.calibration) == (("price",), 2, None)
