import csv
import json
import re

import killing
import pytest
from conftest import small_config, trained_alone

from tfxfer.config.decided import decided_fit
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.runs.search.record import SearchRecord
from tfxfer.runs.search.trials import read_trials
from tfxfer.system.run_layout import RunDirectory

pytestmark = pytest.mark.slow  # whole fits

# A strong penalty leaves the head a loss that fine-tuning can lower.
SETTINGS = {"effort": "standard", "head": {"epochs": 5, "penalty": 3.0}, "finetune": {"epochs": 2}}


def searched(pictures, weights_file, folder, **others):
    """Returns what a fit with a search leaves, its run, and what it printed."""
    lines = []
    config = small_config(pictures, weights_file, folder, run="one", **{**SETTINGS, **others})
    trained = trained_alone(config, lines.append)
    return trained, RunDirectory(folder / "runs" / "one"), lines


@pytest.fixture(scope="module")
def found(pictures, weights_file, tmp_path_factory):
    return searched(pictures, weights_file, tmp_path_factory.mktemp("searched"))


def of_search(lines):
    return [line for line in lines if line.startswith("search")]


def test_every_trial_is_in_the_table_with_its_figures(found):
    trained, run, _ = found
    with run.trials.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["way"], row["rung"]) for row in rows] == [
        ("head alone", "0"),
        *((f"{way}{end}", "1") for way, end in WAYS),
        *((row["way"], "2") for row in rows[6:]),
    ]
    assert {row["epochs"] for row in rows[1:]} == {"2"}
    head, *others = read_trials(run)
    assert (head.unfreeze, head.learning_rate, head.augmentation) == ("none", 0.0, "")
    assert others[-3].augmentation == "flip"
    first = [row for row in others if row.rung == 1]
    lowest = sorted(row.validation_loss for row in first)[:2]
    assert [row.kept for row in first] == [
        "yes" if row.validation_loss in lowest else "no" for row in first
    ]
    assert [row.way for row in others[5:]] == [row.way for row in first if row.kept == "yes"]
    (chosen,) = [row.way for row in (head, *others) if row.rung != 1 and row.kept == "yes"]
    record = trained.metrics.search
    assert (record.way, record.num_trials, record.epochs) == (chosen, 7, 14)
    assert json.loads(run.metrics.read_text())["search"]["way"] == chosen


WAYS = [
    ("block_2 at 3e-05", ""),
    ("block_2 at 0.0003", ""),
    ("all at 0.0001", ""),
    ("all at 0.0003", ""),
    ("block_2 at 0.0003", ", no shift or zoom"),
]


def test_a_line_tells_each_trial_and_one_sentence_the_choice(found):
    trained, run, lines = found
    said = of_search(lines)
    assert len(said) == 10  # the head, five ways, who is dropped, two ways, the choice
    for line, (way, end) in zip(said[1:], WAYS, strict=False):
        assert way + end in line
        assert "2 epochs" in line
        assert "val_loss" in line
    first = [row for row in read_trials(run) if row.rung == 1]
    kept, dropped = (
        "; ".join(row.way for row in first if row.kept == answer) for answer in ("yes", "no")
    )
    assert re.search(f"{re.escape(kept)}.*[Dd]ropped {re.escape(dropped)}", said[6])
    assert said[-1] == f"search: {trained.metrics.search.sentence}"
    assert "standard error" in said[-1]


def test_all_readers_of_the_run_find_the_settings_that_were_chosen(found):
    trained, run, _ = found
    record = trained.metrics.search
    config = read_recipe(run.config, FitConfig())
    assert config.effort == "quick"
    assert trained.plan.config == decided_fit(config)
    assert record.changes["finetune.learning_rate"] == 3e-4
    for key, value in record.changes.items():
        assert config.get(key) == value
    assert not run.started.exists()


def test_its_settings_are_a_recipe_that_gives_the_same_bits_without_a_search(found, tmp_path):
    _, run, _ = found
    config = read_recipe(run.config, FitConfig())
    lines = []
    trained_alone(config, lines.append, run="again", runs_dir=str(tmp_path / "runs"))
    assert of_search(lines) == []
    ours, theirs = (
        killing.outcome(killing.Place(folder, name))
        for folder, name in ((run.path.parent.parent, "one"), (tmp_path, "again"))
    )
    assert ours["metrics"].pop("search")
    assert killing.differences({**ours, "trials": []}, theirs) == []


def test_a_head_at_the_ceiling_leaves_the_default(pictures, weights_file, tmp_path):
    head = {"epochs": 30}
    trained, run, lines = searched(pictures, weights_file, tmp_path, head=head)
    assert [row.way for row in read_trials(run)] == ["head alone"]
    (said,) = of_search(lines)
    assert "head alone already" in said
    config = read_recipe(run.config, FitConfig())
    assert (config.finetune.learning_rate, config.finetune.unfreeze) == (3e-5, "block_2")
    assert trained.metrics.search == SearchRecord("head alone", 0, 0, trained.metrics.search.reason)
    assert any(line.startswith("finetune  epoch 2/2") for line in lines)


def test_a_time_budget_that_the_search_would_use_up_leaves_it_out(pictures, weights_file, tmp_path):
    _, run, lines = searched(pictures, weights_file, tmp_path, max_minutes=0.001)
    assert [row.way for row in read_trials(run)] == ["head alone"]
    (said,) = of_search(lines)
    assert "time budget" in said
    assert run.model.is_file()
