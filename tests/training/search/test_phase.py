import csv
import dataclasses
import json
import time

import keras
import killing
import pytest
from conftest import small_config, trained_alone

from tfxfer.config.decided import decided_fit
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.data.batches import evaluation_batches
from tfxfer.planning.defaults import decide
from tfxfer.planning.plan import make_plan
from tfxfer.planning.portfolio import make_portfolio
from tfxfer.planning.rules.facts import Facts
from tfxfer.runs.history import read_history
from tfxfer.runs.search.trials import read_trials
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.training.search.averages import evaluated_way
from tfxfer.training.transfer import train

pytestmark = pytest.mark.slow  # whole fits

WAYS = [
    "block_2 at 3e-05",
    "block_2 at 3e-05, no shift or zoom",
    "all at 0.0003, layer decay 0.9",
]

# A strong penalty leaves the head a loss that fine-tuning can lower.
SETTINGS = {"effort": "standard", "head": {"epochs": 5, "penalty": 3.0}, "finetune": {"epochs": 2}}


# With these facts a fit has the portfolio of photographs, whose last way is deeper.
PHOTOS = Facts(21, 9, 3, 16, 300, True, 224, 32, "block_2", "imagenet")


def searched(pictures, weights_file, folder, **others):
    """Returns what a fit with a search leaves, its run, and what it printed."""
    lines = []
    config = small_config(pictures, weights_file, folder, run="one", **{**SETTINGS, **others})
    plan = make_plan(config)
    finetune = dataclasses.replace(plan.config.finetune, unfreeze="block_2", learning_rate=3e-5)
    decided = dataclasses.replace(plan.config, finetune=finetune)
    # So few images are easy to classify.
    portfolio = dataclasses.replace(make_portfolio(decided, config, PHOTOS), much_to_gain=0.02)
    with Interruptions() as interruptions:
        trained = train(
            dataclasses.replace(plan, config=decided, portfolio=portfolio),
            interruptions,
            lines.append,
        )
    return trained, RunDirectory(folder / "runs" / "one"), lines


@pytest.fixture(scope="module")
def found(pictures, weights_file, tmp_path_factory):
    return searched(pictures, weights_file, tmp_path_factory.mktemp("searched"))


def decided_and_asked():
    """Returns decided settings of photographs, and those that are asked for."""
    asked = FitConfig()
    return decide(asked, PHOTOS), asked


def of_search(lines):
    return [line for line in lines if line.startswith("search")]


def test_every_trial_is_in_the_table_with_its_figures(found):
    trained, run, _ = found
    with run.trials.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["way"] for row in rows] == ["head alone", *WAYS]
    assert {row["epochs"] for row in rows[1:]} == {"2"}
    head, *others = read_trials(run)
    assert (head.unfreeze, head.learning_rate, head.augmentation) == ("none", 0.0, "")
    assert others[1].augmentation == "flip"
    (chosen,) = [row.way for row in (head, *others) if row.kept == "yes"]
    record = trained.metrics.search
    assert (record.way, record.num_trials, record.epochs) == (chosen, len(WAYS), 2 * len(WAYS))
    assert json.loads(run.metrics.read_text())["search"]["way"] == chosen


def test_a_line_tells_each_trial_and_one_sentence_the_choice(found):
    trained, run, lines = found
    said = of_search(lines)
    assert len(said) == 2 * len(WAYS) + 1
    for number, (way, row) in enumerate(zip(WAYS, read_trials(run)[1:], strict=True)):
        begun, ended = said[2 * number : 2 * number + 2]
        assert begun.endswith(f"{number + 1}, '{way}'")
        assert way in ended
        assert (f"{row.validation_loss:.4f}" in ended) == (row.best_epoch > 0)
    assert said[-1] == f"search: {trained.metrics.search.sentence}"
    assert "standard error" in said[-1]


def test_the_history_has_the_epochs_of_the_way_that_was_chosen(found):
    trained, run, _ = found
    epochs = read_history(run)
    assert [epoch.epoch for epoch in epochs if epoch.phase == "finetune"] == [1, 2]
    (row,) = [row for row in read_trials(run) if row.kept == "yes"]
    best = trained.metrics.best
    assert (best.phase, best.epoch) == ("finetune", row.best_epoch)
    (epoch,) = [one for one in epochs if (one.phase, one.epoch) == (best.phase, best.epoch)]
    assert epoch.validation_accuracy == pytest.approx(row.accuracy, abs=1e-6)


def test_all_readers_of_the_run_find_the_settings_that_were_chosen(found):
    trained, run, _ = found
    record = trained.metrics.search
    config = read_recipe(run.config, FitConfig())
    assert config.effort == "quick"
    assert trained.plan.config == decided_fit(config)
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


