"""Batches of any size go through a model, every image once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.models.prediction import predict_batches


@pytest.mark.parametrize("num_examples", [1, 6, 7])
def test_a_smaller_last_batch_is_filled_and_what_it_is_filled_with_left_out(num_examples):
    image = keras.Input((2, 2, 3))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))
    images = np.random.default_rng(0).random((num_examples, 2, 2, 3), dtype=np.float32)
    batches = tf.data.Dataset.from_tensor_slices((images, np.zeros(num_examples))).batch(3)
    done = []
    found = predict_batches(model, batches, num_examples, 3, done.append)
    np.testing.assert_allclose(found, images.mean(axis=(1, 2)), rtol=1e-5)
    assert done == list(range(1, -(-num_examples // 3) + 1))


FEATURES = np.arange(14, dtype="float32").reshape(7, 2)
LABELS = np.arange(7)


def test_predictions_come_in_the_order_of_the_batches_and_are_counted():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Rescaling(2.0)(inputs))
    done = []
    batches = tf.data.Dataset.from_tensor_slices((FEATURES, LABELS)).batch(3)
    assert np.array_equal(predict_batches(model, batches, 7, 3, done.append), FEATURES * 2)
    assert done == [1, 2, 3]
