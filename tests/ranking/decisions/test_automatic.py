"""The backbone of a fit, chosen by a ranking."""

import dataclasses
import json

import pytest
from conftest import small_config
from ranked import Passes, register

from tfxfer.api.fit import describe_plan, fit
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.errors import RunError, UsageError
from tfxfer.planning.plan import make_plan
from tfxfer.ranking.decisions.automatic import (
    recorded_stages,
    with_best_backbone,
    with_best_stages,
)
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import STAGES, RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.training.epochs.session import Session
from tfxfer.training.preparation import holding
from tfxfer.training.transfer import prepare_fit


@pytest.fixture(autouse=True)
def _weights(tmp_path, monkeypatch, weights_file):
    register(monkeypatch, tmp_path / "home", weights_file)


@pytest.fixture
def asked(pictures, tmp_path):
    config = small_config(pictures, "x", tmp_path, cache_dir=str(tmp_path / "cache"))
    settings = {"head": {"epochs": 5}, "finetune": {"epochs": 1}}
    return dataclasses.replace(config, backbone="auto", weights=None).with_settings(settings)


def chosen(asked):
    lines = []
    config, ranking = isolated(with_best_backbone)(asked, lines.append)
    return config, ranking, "\n".join(lines)


@pytest.mark.slow
def test_the_best_of_the_local_backbones_is_chosen_in_a_share_of_the_time(asked):
    config, ranking, said = chosen(dataclasses.replace(asked, max_minutes=50.0))
    assert {one.backbone for one in ranking.backbones} >= {"small_a", "small_b", "resnet10_small"}
    assert config == dataclasses.replace(asked, backbone=ranking.best.backbone, max_minutes=40.0)
    assert ranking.recommendation in said
    assert "10 min" in said


def test_a_named_backbone_is_left_alone(asked):
    named = dataclasses.replace(asked, backbone="vgg16")
    assert with_best_backbone(named, print) == (named, None)


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"weights": "none"}, ["'weights'", "'auto'", "name a backbone"]),
        ({"finetune": {"unfreeze": "conv5"}}, ["--unfreeze", "'conv5'", "'all' or 'none'"]),
        ({"head": {"stages": "conv5"}}, ["--head-stages", "'conv5'", "a number of last stages"]),
        ({"data": ""}, ["Missing setting 'data'"]),
        ({"run": "a/b"}, ["plain name"]),
    ],
)
def test_settings_of_one_backbone_are_refused(asked, settings, parts):
    with pytest.raises(UsageError) as error:
        with_best_backbone(asked.with_settings(settings), print)
    assert all(part in str(error.value) for part in parts)


def test_the_plan_without_a_backbone_is_that_of_the_ranking(asked):
    text = describe_plan(asked)
    assert "resnet10_small" in text
    assert "small_a" in text
    assert "--backbone" in text


@pytest.mark.slow
def test_the_run_has_the_chosen_backbone_and_the_ranking(asked):
    result = fit(asked, run="first", say=lambda _: None)
    run = RunDirectory(result.run)
    ranking = json.loads(run.ranking.read_text())
    best = ranking["backbones"][0]["backbone"]
    assert read_recipe(run.config, FitConfig()).backbone == best
    page = run.report.read_text()
    assert 'id="backbones"' in page
    assert ranking["recommendation"] in page
    with pytest.raises(UsageError, match="already exists"):
        with_best_backbone(dataclasses.replace(asked, run="first"), print)


@pytest.mark.slow
def test_an_interrupted_fit_resumes_with_the_same_backbone(asked, tmp_path, monkeypatch):
    def stop(line):
        if line.startswith("finetune  epoch"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(asked, say=stop)
    (run,) = [RunDirectory(path) for path in (tmp_path / "runs").iterdir()]
    assert run.is_interrupted
    assert run.ranking.is_file()
    # Named, it keeps its backbone without another ranking.
    passes = Passes(monkeypatch)
    config, none, _ = chosen(dataclasses.replace(asked, run=run.path.name))
    assert config.backbone == read_recipe(run.config, FitConfig()).backbone
    assert (none, passes.since()) == (None, 0)
    lines = []
    result = fit(asked, say=lines.append)
    assert result.run == run.path
    assert "resum" in "\n".join(lines)


@pytest.fixture
def digits(weights_file, tmp_path):
    """Settings of a thorough search on images of which random weights lose much."""
    settings = {
        "run": "thorough",
        "effort": "thorough",
        "max_minutes": 600.0,
        "train_examples": 300,
        "validation_examples": 100,
        "finetune": {"epochs": 1, "unfreeze": "block_3"},
    }
    return small_config("digits", weights_file, tmp_path, **settings)


@isolated
def decided(config):
    """Returns what the head of a fit reads, and what was said; nothing is searched."""
    lines = []
    with Interruptions() as interruptions:
        plan = make_plan(config)
        session = Session(interruptions, lines.append)
        with holding(plan, "fit"):
            fitting = prepare_fit(plan, plan.build_classifier(plan.config.weights), session)
            found = with_best_stages(fitting, session)
            fitting.run.journal.close()
    assert found.materials.config == found.run.plan.config
    assert found.materials.classifiers.trained is found.run.classifier
    return found.run.plan.config.head.stages, found.run.classifier.reading.ends, lines


@pytest.mark.slow
def test_a_thorough_search_reads_all_stages_if_that_is_better_after_fine_tuning(digits, tmp_path):
    # What the last stage of random weights has lost, the first still has.
    stages, ends, lines = decided(digits)
    assert (stages, list(ends)) == ("all", ["stem", "block_1", "block_2"])
    run = RunDirectory(tmp_path / "runs" / "thorough")
    found = json.loads(run.decision(STAGES).read_text())
    assert found["last"]["log_loss"] > 0.25
    assert found["all"]["accuracy"] > found["last"]["accuracy"]
    assert found["fine_tuned"]["all"] < found["fine_tuned"]["last"]
    for name, expected in (("last", None), ("all", "all")):
        part = RunDirectory(run.path / f"stages-{name}")
        assert read_recipe(part.config, FitConfig()).head.stages == expected
        loss = json.loads(part.metrics.read_text())["validation"]["loss"]
        assert loss == found["fine_tuned"][name]
    assert any(line.startswith("finetune") for line in lines)
    # What is finished is not trained again.
    stages, _, lines = decided(digits)
    assert stages == "all"
    assert not any(line.startswith("finetune") for line in lines)
    assert recorded_stages(run) == "all"


def test_a_record_of_the_stages_that_is_damaged_is_an_error(tmp_path):
    run = RunDirectory(tmp_path)
    assert recorded_stages(run) is None
    run.decision(STAGES).write_text("{")
    with pytest.raises(RunError, match=r"stages.json', which.*cannot be read.*--run NAME"):
        recorded_stages(run)


@pytest.mark.parametrize(
    "settings",
    [{"effort": "standard"}, {"head": {"stages": "1"}}, {"head": {"optimizer": "adam"}}],
)
@pytest.mark.slow
def test_others_read_what_they_were_told(digits, tmp_path, settings):
    stages, ends, _ = decided(digits.with_settings(settings))
    assert (stages, ends) == (settings.get("head", {}).get("stages"), {})
    assert not RunDirectory(tmp_path / "runs" / "thorough").decision(STAGES).exists()
