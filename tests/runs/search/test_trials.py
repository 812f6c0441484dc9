import pytest

from tfxfer.errors import UsageError
from tfxfer.runs.search.record import SearchRecord
from tfxfer.runs.search.trials import TrialRow, read_trials, write_trials
from tfxfer.system.run_layout import RunDirectory

ROWS = [
    TrialRow("head alone", "none", 0.0, "", 0, 0, 0.5, 0.01, 0.9, 1.5, "no"),
    TrialRow(
        "conv5 at 0.0003, no shift or zoom", "conv5", 3e-4, "flip", 1, 2, 0.25, 0.02, 0.95, 9.0, ""
    ),
    TrialRow("all at 0.001", "all", 1e-3, "flip", 1, 2, float("inf"), 0.0, 0.1, 9.0, "no"),
]


def test_trials_are_read_back_as_they_were_written(tmp_path):
    run = RunDirectory(tmp_path)
    assert read_trials(run) == []
    for count in (1, 3):
        write_trials(run, ROWS[:count])
        assert read_trials(run) == ROWS[:count]
    assert run.trials.read_text().splitlines()[0].startswith("way,unfreeze,learning_rate,")


def test_a_table_that_is_corrupt_is_named(tmp_path):
    RunDirectory(tmp_path).trials.write_text("way,rung\nall,one\n")
    with pytest.raises(UsageError, match=r"Cannot read the trials '.*trials\.csv'"):
        read_trials(RunDirectory(tmp_path))


def test_what_was_chosen_is_a_change_of_settings():
    record = SearchRecord("all", 7, 9, "why", {"finetune.epochs": 10, "augment.zoom": 0.0, "a": 1})
    assert record.nested_changes() == {"finetune": {"epochs": 10}, "augment": {"zoom": 0.0}, "a": 1}
    content = {**vars(record), "of_a_later_version": 1}
    assert SearchRecord.of_json(content) == record
