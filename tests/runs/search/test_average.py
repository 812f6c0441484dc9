import dataclasses
import json

import pytest

from tfxfer.runs.journal import Notes
from tfxfer.runs.metrics_record import FitMetrics
from tfxfer.runs.search.average import AverageRecord

SOUP = AverageRecord("soup", "epoch", ("7", "9"), 5, 0.25, 0.95, 0.5, 0.9)
WISE = AverageRecord("wise", "head", ("9",), 2, 0.25, 0.95, 0.5, 0.9, 0.4)
NONE = AverageRecord("soup", "trial", (), 3, 0.5, 0.9, 0.5, 0.9)
TRIALS = AverageRecord("soup", "trial", ("a", "b"), 3, 0.25, 0.95, 0.5, 0.9)
BOTH = dataclasses.replace(WISE, before=TRIALS)
NO_WISE = AverageRecord("wise", "head", (), 2, 0.25, 0.95, 0.25, 0.95, before=TRIALS)


@pytest.mark.parametrize("record", [SOUP, WISE, NONE, BOTH, NO_WISE])
def test_notes_and_metrics_hold_it(record):
    notes = json.loads(json.dumps(Notes(average=record).as_json()))
    assert Notes.of_json(notes).average == record
    content = json.loads(json.dumps(FitMetrics(average=record).as_json()))
    assert content["average"]["loss_without"] == record.loss_without
    assert FitMetrics.of_json(content).average == record


def test_keys_of_a_later_version_are_left_out():
    content = {**dataclasses.asdict(SOUP), "colour": "red"}
    assert AverageRecord.of_json(content) == SOUP


@pytest.mark.parametrize(
    ("record", "parts"),
    [
        (SOUP, ["Greedy soup: kept", "epochs 7, 9", "0.2500", "0.5000", "0.9500", "0.9000"]),
        (WISE, ["WiSE-FT: kept", "0.4 of the fine-tuned network", "0.2500", "0.5000"]),
        (NONE, ["Greedy soup: not kept", "0.5000"]),
        (dataclasses.replace(NONE, num_ingredients=1), ["not kept", "only one trial"]),
    ],
)
def test_a_sentence_tells_what_validation_says(record, parts):
    assert record.is_kept == ("not kept" not in parts[0])
    for part in parts:
        assert part in record.sentence


def test_of_two_averages_both_are_told():
    assert BOTH.what == f"{TRIALS.what}; then {WISE.what}"
    assert NO_WISE.what == TRIALS.what
    assert "Greedy soup: kept" in NO_WISE.sentence
    assert "WiSE-FT: not kept" in NO_WISE.sentence
    neither = dataclasses.replace(NO_WISE, before=NONE)
    assert [one.is_kept for one in (BOTH, NO_WISE, neither)] == [True, True, False]


@pytest.mark.parametrize(
    ("record", "trials"),
    [(SOUP, ()), (WISE, ()), (TRIALS, ("a", "b")), (BOTH, ("a", "b")), (NO_WISE, ("a", "b"))],
)
def test_an_average_of_trials_knows_them(record, trials):
    assert record.trials == trials
