"""Batches that several devices divide among themselves."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf


@dataclass(frozen=True)
class Share:
    """The part of each batch that one of several processes reads.

    Attributes:
        number: Of the process, from 0.
        count: Of the processes.
        num_shares: Into how many equal parts a batch is divided in all; `count` divides it.
    """

    number: int
    count: int
    num_shares: int

    def places(self, size: int) -> npt.NDArray[np.int64]:
        """Returns the places, in a batch that `padded` made of `size` examples, of this part."""
        own = -(-size // self.num_shares) * self.num_shares // self.count
        return np.arange(self.number * own, (self.number + 1) * own)

    def cut(self, batch: Any) -> Any:
        """Returns this part of a batch whose size `num_shares` divides."""

        def part(rows: tf.Tensor) -> tf.Tensor:
            own = tf.shape(rows)[0] // self.count
            return rows[self.number * own : (self.number + 1) * own]

        return tf.nest.map_structure(part, batch)


def padded(batch: tuple[Any, ...], num_shares: int) -> tuple[Any, ...]:
    """Returns a batch for training whose size a number divides.

    Examples of the batch are repeated, with weight 0.

    Args:
        batch: (x, y) or (x, y, sample_weight); the weights have the shape of the labels.
        num_shares: Of equal size.

    Returns:
        (x, y, (sample_weight, scale)): the weights are never missing, and `scale`, float32,
        (padded_size,), is in each place the size with padding over the size without. The mean of
        the losses of all examples, times weight and scale, is the loss of the batch.
    """
    x, y, *given = batch
    weights = given[0] if given else tf.ones_like(y, tf.float32)
    size, padded_size = _sizes(y, num_shares)
    scale = tf.fill([padded_size], tf.cast(padded_size, tf.float32) / tf.cast(size, tf.float32))
    is_real = tf.sequence_mask(size, padded_size, weights.dtype)
    weights = repeated(weights, num_shares)
    weights *= tf.reshape(is_real, tf.concat([[-1], tf.ones([tf.rank(weights) - 1], tf.int32)], 0))
    return repeated(x, num_shares), repeated(y, num_shares), (weights, scale)


def repeated(rows: tf.Tensor, num_shares: int) -> tf.Tensor:
    """Returns rows of which the first are repeated behind the last until a number divides them."""
    size, padded_size = _sizes(rows, num_shares)

    def longer() -> tf.Tensor:
        return tf.gather(rows, tf.range(padded_size) % size)

    found = tf.cond(padded_size > size, longer, lambda: rows)
    found.set_shape([None, *rows.shape[1:]])
    return found


def in_shares(batch: Any, num_shares: int) -> tf.data.Dataset:
    """Returns the equal parts of a batch, whose size their number divides, in order."""

    def cut(rows: tf.Tensor) -> tf.Tensor:
        size = tf.shape(rows)[0] // num_shares
        parts = tf.reshape(rows, tf.concat([[num_shares, size], tf.shape(rows)[1:]], 0))
        return tf.ensure_shape(parts, [num_shares, None, *rows.shape[1:]])

    return tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(cut, batch))


def _sizes(rows: tf.Tensor, num_shares: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the number of rows, and the next number that can be divided."""
    size = tf.shape(rows)[0]
    return size, (size + num_shares - 1) // num_shares * num_shares
