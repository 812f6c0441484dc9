import dataclasses

import pytest
from photo_facts import FLOWERS

from tfxfer.config.schema import FitConfig
from tfxfer.planning.defaults import decide
from tfxfer.planning.portfolio import make_portfolio

PHOTOS = dataclasses.replace(
    FLOWERS, stages=("stem", *(f"block_{number}" for number in range(1, 17)))
)


def made(settings=None, **facts):
    asked = FitConfig(effort="thorough", max_minutes=60.0).with_settings(settings or {})
    known = dataclasses.replace(PHOTOS, **facts)
    return make_portfolio(decide(asked, known), asked, known)


def test_it_begins_with_all_that_the_standard_search_tries():
    standard = FitConfig()
    known = make_portfolio(decide(standard, PHOTOS), standard, PHOTOS)
    ours = made()
    assert (ours.head_alone, ours.ways, ours.deeper) == (known.head_alone, known.ways, known.deeper)
    assert ours.is_thorough
    assert not known.is_thorough


def test_further_ways_have_all_depths_and_rates_decay_both_optimizers_and_more_epochs():
    first = [ways[0] for ways in made().further]
    assert first[0].name == "all at 0.0001"
    assert {way.finetune.unfreeze for way in first} == {"all", "block_6", "block_13"}
    assert {way.finetune.learning_rate for way in first} == {1e-4, 3e-4, 1e-3, 1e-2}
    assert {way.finetune.layer_decay for way in first} == {1, 0.9}
    assert {way.finetune.optimizer for way in first} == {"adamw", "sgd"}
    assert {way.finetune.epochs for way in first} == {10, 20}
    assert {way.finetune.batch_norm for way in first} == {"frozen", "adapt"}
    assert all([way.is_plain for way in ways] == [False, True] for ways in made().further)


@pytest.mark.parametrize(
    ("settings", "facts"),
    [
        ({}, {}),
        ({}, {"num_train": 5000}),
        ({}, {"num_train": 50_000}),
        ({}, {"native_size": 64, "last_resolution": "conv5", "stages": ()}),
        ({"finetune": {"unfreeze": "all"}}, {}),
        ({"finetune": {"learning_rate": 1e-4, "epochs": 3, "optimizer": "sgd"}}, {}),
        ({"augment": {"shift": 0.1, "zoom": 0.0, "rotation": 5.0, "mixup": 0.5}}, {}),
    ],
    ids=str,
)
def test_no_two_ways_are_the_same_and_what_the_user_gave_is_in_all(settings, facts):
    portfolio = made(settings, **facts)
    ways = portfolio.all_ways[1:]
    assert len({way.name for way in ways}) == len(ways)
    settings_of = {(repr(way.finetune), repr(way.augment), way.seed) for way in ways}
    assert len(settings_of) == len(ways)
    for way in ways:
        for section, record in (("finetune", way.finetune), ("augment", way.augment)):
            for name, value in settings.get(section, {}).items():
                assert getattr(record, name) == value


def test_many_images_are_mixed_early():
    assert not any(way.augment.mixup for way in made().all_ways)
    portfolio = made(num_train=2000)
    mixed = [ways[0].augment.mixup > 0 and ways[0].augment.cutmix > 0 for ways in portfolio.further]
    assert mixed.index(True) < 2
    name = next(ways[0].name for ways in portfolio.further if ways[0].augment.mixup)
    assert "MixUp and CutMix" in name
    assert "20 epochs" in name


def test_without_batch_norm_none_adapts():
    ways = made(batch_norm=False).all_ways
    assert {way.finetune.batch_norm for way in ways} == {"frozen"}


def test_a_given_length_is_that_of_the_last_trial_too():
    assert made({"finetune": {"epochs": 3}}).times == 1
    assert made().times == 2
