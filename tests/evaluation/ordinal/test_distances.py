"""Distances of ordered classes, against scikit-learn."""

import numpy as np
import pytest
import sklearn.metrics

from tfxfer.data.labels.outputs import Outputs
from tfxfer.evaluation.ordinal.distances import mean_absolute_error, quadratic_kappa
from tfxfer.evaluation.predictions import evaluate_predictions, summarize_predictions

GENERATOR = np.random.default_rng(0)
TRUE, PREDICTED = GENERATOR.integers(5, size=80), GENERATOR.integers(5, size=80)
PROBABILITIES = (0.2 * np.eye(5)[PREDICTED] + 0.16).astype("float32")


def test_they_equal_scikit_learn():
    expected = sklearn.metrics.cohen_kappa_score(TRUE, PREDICTED, weights="quadratic")
    assert quadratic_kappa(TRUE, PREDICTED) == pytest.approx(expected)
    error = sklearn.metrics.mean_absolute_error(TRUE, PREDICTED)
    assert mean_absolute_error(TRUE, PREDICTED) == pytest.approx(error)
    assert quadratic_kappa([1, 1], [1, 1]) == 0  # undefined


def test_a_result_has_them_only_where_classes_have_an_order():
    plain = evaluate_predictions("d", "test", Outputs(tuple("abcde")), PROBABILITIES, TRUE)
    assert "quadratic kappa" not in [name for name, *_ in plain.rows()]
    assert "quadratic_kappa" not in plain.as_json()
    ordered = Outputs(tuple("abcde"), is_ordered=True)
    found = evaluate_predictions("d", "test", ordered, PROBABILITIES, TRUE)
    rows = {name: (value, ends) for name, value, ends in found.rows()}
    value, (low, high) = rows["quadratic kappa"]
    assert value == pytest.approx(quadratic_kappa(TRUE, PREDICTED))
    assert low < value < high
    assert found.as_json()["mean_absolute_error"] == rows["mean absolute error"][0]
    assert "mean absolute error" in found.describe()
    shared = {name: ends for name, (_, ends) in rows.items() if name == "log loss"}
    assert shared["log loss"] == plain.intervals["loss"]
    told = summarize_predictions(ordered, PROBABILITIES, TRUE)
    assert told.quadratic_kappa == pytest.approx(value)
