"""Whether training mirrors images."""

import dataclasses
import json

import numpy as np
import pytest
from conftest import small_config
from deciding import trained_as_decided
from dying import Death, dying
from PIL import Image

from tfxfer.api.fit import fit
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.planning.plan import make_plan
from tfxfer.ranking.decisions.mirroring import Mirroring
from tfxfer.ranking.decisions.recording import recorded
from tfxfer.system.run_layout import MIRRORING, RunDirectory


def arrows(folder, told_by):
    """Writes images of two classes, and returns the folder.

    Args:
        folder: Where.
        told_by: "side" has a wedge point to the left or to the right; "color" has wedges of two
            colors, half of which point to each side.
    """
    generator = np.random.default_rng(0)
    for label, name in enumerate("ab"):
        (folder / name).mkdir(parents=True)
        for number in range(24):
            pixels = generator.integers(0, 60, (32, 32, 3), np.uint8)
            for row in range(4, 28):
                pixels[row, 6 : 27 - 2 * abs(16 - row)] = 220
            if told_by == "color":
                pixels[..., 2 * label] //= 4
            if (label if told_by == "side" else number) % 2:
                pixels = pixels[:, ::-1]
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def asked(tmp_path, weights_file):
    def settings(told_by, **settings):
        data = arrows(tmp_path / "arrows", told_by)
        config = small_config(data, weights_file, tmp_path, cache_dir=str(tmp_path / "cache"))
        own = {"head": {"epochs": 20}, "finetune": {"epochs": 1}, "run": "arrows"}
        return config.with_settings({**own, **settings})

    return settings


def fitted(config, say=lambda _: None):
    """Returns the run of a fit, and what was decided; None if nothing was in question."""
    run = RunDirectory(fit(config, say=say).run)
    return run, recorded(run, MIRRORING, Mirroring.of_json)


def trained(config, say=lambda _: None):
    """Returns the same of a fit without its export and report, which take longer."""
    return trained_as_decided(config, Mirroring, say)


def flips(run):
    return read_recipe(run.config, FitConfig()).augment.flip


def test_what_points_to_a_side_is_not_flipped_and_the_run_says_why(asked):
    lines = []
    run, found = trained(asked("side"), lines.append)
    assert not found.flip
    assert not flips(run)
    assert found.mirrored > 1.5 * found.plain
    without, also = found.trained
    assert also > without
    assert Mirroring.of_json(found.as_json()) == found
    assert found.sentence[1:] in "\n".join(lines)
    assert found.sentence in json.loads(run.metrics.read_text())["data"]["notes"]


def test_what_looks_the_same_from_both_sides_is_flipped_as_before(asked):
    lines = []
    run, found = trained(asked("color"), lines.append)
    assert found.flip
    assert flips(run)
    assert found.trained == ()
    assert "flipped" not in "\n".join(lines)


@pytest.mark.parametrize(
    "settings",
    [
        {"augment": {"flip": True}},
        pytest.param({"augment": {"flip": False}}, marks=pytest.mark.slow),
        pytest.param({"finetune": {"epochs": 0}}, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_decided_where_the_user_has_or_no_image_is_flipped(asked, settings):
    run, found = trained(asked("side", **settings))
    assert found is None
    assert flips(run) is settings.get("augment", {}).get("flip", True)


@pytest.mark.slow
def test_a_search_flips_in_none_of_its_trials(asked):
    config = asked("side", effort="standard")
    portfolio = make_plan(config).portfolio
    assert all(way.augment.flip for way in portfolio.all_ways)
    without = portfolio.without_flips()
    assert not any(way.augment.flip for way in without.all_ways)
    assert [way.name for way in without.all_ways] == [way.name for way in portfolio.all_ways]
    run, found = fitted(config)
    assert not flips(run)
    assert "flip" not in run.trials.read_text()
    assert found.sentence in run.report.read_text()


@pytest.mark.parametrize("by", ["command", pytest.param("name", marks=pytest.mark.slow)])
def test_an_interrupted_run_keeps_its_decision_and_resumes_to_the_same(asked, tmp_path, by):
    config = asked("side", finetune={"epochs": 2})
    whole, _ = trained(dataclasses.replace(config, runs_dir=str(tmp_path / "whole")))
    with pytest.raises(Death):
        trained(config, say=dying("finetune  epoch 1/2"))
    run = make_plan(config).run
    assert not flips(run)
    lines = []
    if by == "command":
        trained(config, say=lines.append)
    else:
        fit(resume=run.path, say=lines.append)
    assert not flips(run)
    ours, theirs = (json.loads(one.metrics.read_text()) for one in (run, whole))
    assert ours["validation"] == theirs["validation"]
    assert ours["data"]["notes"] == theirs["data"]["notes"]
    assert "Images are not flipped" not in "\n".join(lines)  # decided before


@pytest.mark.slow
def test_settings_that_are_replaced_twice_can_be_resumed_from_the_first(asked):
    """Flips are decided, then a search chooses: the run is still found by its command."""
    config = asked("side", effort="standard")
    with pytest.raises(Death):
        fit(config, say=dying("\n"))  # the summary, behind all phases
    run, _ = fitted(config)
    assert run.is_finished
    assert not flips(run)
    assert read_recipe(run.config, FitConfig()).effort == "quick"
