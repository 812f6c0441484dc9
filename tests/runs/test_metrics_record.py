"""What `metrics.json` holds, as it is written and as it is read."""

import pytest

from tfxfer.errors import UsageError
from tfxfer.runs.metrics_record import (
    BestEpoch,
    ComparisonRecord,
    DataRecord,
    FitMetrics,
    Parameters,
    PretrainMetrics,
    Summary,
    evaluation_split,
    read_metrics,
    read_metrics_json,
)
from tfxfer.runs.scores.calibration import CalibrationErrors, CalibrationRecord
from tfxfer.system.files import write_json
from tfxfer.system.run_layout import RunDirectory

SUMMARY = {
    "accuracy": 0.75,
    "balanced_accuracy": 0.7,
    "loss": 0.5,
    "num_examples": 12,
    "uneven_classes": True,
}

# As a fit writes it that has everything, in this order.
WHOLE = {
    "validation": SUMMARY | {"num_examples": 9},
    "test": SUMMARY,
    "calibration": {
        "temperature": 1.5,
        "validation": {"error": 0.2, "error_at_temperature": 0.1},
        "test": {"error": 0.25, "error_at_temperature": 0.15},
        "applied": False,
    },
    "best": {"phase": "finetune", "epoch": 3},
    "data": {"name": "photos", "fingerprint": "0123", "notes": ["a note"]},
    "num_classes": 3,
    "parameters": {"total": 1000, "trained": 500},
    "skipped": {"train": 1},
    "penalty": 0.1,
    "start_penalty": 1.0,
    "export": "saved_models/a/1",
    "seconds": {"head": 1.0, "total": 2.0},
    "comparison": {
        "num_train": 21,
        "epochs": 5,
        "split": "test",
        "pretrained": SUMMARY,
        "scratch": SUMMARY | {"accuracy": 0.5},
        "gain": 0.25,
        "margin": 0.3,
        "verdict": "made no difference",
    },
}


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path)


def test_what_was_written_is_read_and_written_again_byte_for_byte(run):
    write_json(run.metrics, WHOLE)
    content = run.metrics.read_bytes()
    found = read_metrics(run)
    write_json(run.metrics, found.as_json())
    assert run.metrics.read_bytes() == content
    assert read_metrics_json(run) == WHOLE


def test_each_part_is_a_record(run):
    write_json(run.metrics, WHOLE)
    found = read_metrics(run)
    assert found.splits["test"] == found.evaluation_scores == Summary(0.75, 0.7, 0.5, 12, True)
    errors = {"validation": CalibrationErrors(0.2, 0.1), "test": CalibrationErrors(0.25, 0.15)}
    assert found.calibration == CalibrationRecord(1.5, errors, applied=False)
    assert found.best == BestEpoch("finetune", 3)
    assert found.data == DataRecord("photos", "0123", ["a note"])
    assert found.parameters == Parameters(total=1000, trained=500)
    assert isinstance(found.comparison, ComparisonRecord)
    assert found.comparison.scratch.accuracy == 0.5
    assert found.further == {}


def test_what_there_is_not_is_not_written_but_that_no_epoch_was_best():
    assert FitMetrics().as_json() == {"best": None}
    splits = {"test": Summary(accuracy=0.5, loss=1.0)}
    assert FitMetrics(splits).as_json() == {"test": {"accuracy": 0.5, "loss": 1.0}, "best": None}


@pytest.mark.parametrize("missing", WHOLE)
def test_an_earlier_version_may_have_left_out_any_part(run, missing):
    content = {key: value for key, value in WHOLE.items() if key != missing}
    write_json(run.metrics, content)
    without_best = {"best": None} if missing == "best" else {}
    assert read_metrics(run).as_json() == content | without_best


def test_an_earlier_version_may_have_said_less_of_a_part(run):
    write_json(run.metrics, {"validation": {"accuracy": 0.5}, "data": {"name": "photos"}})
    found = read_metrics(run)
    assert found.evaluation_scores == Summary(accuracy=0.5)
    assert found.data == DataRecord(name="photos")


def test_a_later_version_may_have_said_more(run):
    more = {"test": SUMMARY | {"kappa": 1.0}, "weather": {"sun": True}}
    write_json(run.metrics, WHOLE | more)
    found = read_metrics(run)
    assert found.splits["test"] == Summary(**SUMMARY)
    assert found.as_json() == WHOLE | {"weather": {"sun": True}}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "3",
        '{"test": 5}',
        '{"test": {"loss": 1.0}}',
        '{"calibration": {"test": {}}}',
        '{"best": ["head", 1]}',
    ],
)
def test_what_is_something_else_is_refused(run, text):
    run.metrics.write_text(text)
    with pytest.raises(UsageError, match=r"Cannot read .*'.*metrics.json': "):
        read_metrics(run)


def test_what_is_not_there_is_refused(run):
    for read in (read_metrics, read_metrics_json):
        with pytest.raises(UsageError, match=r"Cannot read .*'.*metrics.json'"):
            read(run)


def test_a_pretraining_writes_its_parts_in_their_order():
    found = PretrainMetrics(
        splits={"validation": Summary(**SUMMARY)},
        seconds={"total": 2.0},
        num_classes=3,
        parameters=Parameters(total=1000, trained=1000),
        epoch=2,
        training_seconds=1.5,
    )
    assert list(found.as_json().items()) == [
        ("validation", SUMMARY),
        ("seconds", {"total": 2.0}),
        ("num_classes", 3),
        ("parameters", {"total": 1000, "trained": 1000}),
        ("epoch", 2),
        ("training_seconds", 1.5),
    ]


def test_the_evaluation_split_is_test_if_there_is_one():
    scores = {"validation": {"accuracy": 0.9}, "test": {"accuracy": 0.8}}
    assert evaluation_split(scores) == "test"
    assert evaluation_split({"validation": {"accuracy": 0.9}}) == "validation"
