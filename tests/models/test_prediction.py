import keras
import numpy as np
import tensorflow as tf

from tfxfer.models.prediction import predict_batches

FEATURES = np.arange(14, dtype="float32").reshape(7, 2)
LABELS = np.arange(7)


def test_predictions_come_in_the_order_of_the_batches_and_are_counted():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Rescaling(2.0)(inputs))
    done = []
    batches = tf.data.Dataset.from_tensor_slices((FEATURES, LABELS)).batch(3)
    assert np.array_equal(predict_batches(model, batches, 7, 3, done.append), FEATURES * 2)
    assert done == [1, 2, 3]
