import time

import numpy as np
import tensorflow as tf

from tfxfer.data.epochs.shuffling import ORDER, Epochs, cut, epoch_seed
from tfxfer.data.image.dataset import BATCHES_AHEAD
from tfxfer.system.processes.shares import Share


def test_an_epoch_has_every_example_once_in_an_order_of_its_own():
    epochs = Epochs(10, 3, 2, (0, 0))
    orders = [
        list(epochs.shuffled(epoch_seed(5, ORDER, tf.constant(epoch)), 0).as_numpy_iterator())
        for epoch in (0, 1)
    ]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert orders[0] != orders[1]
    left = epochs.shuffled(epoch_seed(5, ORDER, tf.constant(0)), 6)
    assert list(left.as_numpy_iterator()) == orders[0][6:]


def test_batches_that_were_read_as_a_whole_are_cut():
    batches = tf.data.Dataset.from_tensor_slices((np.arange(5), np.arange(5))).batch(5)
    ((x, _, (weights, scale)),) = cut(batches, Share(1, 2, 2)).as_numpy_iterator()
    np.testing.assert_array_equal(x, [3, 4, 0])
    np.testing.assert_array_equal(weights, [1, 1, 0])
    np.testing.assert_allclose(scale, [6 / 5] * 3)


def test_few_batches_are_made_ahead_however_often_they_were_used_up():
    made = []

    def finish(numbers):
        return (tf.numpy_function(lambda rows: made.append(1) or rows, [numbers], tf.int32),)

    epochs = Epochs(10, 1, 40, (0, 0))

    def one_epoch(epoch, passed):
        order = epochs.shuffled(epoch_seed(5, ORDER, epoch), passed)
        return epochs.batched(order).map(lambda numbers: (numbers,))

    batches, used = iter(epochs.batches(one_epoch, finish)), 0
    for _ in range(8):
        time.sleep(0.05)  # they are made meanwhile
        assert len(made) - used <= BATCHES_AHEAD + 1  # one waits for its place
        for _ in range(40):
            next(batches)
            used += 1
