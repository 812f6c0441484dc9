from types import SimpleNamespace

import numpy as np

from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.history import Epochs
from tfxfer.runs.journal import BestWeights
from tfxfer.training.search.choosing import Trial
from tfxfer.training.search.state import SearchState

NOISE = np.random.default_rng(0).normal(size=50)


def added(state, number, loss, best=True):
    """Adds a trial with a loss, whose weights are its number."""
    losses = loss + 0.01 * (NOISE - NOISE.mean())
    trial = Trial(f"way {number}", 2, 1, losses, np.ones(50, bool), 0.9, 1.0)
    weights = BestWeights("model", [np.full(2, number)]) if best else None
    state.add(trial, SimpleNamespace(best=weights, history=Epochs(lambda epoch: 0)), is_pooled=True)


def searched():
    head = Trial("head alone", 0, 0, 1.0 + 0 * NOISE, np.ones(50, bool), 0.9, 0.0)
    state = SearchState([head], skipped=["way 9"])
    for number, loss in enumerate([0.5, 0.8, 0.3, 0.7, 0.6, 0.9, 0.4], start=1):
        added(state, number, loss)
    return state


def test_the_weights_of_the_leader_are_kept_and_those_of_the_best_five():
    state = searched()
    np.testing.assert_array_equal(state.kept, [[3, 3]])
    assert set(state.pool) == {f"way {number}" for number in (1, 3, 4, 5, 7)}
    added(state, 8, 0.1, best=False)  # no epoch of it is better than the head alone
    np.testing.assert_array_equal(state.kept, [[3, 3]])
    assert len(state.trials) == 9


def test_it_comes_back_from_a_checkpoint():
    state = searched()
    again = SearchState.of_checkpoint(Checkpoint(*state.as_checkpoint()))
    assert [one.way for one in again.trials] == [one.way for one in state.trials]
    assert (again.skipped, again.is_left_out) == (["way 9"], False)
    np.testing.assert_array_equal(again.kept, state.kept)
    for way, weights in state.pool.items():
        np.testing.assert_array_equal(again.pool[way], weights)
    assert again.pool.keys() == state.pool.keys()
    assert SearchState.of_checkpoint(Checkpoint({})) == SearchState()
