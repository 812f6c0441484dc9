"""What heads are asked before training."""

import json

import pytest
from conftest import small_config

from tfxfer.config.recipes import to_toml
from tfxfer.planning.plan import make_plan
from tfxfer.ranking.decisions.augmenting import open_questions, with_recorded
from tfxfer.ranking.decisions.mirroring import Mirroring
from tfxfer.ranking.decisions.warping import Warping


@pytest.fixture
def asked(pictures, weights_file, tmp_path):
    return small_config(pictures, weights_file, tmp_path, effort="standard")


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({}, [Mirroring, Warping]),
        ({"effort": "quick"}, [Mirroring]),
        ({"augment": {"flip": False}}, [Warping]),
        ({"finetune": {"epochs": 0}}, []),
        ({"head": {"pooling": "flatten"}}, []),
    ],
)
def test_heads_decide_what_matters_and_is_left_open(asked, settings, kinds):
    config = asked.with_settings(settings)
    assert open_questions(make_plan(config), config) == kinds


def test_both_decisions_of_an_interrupted_run_hold(asked):
    plan = make_plan(asked)
    assert with_recorded(plan) is plan
    plan.run.path.mkdir(parents=True)
    plan.run.config.write_text(to_toml(plan.config))
    for found in (Mirroring(False, 0.2, 1.4, (0.2, 0.4)), Warping(False, 0.2, 0.21)):
        plan.run.decision(found.FILE).write_text(json.dumps(found.as_json()))
    decided = with_recorded(plan)
    assert [note.split(":")[0] for note in decided.source.notes[-2:]] == [
        "images are not flipped",
        "fine-tuning without shift and zoom is not tried",
    ]
    (way,) = decided.portfolio.ways
    assert (way.augment.flip, way.augment.shift) == (False, plan.config.augment.shift)
