"""What the frozen backbone computes: pooled features, each image once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import keras
import numpy as np
import tensorflow as tf

# A feature that varies less than this part of the one that varies most is left at its own scale.
_SMALLEST_DEVIATION = 1e-3

# Features of more bytes than this are not kept in memory; the head is then trained on images.
LARGEST_BYTES = 2 * 2**30


def fit_in_memory(num_examples: int, num_features: int) -> bool:
    """Tells whether float32 features, (num_examples, num_features), may be kept in memory."""
    return 4 * num_examples * num_features <= LARGEST_BYTES


def predict_batches(
    model: keras.Model, batches: tf.data.Dataset, progress: Callable[[int], None]
) -> np.ndarray:
    """Returns a model's outputs, (num_examples, ...), in the order of the batches.

    Args:
        model: Any model of images in [0, 255]; it runs in inference mode.
        batches: Batches of (images, labels), every example once.
        progress: Called after each batch with the number of batches done.
    """
    counter = keras.callbacks.LambdaCallback(
        on_predict_batch_end=lambda batch, logs: progress(batch + 1)
    )
    return np.asarray(model.predict(batches, verbose=0, callbacks=[counter]))


@dataclass(frozen=True)
class Standardisation:
    """Mean and deviation of each feature, (num_features,), over the training images.

    Features of one backbone differ in scale from those of another by orders of magnitude, and on
    images far from its source by little among themselves. Standardised, one learning rate suits
    them all: the head learns as fast, and reaches the same place, whatever their scale.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Self:
        """Returns that of features, (num_examples, num_features)."""
        deviation = features.std(axis=0)
        # A feature that is the same on all training images says nothing, and must not explode where
        # another image differs by a little.
        floor = _SMALLEST_DEVIATION * deviation.max(initial=0.0)
        return cls(features.mean(axis=0), np.where(deviation > floor, deviation, 1.0))

    def apply(self, features: np.ndarray) -> np.ndarray:
        """Returns features of mean 0 and deviation 1, float32."""
        return np.asarray((features - self.mean) / self.deviation, "float32")


def feature_batches(
    features: np.ndarray, labels: np.ndarray, batch_size: int, *, seed: int | None, epochs: int
) -> tf.data.Dataset:
    """Returns batches of (features, labels) for all epochs, one after the other.

    Args:
        features: Shape (num_examples, num_features).
        labels: Shape (num_examples,).
        batch_size: Examples per batch; an epoch's last batch may be smaller.
        seed: With the epoch's number it decides the epoch's order; None keeps the given order.
        epochs: How many.
    """
    rows, targets = tf.constant(features), tf.constant(labels)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.range(len(labels))
        if seed is not None:
            order = tf.random.experimental.stateless_shuffle(
                order, seed=tf.stack([seed, tf.cast(epoch, tf.int32)])
            )
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    return (
        tf.data.Dataset.range(epochs)
        .flat_map(one_epoch)
        .map(lambda indices: (tf.gather(rows, indices), tf.gather(targets, indices)))
        .apply(tf.data.experimental.assert_cardinality(-(-len(labels) // batch_size) * epochs))
        .prefetch(tf.data.AUTOTUNE)
    )


class FrozenFeatures(keras.layers.Layer):
    """The features as a layer that runs in inference mode whatever it is called with.

    A head trained on images through it sees what it would see on computed features: without it,
    the dropout and stochastic depth inside some backbones would act on frozen weights.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__(dtype="float32")
        self.model = model

    def call(self, images: keras.KerasTensor) -> keras.KerasTensor:
        """Returns features, (batch, num_features), of images in [0, 255]."""
        return self.model(images, training=False)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns (batch, num_features)."""
        return (input_shape[0], self.model.output_shape[-1])
