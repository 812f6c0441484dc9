import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.training.averaging.statistics import adapting_layers, renew_statistics
from tfxfer.training.epochs.loop import Batches
from tfxfer.training.epochs.state import generator_states

IMAGES = np.random.default_rng(0).normal(2.0, 3.0, size=(12, 5)).astype("float32")


def model_of():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5,))
    x = keras.layers.BatchNormalization(name="frozen", trainable=False)(inputs)
    x = keras.layers.BatchNormalization(name="adapting", momentum=0.9)(x)
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dropout(0.5)(x)))


def batches_of(size):
    def of(first, end, step):
        return tf.data.Dataset.from_tensor_slices((IMAGES, np.zeros(12))).batch(size)

    return Batches(12 // size, of)


def test_only_trainable_batch_norm_adapts():
    assert [layer.name for layer in adapting_layers(model_of())] == ["adapting"]


@pytest.mark.parametrize("size", [4, 12])
def test_the_statistics_are_those_of_the_training_batches(size):
    model = model_of()
    layers = adapting_layers(model)
    before = model.get_layer("frozen").get_weights()
    kernel = model.layers[-1].get_weights()[0]
    generators = generator_states(model)
    renew_statistics(layers, model, batches_of(size), size)
    # The frozen layer, with mean 0 and variance 1, scales by a little.
    seen = (IMAGES / np.sqrt(1 + 1e-3)).reshape(-1, size, 5).astype("float64")
    _, _, mean, variance = model.get_layer("adapting").get_weights()
    assert mean == pytest.approx(seen.mean(axis=1).mean(axis=0), rel=1e-4)
    assert variance == pytest.approx(seen.var(axis=1).mean(axis=0), rel=1e-4)
    assert layers[0].momentum == 0.9
    for ours, theirs in zip(model.get_layer("frozen").get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(model.layers[-1].get_weights()[0], kernel)
    for ours, theirs in zip(generator_states(model), generators, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_few_batches_are_enough(monkeypatch):
    taken = []

    def of(first, end, step):
        data = tf.data.Dataset.from_tensor_slices((np.tile(IMAGES, (400, 1)), np.zeros(4800)))
        return data.batch(400).map(lambda x, y: (tf.py_function(note, [x], tf.float32), y))

    def note(images):
        taken.append(len(images))
        return images

    model = model_of()
    renew_statistics(adapting_layers(model), model, Batches(12, of), 400)
    assert len(taken) >= 3
    assert len(taken) < 12
