import numpy as np
import pytest
import tensorflow as tf

from tfxfer.system.processes.shares import in_shares, padded, repeated


def test_padding_repeats_examples_with_weight_zero_and_keeps_the_mean_loss():
    x, y = tf.reshape(tf.range(10.0), (5, 2)), tf.constant([0, 1, 2, 3, 4])
    given = tf.constant([1.0, 2.0, 0.5, 1.0, 0.5])
    more_x, more_y, (weights, scale) = padded((x, y, given), 4)
    np.testing.assert_array_equal(more_y, [0, 1, 2, 3, 4, 0, 1, 2])
    np.testing.assert_array_equal(more_x[5:], x[:3])
    np.testing.assert_array_equal(weights, [1, 2, 0.5, 1, 0.5, 0, 0, 0])
    np.testing.assert_allclose(scale, [8 / 5] * 8)
    losses = tf.cast(more_y, tf.float32) ** 2
    expected = np.mean(np.arange(5.0) ** 2 * given)
    assert np.mean(losses * weights * scale) == pytest.approx(expected)


def test_a_batch_that_divides_is_kept_and_its_weights_are_ones_of_the_labels_shape():
    x, y = tf.zeros((4, 3), tf.uint8), tf.zeros((4, 2))
    more_x, _, (weights, scale) = padded((x, y), 2)
    assert more_x.shape == (4, 3)
    assert more_x.dtype == tf.uint8
    np.testing.assert_array_equal(weights, np.ones((4, 2)))
    np.testing.assert_array_equal(scale, np.ones(4))


def test_a_batch_smaller_than_the_number_of_shares_is_repeated_as_often_as_needed():
    np.testing.assert_array_equal(repeated(tf.constant([7]), 4), [7, 7, 7, 7])


def test_shares_are_equal_parts_in_order():
    batch = tf.range(6), (tf.range(6) * 10,)
    shares = list(in_shares(batch, 3).as_numpy_iterator())
    np.testing.assert_array_equal([first for first, _ in shares], [[0, 1], [2, 3], [4, 5]])
    np.testing.assert_array_equal([second for _, (second,) in shares][2], [40, 50])
