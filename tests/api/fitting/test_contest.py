"""The best two backbones of a ranking, fine-tuned."""

import dataclasses
import signal

import pytest
from conftest import small_config
from ranked import register

from tfxfer.api.fitting.contest import with_better_of_two
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.errors import InterruptionError
from tfxfer.ranking.candidates import Limits, choose_candidates
from tfxfer.ranking.ranking import rank_backbones
from tfxfer.runs.metrics_record import read_metrics
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import MIRRORING, RunDirectory
from tfxfer.system.signals import Interruptions


@pytest.fixture
def asked(pictures, tmp_path, monkeypatch, weights_file):
    register(monkeypatch, tmp_path / "home", weights_file)
    config = small_config(pictures, "x", tmp_path, cache_dir=str(tmp_path / "cache"))
    settings = {"head": {"epochs": 3, "penalty": 3.0}, "finetune": {"epochs": 1}}
    asked = dataclasses.replace(config, backbone="auto", weights=None, effort="thorough")
    return asked.with_settings({**settings, "max_minutes": 60.0})


@pytest.mark.parametrize(
    "settings", [{"effort": "standard"}, {"backbone": "vgg16"}, {"effort": "quick"}]
)
def test_others_keep_what_they_have(settings):
    asked = FitConfig(backbone="auto", effort="thorough", max_minutes=9.0).with_settings(settings)
    config = dataclasses.replace(asked, backbone="vgg16")
    assert with_better_of_two(asked, config, None, None, print) == (config, None)


@pytest.mark.slow
def test_the_better_of_two_is_kept_and_finished_ones_are_not_trained_again(asked, tmp_path):
    candidates = choose_candidates(["small_a", "small_b"], Limits())
    config = dataclasses.replace(asked, backbone="small_a")
    ranking = isolated(rank_backbones)(config, candidates, Limits(), lambda _: None)
    names = [one.backbone for one in ranking.backbones]
    config = dataclasses.replace(asked, backbone=names[0])

    def contest(say):
        with Interruptions() as interruptions:
            return isolated(with_better_of_two)(asked, config, ranking, interruptions, say)

    lines = []

    def stopping(line):
        lines.append(line)
        if line.startswith("finetune  epoch") and sum("fine-tuned once" in x for x in lines) == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(InterruptionError, match=r"the best two .*Repeat the command to resume"):
        contest(stopping)
    lines.clear()
    chosen, told = contest(lines.append)
    # The first was finished, the second is resumed.
    assert any(line.startswith("resuming") for line in lines)
    assert sum(line.startswith("finetune  epoch") for line in lines) <= 2
    runs = [RunDirectory(path) for path in (tmp_path / "runs").iterdir()]
    assert all(run.path.name.startswith("auto-") for run in runs)
    losses = {
        read_recipe(run.config, FitConfig()).backbone: read_metrics(run).splits["validation"].loss
        for run in runs
    }
    assert set(losses) == set(names)
    assert chosen.backbone == min(losses, key=losses.get)
    assert chosen.max_minutes == pytest.approx(0.7 * 60)
    assert f"{chosen.backbone} has the lower validation loss" in told.as_json()["fine_tuned"]
    # Heads have said whether images are flipped.
    assert all(run.decision(MIRRORING).is_file() for run in runs)
    lines.clear()
    assert contest(lines.append) == (chosen, told)
    assert not any(line.startswith("finetune") for line in lines)
