"""Random changes of the images of a split, drawn before they pass the frozen part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import tensorflow as tf

from tfxfer.config.decided import DecidedAugment
from tfxfer.config.schema import AugmentConfig
from tfxfer.data.epochs.shuffling import AUGMENT, epoch_seed
from tfxfer.data.image.augmentation.changes import NUM_DRAWS, augment_batch, draw


@dataclass(frozen=True)
class Changes:
    """Random augmentation of a split, drawn once for each image.

    Attributes:
        augment: Ranges of the augmentation.
        draws: The random numbers, one row per image of each view; see `changes.draw`.
    """

    augment: AugmentConfig
    draws: np.ndarray

    @classmethod
    def of(cls, num_examples: int, augment: DecidedAugment, seed: int, view: int) -> Self:
        """Returns the augmentation of one view of a split; each view has its own."""
        return cls(
            augment, draw(num_examples, tf.constant([seed, view], tf.int32), augment).numpy()
        )

    @classmethod
    def mirrored(cls, num_examples: int) -> Self:
        """Returns what mirrors every image of a split."""
        always = np.zeros((num_examples, NUM_DRAWS), np.float32)
        return cls(AugmentConfig(flip=True), always)

    @classmethod
    def of_epoch(cls, num_examples: int, augment: AugmentConfig, seed: int, epoch: int) -> Self:
        """Returns the augmentation of an epoch, as `training_batches` has it."""
        seeds = epoch_seed(seed, AUGMENT, tf.constant(epoch))
        return cls(augment, draw(num_examples, seeds, augment).numpy())

    @classmethod
    def together(cls, views: Sequence[Self]) -> Self:
        """Returns the changes of several views of a split, view after view."""
        return cls(views[0].augment, np.concatenate([view.draws for view in views]))

    def applied(
        self, batches: tf.data.Dataset, rows: np.ndarray, batch_size: int
    ) -> tf.data.Dataset:
        """Returns batches of changed images.

        Args:
            batches: Batches of (images, labels).
            rows: Of the draws, in the order of the images of the batches.
            batch_size: Of the batches but the last.
        """
        draws = tf.data.Dataset.from_tensor_slices(self.draws[rows]).batch(batch_size)
        return tf.data.Dataset.zip(batches, draws).map(
            lambda batch, draws: (augment_batch(batch[0], draws, self.augment), batch[1]),
            tf.data.AUTOTUNE,
        )
