"""Whether a search also tries to fine-tune without shift and zoom."""

import dataclasses
import json

import numpy as np
import pytest
from conftest import small_config
from deciding import trained_as_decided
from dying import Death, dying
from PIL import Image

from tfxfer.planning.plan import make_plan
from tfxfer.ranking.decisions.warping import Warping
from tfxfer.runs.search.trials import read_trials


def bars(folder, told_by):
    """Writes images of two classes, and returns the folder. One in ten is in the wrong one.

    Args:
        folder: Where.
        told_by: "place" has a bar at one of two places, two pixels apart; "color" has bars of two
            colors, half of which are at each place.
    """
    generator = np.random.default_rng(0)
    for label, name in enumerate("ab"):
        (folder / name).mkdir(parents=True)
        for number in range(60):
            pixels = generator.integers(0, 60, (32, 32, 3), np.uint8)
            shown = label if number % 10 else 1 - label
            place = 14 + 2 * (shown if told_by == "place" else number % 2)
            pixels[:, place : place + 4] = 220
            if told_by == "color":
                pixels[..., 2 * shown] //= 4
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def asked(tmp_path, weights_file):
    def settings(told_by, **settings):
        data = bars(tmp_path / "bars", told_by)
        config = small_config(data, weights_file, tmp_path, cache_dir=str(tmp_path / "cache"))
        # Flips are settled: what is tried is shift and zoom.
        own = {"head": {"epochs": 20}, "finetune": {"epochs": 1}, "run": "bars"}
        own |= {"effort": "standard", "augment": {"flip": False}}
        return config.with_settings({**own, **settings})

    return settings


def tried_without(run):
    return any("no shift or zoom" in row.way for row in read_trials(run))


def test_where_a_shift_changes_the_class_both_are_tried(asked):
    lines = []
    run, found = trained_as_decided(asked("place"), Warping, lines.append)
    assert found.is_tried_without
    assert found.warped > 1.5 * found.plain
    assert tried_without(run)
    assert "is not tried" not in "\n".join(lines)


def test_where_it_does_not_no_trial_is_spent_on_it_and_the_run_says_why(asked):
    lines = []
    run, found = trained_as_decided(asked("color"), Warping, lines.append)
    assert not found.is_tried_without
    assert not tried_without(run)
    assert Warping.of_json(found.as_json()) == found
    assert found.sentence[1:] in "\n".join(lines)
    assert found.sentence in json.loads(run.metrics.read_text())["data"]["notes"]


@pytest.mark.parametrize(
    "settings",
    [
        {"effort": "quick"},
        {"augment": {"flip": False, "shift": 0.1, "zoom": 0.1, "rotation": 0.0}},
        pytest.param({"effort": "thorough", "max_minutes": 60.0}, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_decided_where_no_search_tries_both_or_there_is_time_for_all(asked, settings):
    plan = make_plan(asked("place", **settings))
    assert not Warping.is_open(plan, plan.config)


def test_the_rest_of_a_search_is_as_before(asked):
    plan = make_plan(asked("color", finetune={"unfreeze": "all", "epochs": 1}))
    default, _ = plan.portfolio.ways
    rest = Warping(False, 0.2, 0.21).applied(plan)
    assert rest.portfolio.ways == (default,)
    assert [way.name for way in rest.portfolio.all_ways] == ["head alone", default.name]
    assert rest.config == plan.config
    assert Warping(True, 0.2, 0.6).applied(plan) is plan


@pytest.mark.slow
def test_an_interrupted_run_keeps_its_decision_and_resumes_to_the_same(asked, tmp_path):
    config = asked("color", finetune={"epochs": 2})
    whole, _ = trained_as_decided(
        dataclasses.replace(config, runs_dir=str(tmp_path / "whole")), Warping
    )
    with pytest.raises(Death):
        trained_as_decided(config, Warping, dying("finetune  epoch 1/2"))
    lines = []
    run, _ = trained_as_decided(config, Warping, lines.append)
    assert not tried_without(run)
    ours, theirs = (json.loads(one.metrics.read_text()) for one in (run, whole))
    assert ours["validation"] == theirs["validation"]
    assert ours["data"]["notes"] == theirs["data"]["notes"]
    assert "is not tried" not in "\n".join(lines)  # decided before
