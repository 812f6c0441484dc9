import numpy as np
import pytest

from tfxfer.models.objectives import SOFTMAX
from tfxfer.training.epochs.pool import Pooling, WeightPool

# Loss and accuracy of five epochs; the second and the last are equally good.
EPOCHS = [(0.9, 0.5), (0.4, 0.8), (0.7, 0.9), (0.5, 0.8), (0.4, 0.8)]


def weights(number):
    return [np.full((2, 3), number, "float32"), np.full(3, -number, "float32")]


def filled(size, base=None):
    pool = WeightPool(size, SOFTMAX.rank, base)
    for number, (loss, accuracy) in enumerate(EPOCHS, start=1):
        pool.offer(number, loss, accuracy, lambda number=number: weights(number))
    return pool


@pytest.mark.parametrize(
    ("size", "kept"), [(0, []), (1, [3]), (3, [3, 2, 5]), (9, [3, 2, 5, 4, 1])]
)
def test_the_best_epochs_are_kept_with_their_weights_best_first(size, kept):
    epochs = filled(size).epochs
    assert [one.number for one in epochs] == kept
    for one in epochs:
        for ours, theirs in zip(one.weights, weights(one.number), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_weights_are_copied_only_of_epochs_that_are_kept():
    asked = []
    pool = WeightPool(1, SOFTMAX.rank)
    for number, (loss, accuracy) in enumerate(EPOCHS, start=1):
        pool.offer(number, loss, accuracy, lambda number=number: asked.append(number) or [])
    assert asked == [1, 2, 3]


def test_it_comes_back_from_a_checkpoint():
    pool = filled(3, base=weights(7))
    again = WeightPool.resumed(3, SOFTMAX.rank, None, pool.state())
    assert [(one.number, one.loss, one.metric) for one in again.epochs] == [
        (one.number, one.loss, one.metric) for one in pool.epochs
    ]
    np.testing.assert_array_equal(again.base[0], weights(7)[0])
    for ours, theirs in zip(again.epochs, pool.epochs, strict=True):
        np.testing.assert_array_equal(ours.weights[1], theirs.weights[1])
    # It then takes what the other would take.
    for one in (pool, again):
        one.offer(6, 0.3, 0.8, lambda: weights(6))
    assert [one.number for one in again.epochs] == [one.number for one in pool.epochs] == [3, 6, 2]


def test_an_empty_pool_comes_back_with_the_weights_before_the_phase():
    pool = WeightPool(1, SOFTMAX.rank, weights(7))
    again = WeightPool.resumed(1, SOFTMAX.rank, None, pool.state())
    assert again.epochs == []
    np.testing.assert_array_equal(again.base[0], weights(7)[0])


def test_without_room_nothing_is_in_a_checkpoint():
    assert filled(0).state() == {}


def test_an_epoch_is_offered_with_its_scores_on_validation():
    pool = WeightPool(2, SOFTMAX.rank)
    pooling = Pooling(pool, lambda: weights(1))
    pooling.on_epoch_end(3, {"loss": 9.0, "val_loss": 0.25, "val_accuracy": 0.75})
    (epoch,) = pool.epochs
    assert (epoch.number, epoch.loss, epoch.metric) == (4, 0.25, 0.75)
