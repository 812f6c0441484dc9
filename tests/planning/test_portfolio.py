import dataclasses

import pytest
from photo_facts import FLOWERS

from tfxfer.config.schema import FitConfig
from tfxfer.planning.defaults import decide
from tfxfer.planning.portfolio import make_portfolio

GEOMETRY = ("shift", "zoom", "rotation")


def made(settings=None, **facts):
    asked = FitConfig(effort="standard").with_settings(settings or {})
    known = dataclasses.replace(FLOWERS, **facts)
    return make_portfolio(decide(asked, known), asked, known)


def rows(ways):
    """Returns what ways train and how fast, and whether shift and zoom are off."""
    return [(way.finetune.unfreeze, way.finetune.learning_rate, way.is_plain) for way in ways]


def test_few_photos_are_tried_without_shift_and_zoom_and_then_deeper():
    portfolio = made()
    assert rows(portfolio.ways) == [("block_13", 3e-4, False), ("block_13", 3e-4, True)]
    assert rows(portfolio.deeper) == [("all", 3e-4, False), ("all", 3e-4, True)]
    assert [way.finetune.layer_decay for way in portfolio.deeper] == [0.9, 0.9]
    assert portfolio.epochs == 30
    # Training all takes three times as long, and seeing views twice a third less.
    assert portfolio.cost == pytest.approx((0.7 + 1 + 3) / 0.7)
    assert len({way.name for way in portfolio.all_ways}) == 5


@pytest.mark.parametrize("facts", [{"num_train": 5000}, {"native_size": 64}, {"side": 32}], ids=str)
def test_where_the_default_trains_all_there_is_nothing_deeper(facts):
    portfolio = made(**facts)
    assert [way.finetune.unfreeze for way in portfolio.ways] == ["all", "all"]
    assert [way.is_plain for way in portfolio.ways] == [False, True]
    assert portfolio.deeper == ()
    assert portfolio.epochs == 2 * portfolio.default.finetune.epochs
    assert portfolio.cost == 2


def test_the_default_is_the_first_way():
    assert (made().default.finetune, made().default.augment) == (
        decide(FitConfig(), FLOWERS).finetune,
        decide(FitConfig(), FLOWERS).augment,
    )


def test_the_head_alone_is_among_them_and_trains_nothing():
    head = made().head_alone
    assert (head.name, head.finetune.epochs, head.finetune.unfreeze) == ("head alone", 0, "none")


def test_the_head_alone_mixes_no_images():
    asked = FitConfig().with_settings({"augment": {"mixup": 0.2}})
    portfolio = make_portfolio(decide(asked, FLOWERS), asked, FLOWERS)
    assert portfolio.head_alone.augment.mixup == 0.0
    assert {way.augment.mixup for way in portfolio.ways} == {0.2}


@pytest.mark.parametrize("setting", [{"ema": 0.5}, {"layer_decay": 0.8}, {"head_rate": 10.0}])
def test_a_search_can_end_with_the_head_alone_whatever_fine_tuning_was_asked_for(setting):
    asked = FitConfig(effort="standard").with_settings({"finetune": setting})
    config = decide(asked, FLOWERS)
    portfolio = make_portfolio(config, asked, FLOWERS)
    assert portfolio.head_alone.applied(config).finetune.epochs == 0
    assert all(getattr(portfolio.default.finetune, name) == x for name, x in setting.items())


def test_a_way_without_geometry_still_flips():
    *_, plain = made(side=80).ways
    assert [getattr(plain.augment, name) for name in GEOMETRY] == [0, 0, 0]
    assert plain.augment.flip
    assert plain.name == "all at 0.0001, no shift or zoom"


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        ({"finetune": {"unfreeze": "block_16"}}, (2, 0)),
        ({"finetune": {"learning_rate": 1e-3}}, (2, 2)),
        ({"augment": {"shift": 0.0, "zoom": 0.0, "rotation": 0.0}}, (1, 1)),
        ({"finetune": {"batch_norm": "adapt", "optimizer": "sgd", "epochs": 3}}, (2, 2)),
        ({"finetune": {"unfreeze": "all"}, "augment": {"shift": 0.2}}, (2, 0)),
    ],
)
def test_what_the_user_gave_is_the_same_in_all_ways(settings, counts):
    portfolio = made(settings)
    ways = (*portfolio.ways, *portfolio.deeper)
    assert (len(portfolio.ways), len(portfolio.deeper)) == counts
    for way in ways:
        for section, record in (("finetune", way.finetune), ("augment", way.augment)):
            for name, value in settings.get(section, {}).items():
                assert getattr(record, name) == value
    assert len({way.name for way in ways}) == sum(counts)


@pytest.mark.parametrize(
    ("settings", "facts"),
    [
        (
            {
                "finetune": {"unfreeze": "all"},
                "augment": {"shift": 0.1, "zoom": 0.1, "rotation": 0.0},
            },
            {},
        ),
        ({"finetune": {"epochs": 0}}, {}),
        ({"finetune": {"unfreeze": "none"}}, {}),
        ({"head": {"epochs": 0}}, {}),
        ({"weights": "none"}, {}),
        ({}, {"num_train": 20_000}),
    ],
    ids=["all is given", "no epochs", "none", "no head", "random weights", "many images"],
)
def test_there_is_nothing_to_search(settings, facts):
    assert made(settings, **facts) is None


def test_the_settings_of_a_way_are_a_recipe_without_a_search():
    asked = FitConfig(effort="standard", seed=3)
    config = decide(asked, FLOWERS)
    way = make_portfolio(config, asked, FLOWERS).ways[-1]
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
