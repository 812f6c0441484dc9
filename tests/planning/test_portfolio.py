import dataclasses

import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.planning.defaults import Facts, decide
from tfxfer.planning.portfolio import make_portfolio

PHOTOS = Facts(
    num_train=500,
    num_validation=200,
    num_classes=5,
    num_features=1280,
    side=300,
    mirrored=True,
    native_size=224,
    min_size=32,
    last_resolution="block_13",
    weights_name="imagenet",
)
GEOMETRY = ("shift", "zoom", "rotation")


def made(settings=None, **facts):
    asked = FitConfig(effort="standard").with_settings(settings or {})
    known = dataclasses.replace(PHOTOS, **facts)
    return make_portfolio(decide(asked, known), asked, known)


def rows(portfolio):
    """Returns what the ways train and how fast, and those without shift and zoom."""
    return [
        (way.finetune.unfreeze, way.finetune.learning_rate, way.is_plain) for way in portfolio.ways
    ]


def test_few_photos_have_five_ways_from_the_default_to_all_at_a_high_rate():
    assert rows(made()) == [
        ("block_13", 3e-5, False),
        ("block_13", 3e-4, False),
        ("all", 1e-4, False),
        ("all", 3e-4, False),
        ("block_13", 3e-4, True),
    ]


def test_a_way_that_is_the_default_is_there_once():
    # From 2,000 images on, the default is all at 1e-4.
    portfolio = made(num_train=5000)
    assert rows(portfolio) == [
        ("all", 1e-4, False),
        ("block_13", 3e-4, False),
        ("all", 3e-4, False),
        ("block_13", 3e-4, True),
    ]
    assert portfolio.ways[0].name == "all at 0.0001"


def test_a_network_for_small_images_has_rates_around_its_higher_default():
    assert rows(made(native_size=64)) == [
        ("all", 3e-4, False),
        ("all", 1e-4, False),
        ("block_13", 1e-3, False),
        ("all", 1e-3, False),
        ("all", 3e-4, True),
    ]


def test_the_head_alone_is_among_them_and_trains_nothing():
    head = made().head_alone
    assert (head.name, head.finetune.epochs, head.finetune.unfreeze) == ("head alone", 0, "none")


def test_a_way_without_geometry_still_flips():
    *_, plain = made(side=80).ways
    assert [getattr(plain.augment, name) for name in GEOMETRY] == [0, 0, 0]
    assert plain.augment.flip
    assert plain.name == "block_13 at 0.0003, no shift or zoom"


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"finetune": {"unfreeze": "block_16"}}, 4),  # 3e-5, 3e-4, 1e-4, and 3e-4 plain
        ({"finetune": {"learning_rate": 1e-3}}, 3),
        ({"augment": {"shift": 0.0, "zoom": 0.0, "rotation": 0.0}}, 4),
        ({"finetune": {"batch_norm": "adapt", "optimizer": "sgd", "warmup_epochs": 0.0}}, 5),
        ({"finetune": {"unfreeze": "all", "learning_rate": 1e-3}, "augment": {"shift": 0.2}}, 2),
    ],
)
def test_what_the_user_gave_is_the_same_in_all_ways(settings, count):
    portfolio = made(settings)
    assert len(portfolio.ways) == count
    for way in portfolio.ways:
        for section, record in (("finetune", way.finetune), ("augment", way.augment)):
            for name, value in settings.get(section, {}).items():
                assert getattr(record, name) == value
    assert len({way.name for way in portfolio.ways}) == count


def test_with_all_settings_given_there_is_one_way_and_nothing_to_search():
    given = {"unfreeze": "all", "learning_rate": 1e-3}
    still = {"shift": 0.1, "zoom": 0.1, "rotation": 0.0}
    portfolio = made({"finetune": given, "augment": still})
    assert (len(portfolio.ways), portfolio.epochs) == (1, 0)


@pytest.mark.parametrize(
    ("settings", "facts", "epochs", "rungs"),
    [
        ({}, {}, 10, (1, 2)),
        ({"finetune": {"epochs": 40}}, {}, 40, (4, 8)),
        ({"finetune": {"epochs": 3}}, {}, 3, (1, 2)),
        ({}, {"num_train": 245}, 10, (2, 4)),  # 8 steps an epoch
        ({}, {"num_train": 20}, 10, (10, 10)),  # one step an epoch
        ({}, {"native_size": 64}, 20, (2, 4)),
    ],
)
def test_the_schedule_is_the_user_s_or_ten_epochs_and_rungs_are_shares_of_it(
    settings, facts, epochs, rungs
):
    portfolio = made(settings, **facts)
    assert {way.finetune.epochs for way in portfolio.ways} == {epochs}
    assert portfolio.rungs == rungs


def test_the_search_costs_less_than_the_whole_schedule_where_epochs_have_enough_steps():
    portfolio = made()
    # Five ways for one epoch, then two of them for two.
    assert portfolio.epochs == 5 * 1 + 2 * 2 < portfolio.ways[0].finetune.epochs
    assert made({"finetune": {"learning_rate": 1e-3}}).epochs == 3  # one is left at once


def test_a_trial_has_a_complete_schedule():
    way = made().ways[1]
    trial = way.schedule(1)
    assert (trial.epochs, trial.warmup_epochs, trial.decay) == (1, 0.25, "cosine")
    assert way.schedule(4).warmup_epochs == way.finetune.warmup_epochs == 0.5
    same = dataclasses.replace(trial, epochs=way.finetune.epochs, warmup_epochs=0.5)
    assert same == way.finetune


def test_the_settings_of_a_way_are_a_recipe_without_a_search():
    asked = FitConfig(effort="standard", seed=3)
    config = decide(asked, PHOTOS)
    way = make_portfolio(config, asked, PHOTOS).ways[-1]
    applied = way.applied(config)
    assert (applied.effort, applied.finetune, applied.augment) == (
        "quick",
        way.finetune,
        way.augment,
    )
    undone = dataclasses.replace(
        applied, effort="standard", finetune=config.finetune, augment=config.augment
    )
    assert undone == config
