import dataclasses

import numpy as np
import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.planning.defaults import decide
from tfxfer.planning.portfolio import make_portfolio
from tfxfer.planning.rules.facts import Facts
from tfxfer.training.search.choosing import Trial
from tfxfer.training.search.timing import expected_seconds, reserved_seconds

STAGES = ("stem", *(f"block_{number}" for number in range(1, 17)))
FACTS = Facts(
    500, 200, 5, 1280, 300, True, 224, 32, "block_13", "imagenet", stages=STAGES, batch_norm=True
)
ASKED = FitConfig(effort="thorough", max_minutes=60.0)
PORTFOLIO = make_portfolio(decide(ASKED, FACTS), ASKED, FACTS)
WAYS = {way.name: way for way in PORTFOLIO.all_ways}


def took(name, seconds, epochs=10):
    return Trial(name, epochs, 1, np.zeros(3), np.ones(3, bool), 1.0, seconds)


HEAD = took("head alone", 0.0, epochs=0)
DEFAULT = took("block_13 at 0.0003", 100.0)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("block_13 at 0.001", 100),
        ("block_13 at 0.0003, 20 epochs", 200),
        ("block_6 at 0.0003, layer decay 0.9", 200),
        # The epochs of the default see each view of an image twice, which saves time.
        ("all at 0.0001", 300 / 0.7),
        ("all at 0.0003, layer decay 0.9, BatchNorm adapts", 750 / 0.7),
    ],
)
def test_it_follows_from_what_is_trained_and_for_how_long(name, seconds):
    found = expected_seconds(WAYS[name], PORTFOLIO, [HEAD, DEFAULT])
    assert found == pytest.approx(1.2 * seconds)


def test_a_trial_of_the_same_part_tells_more_than_any_other():
    trials = [HEAD, DEFAULT, took("all at 0.0003, layer decay 0.9", 150.0)]
    assert expected_seconds(WAYS["all at 0.001, layer decay 0.9"], PORTFOLIO, trials) == (
        pytest.approx(1.2 * 150)
    )
    # On other images it may take longer, so the slower of both estimates counts.
    plain = WAYS["all at 0.0001, no shift or zoom"]
    assert expected_seconds(plain, PORTFOLIO, trials) == pytest.approx(1.2 * 300 / 0.7)


def test_a_diverged_trial_counts_with_the_epochs_that_it_had():
    short = dataclasses.replace(took("block_13 at 0.001", 30.0, epochs=2), best_epoch=0)
    way = WAYS["block_13 at 0.0001"]
    assert expected_seconds(way, PORTFOLIO, [HEAD, DEFAULT, short]) == pytest.approx(1.2 * 150)


def test_nothing_is_known_if_all_diverged_at_once():
    diverged = dataclasses.replace(DEFAULT, epochs=0, seconds=0.0)
    assert expected_seconds(WAYS["all at 0.0001"], PORTFOLIO, [HEAD, diverged]) == 0


def test_time_is_reserved_for_averages_and_the_export():
    assert reserved_seconds([HEAD, DEFAULT], 0.25) == pytest.approx(18 * 0.25 * 10 + 20)
    assert reserved_seconds([HEAD], 0.25) == 20
