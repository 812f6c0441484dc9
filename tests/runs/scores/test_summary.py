"""The scores of a split as `metrics.json` holds them."""

import json

from tfxfer.runs.metrics_record import FitMetrics
from tfxfer.runs.scores.summary import Summary


def test_scores_of_several_labels_are_read_back():
    labels = Summary(
        accuracy=0.9,
        loss=0.2,
        num_examples=10,
        mean_average_precision=0.8,
        macro_f1=0.7,
        micro_f1=0.75,
        exact_match=0.6,
        average_precision={"cat": 0.8, "dog": None},
    )
    metrics = FitMetrics(splits={"test": labels}, thresholds={"cat": 0.4, "dog": 0.5})
    content = json.loads(json.dumps(metrics.as_json()))
    assert content["test"]["mean_average_precision"] == 0.8
    assert FitMetrics.of_json(content) == metrics


def test_one_class_for_each_image_has_no_such_scores():
    content = FitMetrics(splits={"test": Summary(0.9)}).as_json()
    assert content == {"test": {"accuracy": 0.9}, "best": None}


def test_a_number_has_a_score_in_a_file_and_older_files_are_read():
    errors = {"mean_absolute_error": 2.0, "baseline_error": 5.0, "r2": 0.7}
    metrics = FitMetrics(splits={"test": Summary(0.6, **errors)}, target={"name": "price"})
    content = json.loads(json.dumps(metrics.as_json()))
    assert content["test"] == {"score": 0.6, **errors}
    assert FitMetrics.of_json(content) == metrics
    content["test"]["accuracy"] = content["test"].pop("score")
    assert FitMetrics.of_json(content) == metrics
