"""What a dry run says of decisions that are made before training."""

import dataclasses
import json

import pytest
from conftest import small_config

from tfxfer.api.fit import describe_plan
from tfxfer.config.recipes import to_toml
from tfxfer.planning.plan import make_plan
from tfxfer.ranking.decisions.dry_run import plan_in_words
from tfxfer.ranking.decisions.mirroring import Mirroring
from tfxfer.ranking.decisions.warping import Warping
from tfxfer.system.run_layout import MIRRORING, WARPING

# What is said while flips, and a search without shift and zoom, are open.
OPEN = "a head on mirror images decides"
OPEN_WARPS = "a head on shifted and zoomed images decides"


@pytest.fixture
def asked(pictures, tmp_path):
    config = small_config(pictures, "none", tmp_path)
    return dataclasses.replace(config, backbone="resnet10_small", weights=None)


def test_flips_are_open_until_a_head_has_decided(asked):
    assert OPEN in describe_plan(asked)
    assert not make_plan(asked).run.path.exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"augment": {"flip": True}},
        {"augment": {"flip": False}},
        {"finetune": {"epochs": 0}},
        {"weights": "none"},
        {"head": {"pooling": "flatten"}},
    ],
)
def test_nothing_is_open_where_no_head_will_decide(asked, settings):
    assert OPEN not in describe_plan(asked.with_settings(settings))


@pytest.mark.parametrize("flip", [True, False])
def test_an_interrupted_run_has_decided(asked, flip):
    plan = make_plan(asked)
    assert plan.config.augment.flip
    found = Mirroring(flip, 0.2, 1.4, (0.2, 0.1 if flip else 0.4))
    plan.run.path.mkdir(parents=True)
    plan.run.config.write_text(to_toml(plan.config))
    plan.run.decision(MIRRORING).write_text(json.dumps(found.as_json()))
    told = plan_in_words(asked)
    assert told.run == plan.run
    assert told.config.augment.flip is flip
    assert (found.sentence in told.source.notes) is not flip
    assert OPEN not in describe_plan(asked)


@pytest.mark.parametrize(
    ("settings", "is_open"),
    [
        ({"effort": "standard"}, True),
        ({"effort": "quick"}, False),
        ({"effort": "thorough", "max_minutes": 60.0}, False),
        ({"effort": "standard", "augment": {"shift": 0.0, "zoom": 0.0, "rotation": 0.0}}, False),
        ({"effort": "standard", "weights": "none"}, False),
    ],
)
def test_a_trial_without_warps_is_open_where_a_search_has_one(asked, settings, is_open):
    assert (OPEN_WARPS in describe_plan(asked.with_settings(settings))) is is_open


@pytest.mark.parametrize("is_tried", [True, False])
def test_an_interrupted_run_has_decided_what_its_search_tries(asked, is_tried):
    asked = asked.with_settings({"effort": "standard"})
    plan = make_plan(asked)
    found = Warping(is_tried, 0.2, 0.5 if is_tried else 0.21)
    plan.run.path.mkdir(parents=True)
    plan.run.config.write_text(to_toml(plan.config))
    plan.run.decision(WARPING).write_text(json.dumps(found.as_json()))
    told = describe_plan(asked)
    assert (found.sentence in told) is not is_tried
    assert ("no shift or zoom" in told) is is_tried
    assert OPEN_WARPS not in told
