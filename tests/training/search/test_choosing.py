import dataclasses
import math

import numpy as np
import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.planning.defaults import decide
from tfxfer.planning.portfolio import make_portfolio
from tfxfer.planning.rules.facts import Facts
from tfxfer.training.search.choosing import (
    Trial,
    choose,
    is_better,
    leader,
    next_way,
    optimism,
    standard_error,
)

FACTS = Facts(500, 200, 5, 1280, 300, True, 224, 32, "block_13", "imagenet")
ASKED = FitConfig(effort="standard")
PORTFOLIO = make_portfolio(decide(ASKED, FACTS), ASKED, FACTS)
NAMES = [way.name for way in PORTFOLIO.ways]
DEEPER = [way.name for way in PORTFOLIO.deeper]
NOISE = np.random.default_rng(0).normal(size=100)


def trial(way, loss, spread=0.01, accuracy=0.9):
    """Returns a trial with a mean loss, and noise of its own with a mean of zero."""
    own = np.roll(NOISE, len(way) * 7)
    hits = np.ones(len(own), bool)
    losses = loss + spread * (own - own.mean())
    return Trial(way, 10, 8, losses, hits, accuracy, 1.0, "no shift" in way)


def after(*losses, deeper=None):
    """Returns the trials of a head with loss 1, of the first ways, and of one that is deeper."""
    head = dataclasses.replace(trial("head alone", 1.0), epochs=0, best_epoch=0)
    ways = [*NAMES, deeper] if deeper else NAMES
    return [head, *map(trial, ways, losses)]


def diverged(way):
    return Trial(way, 1, 0, np.full(100, math.inf), np.zeros(100, bool), 0.0, 1.0)


def test_the_standard_error_is_that_of_the_mean():
    draws = np.random.default_rng(1).normal(scale=2.0, size=(20_000, 25))
    errors = [standard_error(values) for values in draws[:500]]
    assert np.mean(errors) == pytest.approx(draws.mean(axis=1).std(), rel=0.02)
    assert standard_error(np.array([3.0])) == 0


def test_to_give_up_warps_takes_two_errors_of_the_gain():
    warped = trial("warped", 1.0)
    head = dataclasses.replace(warped, way="head alone", epochs=0, best_epoch=0)
    noise = 0.1 * (NOISE - NOISE.mean())

    def gaining(errors, **changes):
        losses = warped.losses - (noise + errors * standard_error(noise))
        return dataclasses.replace(warped, way="other", losses=losses, **changes)

    assert is_better(gaining(1.5), warped)
    assert not is_better(gaining(1.5, is_plain=True), warped)
    assert is_better(gaining(2.5, is_plain=True), warped)
    assert is_better(gaining(1.5, is_plain=True), head)
    assert is_better(gaining(1.5, is_plain=True), dataclasses.replace(warped, is_plain=True))


def test_what_is_better_must_gain_more_than_half_the_error_of_the_gain():
    losses = np.array([1.0, 2.0, 3.0, 4.0])
    simple = Trial("simple", 1, 1, losses, losses < 3, 0.5, 1.0)

    def gaining(*gains):
        return dataclasses.replace(simple, losses=losses - np.array(gains))

    # The losses differ widely between images, the gains do not: pairs tell what means do not.
    assert is_better(gaining(0.1, 0.1, 0.1, 0.1), simple)
    assert not is_better(gaining(-0.1, -0.1, -0.1, -0.1), simple)
    # A mean of 0.25 with a standard error of 0.51, then of 0.49.
    for error, expected in ((0.51, False), (0.49, True)):
        spread = math.sqrt(3) * error
        gains = (0.25 + spread, 0.25 - spread, 0.25 + spread, 0.25 - spread)
        assert is_better(gaining(*gains), simple) is expected
    assert not is_better(gaining(*[-math.inf] * 4), simple)


def test_every_way_is_tried_in_its_order():
    for number, way in enumerate(PORTFOLIO.ways):
        assert next_way(PORTFOLIO, after(*[0.1, 0.1][:number])) is way
    assert next_way(PORTFOLIO, after(0.1, 0.1)) is None


