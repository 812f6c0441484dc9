import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.features import (
    LARGEST_BYTES,
    FrozenFeatures,
    Standardisation,
    feature_batches,
    fit_in_memory,
    predict_batches,
)

FEATURES = np.arange(14, dtype="float32").reshape(7, 2)
LABELS = np.arange(7)


def rows(**arguments):
    return list(feature_batches(FEATURES, LABELS, 3, **arguments))


def test_each_epoch_has_every_example_once_with_its_label():
    batches = rows(seed=0, epochs=2)
    assert [len(labels) for _, labels in batches] == [3, 3, 1, 3, 3, 1]
    for epoch in (batches[:3], batches[3:]):
        assert sorted(np.concatenate([labels for _, labels in epoch])) == list(range(7))
    for features, labels in batches:
        assert np.array_equal(features, FEATURES[labels.numpy()])


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(seed):
        return np.concatenate([labels for _, labels in rows(seed=seed, epochs=2)]).tolist()

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1)[:7] != order(1)[7:]
    assert np.concatenate([labels for _, labels in rows(seed=None, epochs=1)]).tolist() == list(
        range(7)
    )


def test_predictions_come_in_the_order_of_the_batches_and_are_counted():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Rescaling(2.0)(inputs))
    done = []
    batches = tf.data.Dataset.from_tensor_slices((FEATURES, LABELS)).batch(3)
    assert np.array_equal(predict_batches(model, batches, done.append), FEATURES * 2)
    assert done == [1, 2, 3]


def test_frozen_features_are_those_of_inference_in_training_too():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dropout(0.9)(inputs))
    ones = np.ones((2, 4), "float32")
    assert not np.array_equal(model(ones, training=True), ones)
    outer = keras.Model(inputs, FrozenFeatures(model)(inputs))
    assert np.array_equal(outer(ones, training=True), ones)


def test_the_limit_is_counted_in_bytes_of_float32():
    assert fit_in_memory(1, LARGEST_BYTES // 4)
    assert not fit_in_memory(1, LARGEST_BYTES // 4 + 1)


def test_standardised_features_have_one_scale_and_constant_ones_do_not_explode():
    generator = np.random.default_rng(0)
    features = generator.normal([5, -1, 0, 2], [100, 1, 0, 1e-6], (50, 4)).astype("float32")
    scale = Standardisation.of(features)
    standard = scale.apply(features)
    assert standard.dtype == np.float32
    assert standard.mean(axis=0)[:3] == pytest.approx([0, 0, 0], abs=1e-4)
    assert standard.std(axis=0) == pytest.approx([1, 1, 0, 0], abs=1e-3)
    another = features + np.float32(0.01)
    assert np.abs(scale.apply(another) - standard)[:, 2:].max() < 0.02
