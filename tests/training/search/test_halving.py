import dataclasses
import math

import numpy as np
import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.planning.defaults import Facts, decide
from tfxfer.planning.portfolio import make_portfolio
from tfxfer.training.search.halving import (
    Choice,
    Trial,
    best_trial,
    is_better,
    next_trial,
    standard_error,
    survivors,
)

FACTS = Facts(500, 200, 5, 1280, 300, True, 224, 32, "block_13", "imagenet")
ASKED = FitConfig(effort="standard")
PORTFOLIO = make_portfolio(decide(ASKED, FACTS), ASKED, FACTS)
NAMES = [way.name for way in PORTFOLIO.ways]
NOISE = np.random.default_rng(0).normal(size=100)


def trial(way, loss, rung=1, spread=0.01, accuracy=0.9):
    """Returns a trial with a mean loss, and noise of its own with a mean of zero."""
    own = np.roll(NOISE, len(way) * 7 + rung)
    return Trial(way, rung, rung, loss + spread * (own - own.mean()), accuracy, 1.0)


def after(losses, second=()):
    """Returns the trials of a head with loss 1 and of the first ways, then of the second rung."""
    return [
        trial("head alone", 1.0, rung=0),
        *(trial(name, loss) for name, loss in zip(NAMES, losses, strict=False)),
        *(trial(name, loss, rung=2) for name, loss in second),
    ]


def test_the_standard_error_is_that_of_the_mean():
    draws = np.random.default_rng(1).normal(scale=2.0, size=(20_000, 25))
    errors = [standard_error(values) for values in draws[:500]]
    assert np.mean(errors) == pytest.approx(draws.mean(axis=1).std(), rel=0.02)
    assert standard_error(np.array([3.0])) == 0


def test_what_is_better_must_gain_more_than_the_error_of_the_gain():
    losses = np.array([1.0, 2.0, 3.0, 4.0])
    simple = Trial("simple", 1, 1, losses, 0.5, 1.0)

    def gaining(*gains):
        return dataclasses.replace(simple, losses=losses - np.array(gains))

    # The losses differ widely between images, the gains do not: pairs tell what means do not.
    assert is_better(gaining(0.1, 0.1, 0.1, 0.1), simple)
    assert not is_better(gaining(-0.1, -0.1, -0.1, -0.1), simple)
    # A mean of 0.25 with a standard error of 0.25, then of 0.2.
    assert not is_better(gaining(1.0, 0.0, 0.0, 0.0), simple)
    spread = math.sqrt(3) * 0.2
    assert is_better(gaining(0.25 + spread, 0.25 - spread, 0.25 + spread, 0.25 - spread), simple)
    assert not is_better(gaining(*[-math.inf] * 4), simple)


def test_the_simplest_is_best_that_the_lowest_is_not_better_than():
    head, slow, fast = (
        trial("head alone", 1.0, 0),
        trial(NAMES[0], 0.5002, spread=0.1),
        trial(NAMES[1], 0.5),
    )
    assert best_trial([head, slow, fast]) is slow
    assert best_trial([head, fast]) is fast
    assert best_trial([trial("head alone", 0.4, 0), slow, fast]).way == "head alone"


def test_every_way_is_tried_in_the_first_rung_in_its_order():
    losses = [0.9, 0.8, 0.7, 0.6, 0.5]
    for number, way in enumerate(PORTFOLIO.ways):
        assert next_trial(PORTFOLIO, after(losses[:number])) == (way, 1)


def test_the_worse_half_is_dropped_and_the_rest_is_tried_for_longer():
    trials = after([0.9, 0.5, 0.7, 0.6, 0.8])
    assert survivors(PORTFOLIO, trials) == [NAMES[1], NAMES[3]]
    assert next_trial(PORTFOLIO, trials) == (PORTFOLIO.ways[1], 2)
    trials = after([0.9, 0.5, 0.7, 0.6, 0.8], [(NAMES[1], 0.4)])
    assert next_trial(PORTFOLIO, trials) == (PORTFOLIO.ways[3], 2)


def test_the_last_rung_decides_and_the_reason_has_its_figures():
    choice = next_trial(
        PORTFOLIO, after([0.9, 0.5, 0.7, 0.6, 0.8], [(NAMES[1], 0.4), (NAMES[3], 0.3)])
    )
    assert isinstance(choice, Choice)
    assert choice.way is PORTFOLIO.ways[3]
    assert "0.3000" in choice.reason
    assert "gains 0.7000" in choice.reason


def test_noise_does_not_choose_the_less_simple_way():
    trials = after([0.9, 0.5, 0.7, 0.6, 0.8], [(NAMES[1], 0.4), (NAMES[3], 0.3999)])
    choice = next_trial(PORTFOLIO, trials)
    assert choice.way is PORTFOLIO.ways[1]
    assert f"{NAMES[3]} gains 0.0001" in choice.reason


def test_where_no_way_is_better_than_the_head_the_search_stops():
    choice = next_trial(PORTFOLIO, after([1.1, 1.2, 1.0, 1.3, math.inf]))
    assert choice.way is None
    assert NAMES[2] in choice.reason


def test_a_head_at_the_ceiling_ends_the_search_before_it_begins():
    at_ceiling = trial("head alone", 0.005, rung=0, spread=0.0, accuracy=1.0)
    assert next_trial(PORTFOLIO, [at_ceiling]).way is None
    for almost in ({"accuracy": 0.99}, {"losses": np.full(10, 0.02)}):
        trials = [dataclasses.replace(at_ceiling, **almost)]
        assert next_trial(PORTFOLIO, trials) == (PORTFOLIO.ways[0], 1)


def test_a_way_that_diverged_is_dropped():
    diverged = Trial(NAMES[3], 1, 1, np.full(100, math.inf), 0.0, 1.0)
    trials = after([0.9, math.inf, math.inf])
    trials[2:4] = [dataclasses.replace(diverged, way=name) for name in NAMES[1:3]]
    trials += [diverged, trial(NAMES[4], 0.8)]
    assert survivors(PORTFOLIO, trials) == [NAMES[0], NAMES[4]]
    assert math.isnan(diverged.error)


def test_three_ways_leave_one_that_is_chosen_at_once():
    asked = ASKED.with_settings({"finetune": {"learning_rate": 1e-3}})
    portfolio = make_portfolio(decide(asked, FACTS), asked, FACTS)
    names = [way.name for way in portfolio.ways]
    trials = [trial("head alone", 1.0, 0), *map(trial, names, [0.5, 0.4, 0.6])]
    assert next_trial(portfolio, trials).way is portfolio.ways[1]


def test_a_single_way_is_chosen_untried():
    given = {"finetune": {"unfreeze": "all", "learning_rate": 1e-3}}
    asked = ASKED.with_settings({**given, "augment": {"shift": 0.0, "zoom": 0.0, "rotation": 0.0}})
    portfolio = make_portfolio(decide(asked, FACTS), asked, FACTS)
    choice = next_trial(portfolio, [trial("head alone", 1.0, 0)])
    assert choice.way is portfolio.ways[0]
