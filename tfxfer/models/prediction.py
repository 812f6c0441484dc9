"""Runs a model over batches."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfxfer.system.devices import without_xla


def predict_batches(
    model: keras.Model,
    batches: tf.data.Dataset,
    num_examples: int,
    batch_size: int,
    progress: Callable[[int], None],
    num_in_all: int | None = None,
) -> np.ndarray:
    """Returns the output of a model that has one; see `predict_outputs`."""
    (outputs,) = predict_outputs(model, batches, num_examples, batch_size, progress, num_in_all)
    return outputs


def predict_outputs(
    model: keras.Model,
    batches: tf.data.Dataset,
    num_examples: int,
    batch_size: int,
    progress: Callable[[int], None],
    num_in_all: int | None = None,
) -> list[np.ndarray]:
    """Returns each output of a model, (num_examples, ...), in the order of the batches.

    Args:
        model: Any model of images in [0, 255]; it runs in inference mode.
        batches: Batches of (images, labels), every example once; the last may be smaller.
        num_examples: In all; there may be none.
        batch_size: Of the others.
        progress: Called after each batch with the number of batches done.
        num_in_all: Examples of which these are a part, whose rows are to have the bits that they
            have with all: in batches of the same size. None if these are all.
    """
    if not num_examples:
        return [np.zeros((0, *one.shape[1:]), one.dtype) for one in model.outputs]
    size = min(batch_size, num_in_all or num_examples)

    def filled(rows: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        missing = size - tf.shape(rows)[0]
        rows = tf.cond(
            missing > 0,
            lambda: tf.concat([rows, tf.repeat(rows[-1:], missing, axis=0)], axis=0),
            lambda: rows,
        )
        return tf.ensure_shape(rows, (size, *rows.shape[1:]))

    counter = keras.callbacks.LambdaCallback(
        on_predict_batch_end=lambda batch, logs: progress(batch + 1)
    )
    # A smaller last batch would be another shape, for which the model is compiled once more.
    whole = batches.map(filled)
    outputs = without_xla(model).predict(whole, verbose=0, callbacks=[counter])
    return [np.asarray(rows)[:num_examples] for rows in keras.tree.flatten(outputs)]
