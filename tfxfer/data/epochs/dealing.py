"""The share of each batch of an epoch that one of several processes reads."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.system.processes.shares import Share


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class Dealt:
    """The rows of an epoch that one process reads, in the order of the batches.

    All processes together have the batches of one that trains alone, padded by
    `system.processes.shares.padded`.

    Attributes:
        places: In the order of the epoch, (num_rows,).
        is_real: 0 for a row that only pads its batch, otherwise 1, (num_rows,).
        scale: The size with padding of the row's batch over that without, (num_rows,).
        batch_size: Rows per batch; the last may have fewer.
        whole: The size of the batches that are divided.
    """

    places: npt.NDArray[np.int64]
    is_real: npt.NDArray[np.float32]
    scale: npt.NDArray[np.float32]
    batch_size: int
    whole: int

    @classmethod
    def of(cls, num_examples: int, batch_size: int, share: Share) -> Self:
        """Returns the rows of a share.

        Args:
            num_examples: In the epoch.
            batch_size: Examples per batch of the epoch; the last may have fewer.
            share: What of each batch is read.
        """
        places, is_real, scale = [], [], []
        for start in range(0, num_examples, batch_size):
            size = min(batch_size, num_examples - start)
            rows = share.places(size)
            places.append(start + rows % size)
            is_real.append(rows < size)
            scale.append(np.full(len(rows), len(rows) * share.count / size))
        return cls(
            np.concatenate(places),
            np.concatenate(is_real).astype(np.float32),
            np.concatenate(scale).astype(np.float32),
            len(share.places(batch_size)),
            batch_size,
        )

    def of_order(self, order: tf.Tensor, passed: tf.Tensor) -> tf.Tensor:
        """Returns the examples to read of an epoch.

        Args:
            order: All examples in the order of the epoch.
            passed: How many of them lie before the first batch, a multiple of the batch size.
        """
        first = tf.cast(passed, tf.int64) // self.whole * self.batch_size
        return tf.gather(order, tf.constant(self.places)[first:])

    def marked(self, batches: tf.data.Dataset, first_step: int, num_epochs: int) -> tf.data.Dataset:
        """Returns batches for training on a share: (x, y, (sample_weight, scale)).

        Args:
            batches: (x, y) or (x, y, sample_weight) of the rows.
            first_step: How many batches of the first epoch are left out.
            num_epochs: That the batches are of.
        """
        marks = tf.data.Dataset.from_tensor_slices((self.is_real, self.scale))
        marks = marks.batch(self.batch_size).repeat(num_epochs).skip(first_step)

        def mark(batch: tuple[Any, ...], marks: tuple[tf.Tensor, tf.Tensor]) -> tuple[Any, ...]:
            (x, y, *given), (is_real, scale) = batch, marks
            weights = given[0] if given else tf.ones_like(y, tf.float32)
            ones = tf.ones([tf.rank(weights) - 1], tf.int32)
            real = tf.cast(is_real, weights.dtype)
            return x, y, (weights * tf.reshape(real, tf.concat([[-1], ones], 0)), scale)

        return tf.data.Dataset.zip(batches, marks).map(mark)
