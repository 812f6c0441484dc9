"""Rankings of small backbones: features once, an order, limits, resumption."""

import re

import numpy as np
import pytest
from conftest import SMALL_BACKBONE, trained_alone, write_pictures
from ranked import Passes, register

from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.ranking.candidates import Limits, choose_candidates
from tfxfer.ranking.images import Pool
from tfxfer.ranking.ranking import NUM_FOLDS, Extras, describe_ranking, rank_backbones
from tfxfer.system.isolation import isolated

NO_LIMITS = Limits()


@pytest.fixture(autouse=True)
def _weights(tmp_path, monkeypatch, weights_file):
    register(monkeypatch, tmp_path / "home", weights_file)


@pytest.fixture
def colors(tmp_path):
    """30 images without splits."""
    return write_pictures(tmp_path / "colors", 10)


@pytest.fixture
def passes(monkeypatch):
    return Passes(monkeypatch)


def ranked(data, cache, names=("small_a", "small_b"), limits=NO_LIMITS, **settings):
    """Returns a ranking, and what was said."""
    lines = []
    config = FitConfig(data=str(data), image_size=32, cache_dir=str(cache))
    extras = settings.pop("extras", Extras())
    ranking = isolated(rank_backbones)(
        config.with_settings(settings),
        choose_candidates(names, limits),
        limits,
        lines.append,
        extras,
    )
    return ranking, "\n".join(lines)


@pytest.mark.slow
def test_backbones_are_ranked_by_their_heads(pictures, tmp_path):
    ranking, said = ranked(pictures, tmp_path / "cache")
    assert ranking.num_images == 30
    assert {one.backbone for one in ranking.backbones} == {"small_a", "small_b"}
    for one in ranking.backbones:
        assert one.accuracy > 0.9  # the colors are easy
        assert one.interval[0] < one.accuracy <= one.interval[1]
        assert one.milliseconds > 0
        assert one.parameters == BACKBONES[SMALL_BACKBONE].num_parameters
        assert one.megabytes == pytest.approx(4 * (12_992 + 64 * 3 + 3) / 1e6)
        assert np.isfinite([one.logme, one.h_score, one.log_loss]).all()
    assert ranking.best.group == 1
    assert said.index("backbones       small_a, small_b") < said.index("small_a: accuracy")


@pytest.mark.slow
def test_another_seed_and_a_fit_compute_no_feature_again(colors, tmp_path, passes):
    cache = tmp_path / "cache"
    ranked(colors, cache)
    assert passes.since() == 2 * 30
    other, _ = ranked(colors, cache, seed=1)
    assert other.seed == 1
    trained_alone(
        FitConfig(
            data=str(colors),
            backbone="small_a",
            image_size=32,
            cache_dir=str(cache),
            runs_dir=str(tmp_path / "runs"),
            export_dir=str(tmp_path / "exports"),
        ).with_settings({"finetune": {"epochs": 0}})
    )
    assert passes.since() == 0


@pytest.mark.slow
def test_an_interrupted_ranking_resumes_with_what_is_missing(pictures, tmp_path, passes):
    cache = tmp_path / "cache"
    passes.fail_after = 30  # after the first backbone
    with pytest.raises(KeyboardInterrupt):
        ranked(pictures, cache)
    assert passes.since() == 30
    passes.fail_after = None
    resumed, _ = ranked(pictures, cache)
    assert passes.since() == 30
    whole, _ = ranked(pictures, tmp_path / "another")
    scores = ("backbone", "accuracy", "interval", "log_loss", "logme", "h_score", "group")
    for one, other in zip(resumed.backbones, whole.backbones):
        assert [getattr(one, name) for name in scores] == [getattr(other, name) for name in scores]


def test_slow_backbones_are_skipped_and_named(pictures, tmp_path):
    with pytest.raises(UsageError, match=r"small_a.*ms per image.*Raise the limits"):
        ranked(pictures, tmp_path / "cache", limits=Limits(max_milliseconds=1e-6))


def test_an_exhausted_time_budget_skips_what_is_left(pictures, tmp_path, passes):
    with pytest.raises(UsageError, match="time budget"):
        ranked(pictures, tmp_path / "cache", limits=Limits(max_minutes=1e-9))
    assert passes.since() == 0


@pytest.mark.slow
def test_a_backbone_that_needs_larger_images_is_skipped(pictures, tmp_path):
    ranking, said = ranked(pictures, tmp_path, ["resnet10_small", "small_a"], image_size=16)
    assert [one.backbone for one in ranking.backbones] == ["resnet10_small"]
    assert ranking.skipped[0].backbone == "small_a"
    assert re.search("small_a: not ranked.* 32 pixels", said)


@pytest.mark.slow
def test_the_outlook_compares_with_random_weights(pictures, tmp_path, passes):
    ranking, _ = ranked(
        pictures, tmp_path / "cache", ["small_a"], extras=Extras(learning_curve=True)
    )
    assert passes.since() == 60
    low, high = ranking.outlook.random_interval
    assert low <= ranking.outlook.random_accuracy <= high
    again, _ = ranked(
        pictures, tmp_path / "cache", ["small_a"], extras=Extras(learning_curve=True), seed=4
    )
    assert passes.since() == 0
    assert again.seed == 4


def test_the_plan_names_data_backbones_and_limits(pictures):
    config = FitConfig(data=str(pictures), image_size=32)
    limits = Limits(max_minutes=2.0)
    candidates = choose_candidates(["small_a", "vgg16"], limits)
    lines = describe_ranking(Pool(config, NUM_FOLDS), candidates, limits)
    text = "\n".join(lines)
    assert "train 21, validation 9" in text
    assert "vgg16: weights not available locally" in text
    assert "2 min" in text


@pytest.mark.slow
def test_the_stages_of_the_best_backbone_pass_their_images_once(pictures, tmp_path, passes):
    for seed in (0, 1):
        ranking, _ = ranked(
            pictures, tmp_path / "cache", ["small_a"], extras=Extras(stages=True), seed=seed
        )
        names = [one.stage for one in ranking.stages]
        assert names == ["stem", "block_1", "block_2", "block_3", "all stages"]
    assert passes.since() == 60
    assert ranking.stages[-2].metric == ranking.best.metric
    assert ranking.as_json()["stages"][0]["num_features"] == 16
