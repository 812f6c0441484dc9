import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.models.objectives import SOFTMAX
from tfxfer.models.replicas.weighing import for_padded_batches
from tfxfer.system.processes.shares import padded


def compiled(kind):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    model = kind(inputs, keras.layers.Dense(2)(inputs))
    model.compile(
        keras.optimizers.SGD(0.1),
        SOFTMAX.loss(0.0),
        weighted_metrics=[SOFTMAX.keras_metric()],
        run_eagerly=True,
    )
    return model


def test_an_epoch_of_padded_batches_has_the_loss_accuracy_and_weights_of_one_without_padding():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(8, 3)).astype("float32")
    y = generator.integers(0, 2, 8)
    weights = generator.uniform(0.5, 2, 8).astype("float32")
    batches = tf.data.Dataset.from_tensor_slices((x, y, weights)).batch(5)
    plain, ours = compiled(keras.Model), compiled(for_padded_batches(None, 1))
    options = {"shuffle": False, "verbose": 0}
    expected = plain.fit(batches, **options).history
    found = ours.fit(batches.map(lambda *batch: padded(batch, 4)), **options).history
    assert found["loss"] == pytest.approx(expected["loss"], abs=1e-6)
    assert found["accuracy"] == pytest.approx(expected["accuracy"])
    for one, other in zip(plain.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