@pytest.mark.parametrize("average", ["soup", "wise"])
def test_what_is_averaged_is_told_and_scored(average, pictures, weights_file, tmp_path):
    more = {"finetune": {"epochs": 2, "average": average}}
    trained, run, lines = searched(pictures, weights_file, tmp_path, **more)
    record = trained.metrics.average
    (said,) = [line for line in lines if line.startswith("average: ")]
    assert said == f"average: {record.sentence}"
    (row,) = [row for row in read_trials(run) if row.kept == "yes"]
    assert record.loss_without == pytest.approx(row.validation_loss, rel=1e-4, abs=2e-6)
    assert set(record.members) <= set(WAYS)
    assert record.of == {"soup": "trial", "wise": "head"}[average]
    assert read_recipe(run.config, FitConfig()).finetune.average == (
        average if record.is_kept else "none"
    )
    # What is saved has the scores of the record.
    model = keras.models.load_model(run.model)
    images = trained.images["validation"]
    probabilities = model.predict(evaluation_batches(images, 4), verbose=0)
    hits = probabilities.argmax(axis=1) == images.labels
    assert hits.mean() == pytest.approx(record.accuracy, abs=1e-6)


def test_a_soup_of_trials_is_scored_by_the_way_that_trains_the_most():
    portfolio = make_portfolio(*decided_and_asked(), PHOTOS)
    one, plain = portfolio.ways
    deep = portfolio.deeper[0]
    stages = ("block_1", "block_2", "block_3")
    assert evaluated_way(portfolio, one, [], stages) is one
    assert evaluated_way(portfolio, one, [one.name, plain.name], stages) is one
    assert evaluated_way(portfolio, one, [one.name, deep.name], stages) is deep
    asked = FitConfig(effort="thorough", max_minutes=60.0)
    more = make_portfolio(decide(asked, PHOTOS), asked, PHOTOS)
    adapting = next(way for way in more.all_ways if way.finetune.batch_norm == "adapt")
    found = evaluated_way(more, one, [one.name, adapting.name], stages)
    assert (found.finetune.unfreeze, found.finetune.batch_norm) == ("all", "adapt")


def test_a_head_at_the_ceiling_is_kept(pictures, weights_file, tmp_path):
    head = {"epochs": 30}
    trained, run, lines = searched(pictures, weights_file, tmp_path, head=head)
    assert [row.way for row in read_trials(run)] == ["head alone"]
    (said,) = of_search(lines)
    assert "already classifies all validation images" in said
    config = read_recipe(run.config, FitConfig())
    assert (config.finetune.epochs, config.finetune.unfreeze) == (0, "none")
    record = trained.metrics.search
    assert (record.way, record.num_trials, record.epochs) == ("head alone", 0, 0)
    assert not any(line.startswith("finetune  epoch") for line in lines)
    assert trained.metrics.best.phase == "head"


def test_a_time_budget_without_room_for_the_search_trains_the_default(
    pictures, weights_file, tmp_path
):
    trained, run, lines = searched(pictures, weights_file, tmp_path, max_minutes=0.001)
    assert [row.way for row in read_trials(run)] == ["head alone"]
    (said,) = of_search(lines)
    assert "time budget" in said
    assert trained.metrics.search.is_left_out
    assert run.model.is_file()


# With these given, there are seven trials.
FEW = {"epochs": 2, "unfreeze": "all", "learning_rate": 1e-3}


def test_a_thorough_search_tries_more_and_is_no_worse(pictures, weights_file, tmp_path):
    settings = {"effort": "thorough", "max_minutes": 60.0, "finetune": FEW}
    outcomes = []
    for name in ("one", "other"):
        config = small_config(
            pictures, weights_file, tmp_path, run=name, **{**SETTINGS, **settings}
        )
        lines = []
        trained_alone(config, lines.append)
        outcomes.append(killing.outcome(killing.Place(tmp_path, name)))
    # Two runs of one seed choose the same, to the bit.
    assert killing.differences(*outcomes) == []
    run = RunDirectory(tmp_path / "runs" / "other")
    rows = read_trials(run)
    names = [row.way for row in rows]
    assert len(names) == 8
    assert names[1:3] == ["all at 0.001", "all at 0.001, no shift or zoom"]
    assert any("BatchNorm adapts" in name for name in names)
    assert names[-1].endswith("another seed")
    (chosen,) = [row for row in rows if row.kept == "yes"]
    assert chosen.validation_loss <= max(row.validation_loss for row in rows[:3])
    (said,) = [line for line in lines if line.startswith("average: ")]
    assert "Greedy soup: " in said
    assert "WiSE-FT: " in said


def test_what_there_is_no_time_for_is_told_and_not_begun(pictures, weights_file, tmp_path):
    settings = {"effort": "thorough", "max_minutes": 0.6, "finetune": FEW}
    config = small_config(pictures, weights_file, tmp_path, run="one", **{**SETTINGS, **settings})
    lines = []

    def say(line):
        lines.append(line)
        if line.startswith("search: 'all at 0.001' has") or "no epoch of" in line:
            time.sleep(16)  # then less is left than the export needs

    trained = trained_alone(config, say)
    record = trained.metrics.search
    assert [row.way for row in read_trials(RunDirectory(tmp_path / "runs" / "one"))] == [
        *("head alone", "all at 0.001"),
    ]
    assert record.num_trials == 1
    assert len(record.not_tried) > 4
    assert f"search: {record.missing}" in lines
    assert "no shift or zoom" in record.missing
