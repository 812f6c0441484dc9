"""All metrics of predictions of one class for each example, against scikit-learn."""

import numpy as np
import pytest
import sklearn.metrics

from tfxfer.evaluation.one_label import evaluate_classes


def test_metrics_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    labels = generator.integers(3, size=50)
    shares = generator.dirichlet(np.ones(3), size=50).astype("float32")
    found = evaluate_classes("d", "test", ("a", "b", "c"), shares, labels, unit="texts")
    predicted = shares.argmax(axis=1)
    assert found.accuracy == pytest.approx(sklearn.metrics.accuracy_score(labels, predicted))
    np.testing.assert_array_equal(
        found.confusion, sklearn.metrics.confusion_matrix(labels, predicted)
    )
    f1 = sklearn.metrics.f1_score(labels, predicted, average="macro")
    assert found.classes.macro()["f1"] == pytest.approx(f1)
    assert (found.unit, found.top_5_accuracy, found.is_ordered) == ("texts", None, False)