@pytest.mark.parametrize(
    ("losses", "place"), [((0.3, 0.5), 0), ((0.5, 0.3), 1), ((1.5, 1.5), 0)], ids=str
)
def test_where_much_is_left_to_gain_all_is_trained_with_the_better_augmentation(losses, place):
    assert next_way(PORTFOLIO, after(*losses)) is PORTFOLIO.deeper[place]
    trials = after(*losses, 0.4, deeper=DEEPER[place])
    assert next_way(PORTFOLIO, trials) is None
    flat = dataclasses.replace(PORTFOLIO, deeper=())
    assert next_way(flat, after(*losses)) is None


def test_the_default_leads_if_an_epoch_of_it_is_better_than_the_head():
    # It has the higher accuracy, if not the lower loss: as without a search.
    trials = after(1.1)
    assert leader(trials).way == NAMES[0]
    head, default = trials
    reason = choose(PORTFOLIO, trials).reason
    assert "same validation accuracy" in reason
    assert "1.1000 and 1.0000" in reason
    reason = choose(PORTFOLIO, [head, dataclasses.replace(default, accuracy=0.95)]).reason
    assert "0.9500, is higher" in reason
    third = dataclasses.replace(after(1.1, 1.05)[2], accuracy=0.8)
    assert f"replaces '{NAMES[0]}'" in choose(PORTFOLIO, [*trials, third]).reason
    assert leader([head, dataclasses.replace(default, best_epoch=0)]) is head


def test_another_way_leads_if_it_is_better_beyond_the_noise():
    trials = after(0.5, 0.49999, 0.4, deeper=DEEPER[0])
    assert [leader(trials[: number + 1]).way for number in range(4)] == [
        *("head alone", NAMES[0], NAMES[0], DEEPER[0]),
    ]


def test_the_reason_of_the_choice_has_its_figures():
    choice = choose(PORTFOLIO, after(0.5, 0.3, 0.6, deeper=DEEPER[1]))
    assert choice.way is PORTFOLIO.ways[1]
    assert "0.3000" in choice.reason
    assert "0.7000" in choice.reason
    assert f"the loss of '{NAMES[0]}' is higher by" in choice.reason
    assert choose(PORTFOLIO, after(0.9, 0.8, 0.3, deeper=DEEPER[1])).way is PORTFOLIO.deeper[1]


def test_where_no_way_is_better_the_head_alone_is_kept():
    head, default, other = after(1.0, 1.05)
    without = dataclasses.replace(default, best_epoch=0, losses=head.losses)
    choice = choose(PORTFOLIO, [head, without, other])
    assert choice.way is None
    assert NAMES[1] in choice.reason
    assert "1.0500" in choice.reason
    assert choose(PORTFOLIO, [head, without]).way is None


@pytest.mark.parametrize("place", [0, 1])
def test_a_leader_at_the_ceiling_ends_the_search(place):
    trials = after(0.5)[: place + 1]
    at_ceiling = dataclasses.replace(trials[-1], losses=np.full(100, 0.005), accuracy=1.0)
    assert next_way(PORTFOLIO, [*trials[:-1], at_ceiling]) is None
    choice = choose(PORTFOLIO, [*trials[:-1], at_ceiling])
    assert choice.way is (PORTFOLIO.ways[0] if place else None)
    assert "all validation images" in choice.reason
    for almost in ({"accuracy": 0.99}, {"losses": np.full(100, 0.02)}):
        others = [*trials[:-1], dataclasses.replace(at_ceiling, **almost)]
        assert next_way(PORTFOLIO, others) is PORTFOLIO.ways[place]


def test_a_way_that_diverged_is_never_chosen():
    trials = [*after(0.9), diverged(NAMES[1])]
    assert choose(PORTFOLIO, trials).way is PORTFOLIO.ways[0]
    assert math.isnan(trials[-1].error)
    only = [*after(), *map(diverged, NAMES)]
    assert choose(PORTFOLIO, only).way is None
    assert next_way(PORTFOLIO, only) is PORTFOLIO.deeper[0]


