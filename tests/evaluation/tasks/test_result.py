"""Metrics of several tasks, against scikit-learn's."""

import json

import numpy as np
import pytest
import sklearn.metrics

from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.labels.tasks import Tasks
from tfxfer.evaluation.metrics import describe_scores
from tfxfer.evaluation.predictions import evaluate_predictions, summarize_predictions
from tfxfer.evaluation.tasks.result import TasksResult
from tfxfer.runs.scores.summary import Summary

TASKS = Tasks(("kind", "size"), (("a", "b", "c"), ("large", "small")))


@pytest.fixture
def result():
    generator = np.random.default_rng(0)
    labels = np.zeros((60, 5), np.float32)
    labels[np.arange(60), generator.integers(3, size=60)] = 1
    labels[np.arange(60), 3 + generator.integers(2, size=60)] = 1
    shares = 0.5 * labels + generator.random((60, 5))
    for columns in TASKS.columns.values():
        shares[:, columns] /= shares[:, columns].sum(axis=1, keepdims=True)
    labels[:10, 3:] = np.nan
    told = shares.astype("float32"), labels
    outputs = Outputs(TASKS.output_names, tasks=TASKS)
    return evaluate_predictions("d", "test", outputs, *told, ("note",))


def test_metrics_are_those_of_scikit_learn_task_by_task(result):
    assert isinstance(result, TasksResult)
    accuracies, losses = [], []
    for place, (task, columns) in enumerate(TASKS.columns.items()):
        known = result.examples_of(task)
        assert len(known) == (60, 50)[place]
        true = result.labels[known, columns].argmax(axis=1)
        shares = result.probabilities[known, columns].astype(float)
        shares /= shares.sum(axis=1, keepdims=True)
        predicted = shares.argmax(axis=1)
        found = result.of_task[task]
        accuracies.append(sklearn.metrics.accuracy_score(true, predicted))
        losses.append(sklearn.metrics.log_loss(true, shares, normalize=False))
        assert found.accuracy == pytest.approx(accuracies[-1])
        assert found.loss == pytest.approx(losses[-1] / len(known), rel=1e-5)
        np.testing.assert_array_equal(
            found.confusion, sklearn.metrics.confusion_matrix(true, predicted)
        )
        f1 = sklearn.metrics.f1_score(true, predicted, average="macro")
        assert found.classes.macro()["f1"] == pytest.approx(f1)
    assert result.accuracy == pytest.approx(np.mean(accuracies))
    assert result.loss == pytest.approx(sum(losses) / 110, rel=1e-5)
    right = [
        all(true in (-1, predicted) for true, predicted in zip(*rows))
        for rows in zip(result.true.tolist(), result.predicted.tolist())
    ]
    assert result.exact_match == pytest.approx(np.mean(right))


def test_intervals_hold_the_values_and_do_not_depend_on_the_order(result):
    for name, value, (low, high) in result.rows():
        assert low <= value <= high or name == "calibration error", name
    turned = TasksResult("d", "test", TASKS, result.probabilities[::-1], result.labels[::-1])
    assert turned.intervals == result.intervals


def test_json_and_text_have_each_task(result):
    content = json.loads(json.dumps(result.as_json()))
    assert content["tasks"]["size"]["num_examples"] == 50
    assert content["accuracy"] == result.accuracy
    text = result.describe()
    for part in ("mean accuracy", "task kind", "task size", "size: macro F1", "note: note"):
        assert part in text


def test_a_summary_is_written_and_read(result):
    outputs = Outputs(TASKS.output_names, tasks=TASKS)
    told = summarize_predictions(outputs, result.probabilities, result.labels)
    assert told == result.summary()
    assert told.tasks["size"].num_examples == 50
    content = {
        "accuracy": told.accuracy,
        "tasks": {name: vars(one) for name, one in told.tasks.items()},
        "unknown": 1,
    }
    assert Summary.of_json(content).tasks == told.tasks
    first, *others = describe_scores({"test": told})
    assert first == f"test mean accuracy {told.accuracy:.4f} (60 images)"
    assert [line.split(":")[0].strip() for line in others] == ["kind", "size"]


def test_a_task_without_a_known_label_is_left_out(result):
    labels = result.labels.copy()
    labels[:, 3:] = np.nan
    found = TasksResult("d", "test", TASKS, result.probabilities, labels)
    assert list(found.of_task) == ["kind"]
    assert found.accuracy == found.of_task["kind"].accuracy
    assert set(found.intervals) >= {"accuracy", "loss"}
