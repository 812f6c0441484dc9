"""What the frozen backbone computes: pooled features, each image once."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

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