def test_a_search_that_ran_out_of_time_before_its_first_way_keeps_the_head():
    assert choose(PORTFOLIO, after()).way is None


def test_the_optimism_is_that_of_choosing_among_equally_good_trials():
    # 20 trials of true accuracy 0.7 on 100 images: the best of them is right by luck, too.
    draws = np.random.default_rng(0)
    trials = []
    for number in range(20):
        hits = draws.random(100) < 0.7
        trials.append(Trial(str(number), 1, 1, 1.0 - hits, hits, hits.mean(), 1.0))
    # The expected maximum of 20 normal variables is 1.87 standard deviations. The bootstrap takes
    # the differences that were found for real ones, so its estimate is lower.
    expected = 1.87 * math.sqrt(0.7 * 0.3 / 100)
    assert 0.3 * expected < optimism(trials, 0) < expected
    # Where one is clearly the best, nothing is chosen by luck.
    clear = dataclasses.replace(trials[0], losses=trials[0].losses - 10)
    assert optimism([*trials, clear], 0) < 0.01


def test_without_a_choice_there_is_no_optimism():
    head, trial_ = after(0.5)
    assert optimism([head], 0) == 0
    assert optimism([head, diverged("all")], 0) == 0
    assert optimism([head, trial_], 0) == optimism([head, trial_], 0)


THOROUGH = FitConfig(effort="thorough", max_minutes=60.0)
MORE = make_portfolio(decide(THOROUGH, FACTS), THOROUGH, FACTS)


def tried(*losses, portfolio=MORE):
    """Returns the trials of a thorough search with these losses, in its order."""
    trials = after()
    for loss in losses:
        way = next_way(portfolio, trials)
        trials.append(trial(way.name, loss))
    return trials


def test_a_thorough_search_goes_on_where_the_standard_one_ends():
    standard, trials = after(), after()
    for loss in (0.5, 0.6, 0.4):
        for portfolio, those in ((PORTFOLIO, standard), (MORE, trials)):
            way = next_way(portfolio, those)
            those.append(trial(way.name, loss))
    assert [one.way for one in trials] == [one.way for one in standard]
    assert next_way(PORTFOLIO, standard) is None
    assert next_way(MORE, trials) is MORE.further[0][0]


def test_the_augmentation_that_did_better_comes_first():
    trials = tried(0.9, 0.3, 0.29)
    assert next_way(MORE, trials).is_plain
    assert not next_way(MORE, tried(0.3, 0.9, 0.29)).is_plain


def test_what_standard_leaves_out_for_little_gain_is_the_first_of_the_further_ways():
    trials = tried(0.2, 0.21)
    assert next_way(PORTFOLIO, trials) is None
    assert next_way(MORE, trials) is MORE.deeper[0]


def test_in_the_end_everything_was_tried_once_and_the_best_again():
    losses = np.linspace(0.9, 0.5, len(MORE.all_ways)).tolist()
    trials = tried(*losses[: 2 * (1 + len(MORE.deeper[:1]) + len(MORE.further))])
    names = [one.way for one in trials]
    assert len(set(names)) == len(names)
    again = next_way(MORE, trials)
    best = next(way for way in MORE.all_ways if way.name == leader(trials).way)
    assert again == best.again(2)
    for loss in (0.1, 2.0):  # better, or worse: it is not trained once more
        assert next_way(MORE, [*trials, trial(again.name, loss)]) is None


def test_what_is_skipped_is_not_tried():
    trials = tried(0.5, 0.6, 0.4)
    skipped = []
    for ways in MORE.further:
        way = next_way(MORE, trials, skipped)
        assert way is ways[0]
        skipped.append(way.name)
    assert next_way(MORE, trials, skipped) not in [ways[0] for ways in MORE.further]
    # The default of a search that begins is never skipped, the next one may be.
    assert next_way(MORE, tried(0.5), [NAMES[1]]) is MORE.deeper[0]


def test_of_many_rivals_the_closest_are_told():
    reason = choose(MORE, tried(0.9, 0.8, 0.3, 0.5, 0.6, 0.7, 0.75)).reason
    assert reason.count("the loss of") == 3
    assert reason.endswith("; 3 others are further away")
