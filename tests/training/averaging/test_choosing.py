import numpy as np
import pytest

from tfxfer.training.averaging.choosing import (
    Ingredient,
    Scored,
    best_interpolation,
    between,
    greedy_soup,
    mean,
)
from tfxfer.training.epochs.validation import ExampleScores


def network(*values):
    return [np.array(values, "float32")]


class Landscape:
    """A loss of two weights, with its minimum at (0, 0), and an accuracy that falls with it."""

    def __init__(self, accuracy=lambda loss: 1 - loss):
        self.accuracy = accuracy
        self.averages = []

    def of(self, weights):
        loss = float(np.square(weights[0]).sum())
        return Scored(weights, ExampleScores(np.array([loss]), np.zeros(1), self.accuracy(loss)))

    def of_average(self, weights):
        self.averages.append(weights[0].tolist())
        return self.of(weights)


def ingredients(*places):
    return [Ingredient(str(n), network(*place)) for n, place in enumerate(places, start=1)]


def test_an_ingredient_stays_only_if_the_mean_is_no_worse():
    # The second is on the other side of the minimum, the third far away, the fourth helps again.
    some = ingredients((0.3, 0.0), (-0.3, 0.3), (3.0, 3.0), (0.0, -0.3))
    land = Landscape()
    found = greedy_soup(some, land.of(some[0].weights), land)
    assert found.members == ("1", "2", "4")
    assert found.share is None
    assert found.found.weights[0] == pytest.approx([0.0, 0.0], abs=1e-7)
    assert len(land.averages) == 3
    assert land.averages[1] == pytest.approx([1.0, 1.1])


def test_a_lower_loss_with_a_lower_accuracy_is_no_reason():
    some = ingredients((0.3, 0.0), (-0.3, 0.0))
    land = Landscape(accuracy=lambda loss: loss)
    assert greedy_soup(some, land.of(some[0].weights), land) is None


def test_a_soup_must_be_better_than_what_is_kept_without_it():
    some = ingredients((0.3, 0.0), (-0.2, 0.0))
    land = Landscape()
    assert greedy_soup(some, land.of(network(0.0, 0.0)), land) is None
    # Two equal ones are no better than one.
    twins = ingredients((0.3, 0.0), (0.3, 0.0))
    assert greedy_soup(twins, land.of(twins[0].weights), land) is None


def test_one_ingredient_makes_no_soup():
    (one,) = ingredients((0.3, 0.0))
    land = Landscape()
    assert greedy_soup([one], land.of(one.weights), land) is None
    assert land.averages == []


def test_the_best_share_of_the_fine_tuned_network_is_found():
    land = Landscape()
    first, second = network(0.7, 0.0), Ingredient("3", network(-0.3, 0.0))
    found = best_interpolation(first, second, land.of(second.weights), land)
    assert (found.members, found.share) == (("3",), 0.7)
    assert found.found.scores.loss == pytest.approx(0, abs=1e-12)
    assert len(land.averages) == 9


def test_no_share_is_kept_where_the_fine_tuned_network_is_the_best():
    land = Landscape()
    second = Ingredient("3", network(0.0, 0.0))
    assert best_interpolation(network(0.7, 0.0), second, land.of(second.weights), land) is None


def test_the_mean_leaves_equal_weights_as_they_are_to_the_last_bit():
    generator = np.random.default_rng(0)
    frozen = generator.normal(size=1000).astype("float32")
    for count in (2, 3, 5):
        trained = [generator.normal(size=4).astype("float32") for _ in range(count)]
        same, averaged = mean([[frozen, one] for one in trained])
        np.testing.assert_array_equal(same, frozen)
        assert averaged.dtype == np.float32
        assert averaged == pytest.approx(np.mean(np.float64(trained), axis=0), rel=1e-6)
    for share in (0.1, 0.3, 0.7):
        same, _ = between([frozen, trained[0]], [frozen, trained[1]], share)
        np.testing.assert_array_equal(same, frozen)
