"""Which backbones are ranked."""

import pytest
from presets import written_preset
from ranked import NAMES, register

from tfxfer.errors import UsageError
from tfxfer.models.backbones.registry import BACKBONES, local_weights
from tfxfer.ranking.candidates import (
    DEFAULT_NUMBER,
    RANKING_SETTINGS,
    WELL_CHOSEN,
    Limits,
    Skipped,
    choose_candidates,
    describe_skipped,
)

NO_LIMITS = Limits()
NO_WEIGHTS = "weights not available locally"


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch, weights_file):
    """The folder of weights; two small backbones have theirs there."""
    return register(monkeypatch, tmp_path, weights_file)


def names(candidates):
    return [one.name for one in candidates.backbones]


def test_the_named_backbones_are_ranked_each_once():
    found = choose_candidates(["Small_A", "resnet10-small", "small_a"], NO_LIMITS)
    assert names(found) == ["small_a", "resnet10_small"]  # the smallest first
    assert found.skipped == ()


def test_presets_are_ranked_like_others(tmp_path):
    folder = written_preset(tmp_path / "net")
    (skipped,) = choose_candidates([f"kerashub:{folder}", "small_a"], NO_LIMITS).skipped
    assert skipped == Skipped(f"kerashub:{folder}", NO_WEIGHTS)
    (folder / "model.weights.h5").write_bytes(b"x" * 200_000)
    found = choose_candidates([f"kerashub:{folder}", "small_a"], NO_LIMITS)
    assert f"kerashub:{folder}" in names(found)


def test_by_default_those_available_locally_are_ranked_and_the_others_named():
    found = choose_candidates([], NO_LIMITS)
    others = [name for name, one in BACKBONES.items() if local_weights(one) is not None]
    assert {*NAMES, "resnet10_small"} <= set(others)
    assert sorted(names(found)) == sorted(others)
    assert found.skipped == tuple(Skipped(name, NO_WEIGHTS) for name in WELL_CHOSEN)


def test_the_default_is_a_dozen_of_the_well_chosen_ones(models):
    for name in WELL_CHOSEN:
        (models / BACKBONES[name].weights_file).touch()
    assert len(WELL_CHOSEN) == DEFAULT_NUMBER
    assert sorted(names(choose_candidates([], NO_LIMITS))) == sorted(WELL_CHOSEN)
    everything = choose_candidates([], NO_LIMITS, all_backbones=True)
    assert {*WELL_CHOSEN, *NAMES, "resnet10_small"} <= set(names(everything))


def test_the_well_chosen_backbones_exist():
    assert set(WELL_CHOSEN) <= BACKBONES.keys()


def test_large_backbones_are_skipped():
    found = choose_candidates(["small_a", "resnet10_small"], Limits(max_parameters=1e6))
    assert names(found) == ["small_a"]
    (skipped,) = found.skipped
    assert skipped.backbone == "resnet10_small"
    assert "1.2 million parameters" in skipped.reason


def test_an_unknown_backbone_is_an_error_with_a_suggestion():
    with pytest.raises(UsageError, match="Unknown backbone 'resnet5'. Did you mean 'resnet50'"):
        choose_candidates(["small_a", "resnet5"], NO_LIMITS)


def test_without_any_backbone_left_the_error_says_why():
    with pytest.raises(UsageError, match="vgg16, resnet50: weights not available locally"):
        choose_candidates(["vgg16", "resnet50"], NO_LIMITS)


def test_names_and_all_contradict_each_other():
    with pytest.raises(UsageError, match="--all"):
        choose_candidates(["small_a"], NO_LIMITS, all_backbones=True)


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_limits_are_above_zero(value):
    with pytest.raises(UsageError, match="max_minutes.*--max-minutes.*above 0"):
        Limits(max_minutes=value)


def test_reasons_are_named_once():
    skipped = [Skipped("a", "x"), Skipped("b", "y"), Skipped("c", "x")]
    assert describe_skipped(skipped) == ["a, c: x", "b: y"]


def test_the_settings_of_a_ranking_are_settings_of_fit():
    from tfxfer.config.schema import FitConfig
    from tfxfer.config.settings import setting_keys

    assert set(RANKING_SETTINGS) <= set(setting_keys(FitConfig))
