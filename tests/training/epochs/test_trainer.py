import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.config.schema import FinetuneConfig, FitConfig
from tfxfer.data.batches import array_batches, feature_batches
from tfxfer.data.image.dataset import Images
from tfxfer.data.opening import open_source
from tfxfer.models.objectives import SOFTMAX
from tfxfer.system.devices import dtype_policy
from tfxfer.training.epochs.loop import Batches, compiled_view, run_epochs
from tfxfer.training.epochs.validation import Predictor
from tfxfer.training.pretraining import predict_splits

PHASE = FinetuneConfig(
    epochs=4,
    optimizer="sgd",
    learning_rate=0.1,
    warmup_epochs=0.0,
    weight_decay=0.0,
    clip_norm=0.0,
)
SMOOTHED = FitConfig(label_smoothing=0.1)


def tiny_model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(2)(inputs))


def only(dataset, steps):
    """Returns the batches of a phase that is started once."""
    return Batches(steps, lambda first, end, step: dataset)


def batches(epochs):
    generator = np.random.default_rng(0)
    images = generator.normal(size=(8, 3)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((images, (images[:, 0] > 0).astype("int32")))
    return data.batch(4).repeat(epochs).apply(tf.data.experimental.assert_cardinality(2 * epochs))


def test_a_view_shares_the_layers_and_leaves_the_model_uncompiled(tmp_path):
    model = tiny_model()
    view = compiled_view(model, PHASE, SMOOTHED, 2)
    assert not model.compiled
    before = model.get_weights()
    run_epochs(view, only(batches(4), 2), [], epochs=4)
    assert not np.array_equal(model.get_weights()[0], before[0])
    model.save(tmp_path / "model.keras")
    assert not keras.models.load_model(tmp_path / "model.keras").compiled


def test_xla_compiles_the_steps_only_where_it_is_to_and_trains_the_same():
    trained = {}
    for xla in ("on", "off"):
        model = tiny_model()
        view = compiled_view(model, PHASE, dataclasses.replace(SMOOTHED, xla=xla), 2)
        assert view.jit_compile == (xla == "on")
        run_epochs(view, only(batches(4), 2), [], epochs=4)
        trained[xla] = model.get_weights()
    for compiled, plain in zip(trained["on"], trained["off"], strict=True):
        np.testing.assert_allclose(compiled, plain, rtol=1e-5, atol=1e-6)


def test_only_the_epochs_that_are_left_are_run():
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    view = compiled_view(tiny_model(), PHASE, SMOOTHED, 2)
    run_epochs(view, only(batches(1), 2), [callback], epochs=4, first_epoch=3)
    assert seen == [3]


def test_a_predictor_gives_the_loss_and_accuracy_of_keras():
    model = tiny_model()
    examples = batches(1)
    labels = np.concatenate([labels for _, labels in examples])
    view = compiled_view(model, PHASE, SMOOTHED, 2)
    expected = view.evaluate(examples, verbose=0)
    found = SOFTMAX.scores(
        Predictor(model, examples, labels, 4, "validation").outputs(), labels, 0.1
    )
    assert found == pytest.approx(expected, rel=1e-5)


class Counting(keras.layers.Layer):
    """Counts how often Python runs it: once for each tracing."""

    calls = 0

    def call(self, x):
        Counting.calls += 1
        return x


@pytest.mark.slow
@pytest.mark.parametrize("together", [1, 3])
def test_a_phase_is_traced_once_whatever_its_epochs_and_last_batches(together):
    def tracings(num_examples, epochs):
        inputs = keras.Input((3,))
        model = keras.Model(inputs, keras.layers.Dense(2)(Counting()(inputs)))
        features = np.random.default_rng(0).normal(size=(num_examples, 3)).astype("float32")
        labels = np.arange(num_examples) % 2
        steps = -(-num_examples // 3)
        view = compiled_view(model, PHASE, SMOOTHED, steps, together)
        predictor = Predictor(model, array_batches(features, labels, 3), labels, 3, "validation")
        validate = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: predictor.outputs()
        )
        Counting.calls = 0
        trained = feature_batches(features, labels, 3, seed=0, epochs=epochs)
        run_epochs(view, only(trained, steps), [validate], epochs=epochs)
        assert view.optimizer.iterations == steps * epochs
        return Counting.calls

    least = tracings(9, 1)
    # To train, to validate, and once for Keras to see the shapes.
    assert 2 <= least <= 3
    assert tracings(10, 4) == least
    assert tracings(16, 4) == least


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_step_divides_the_weighted_losses_by_the_number_of_examples(precision):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    with dtype_policy(precision):
        features = keras.layers.Dense(4, "relu")(inputs)
    head = keras.layers.Dense(2, dtype="float32")
    model = keras.Model(inputs, head(features))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    # 1.003 is no bfloat16; the sum is not the number of examples.
    labels, weights = np.array([0, 1, 1, 0, 1]), np.array([0.0, 1.003, 0.5, 6.0, 0.5], "float32")
    given = np.asarray(keras.Model(inputs, features)(x)).astype("float64")
    kernel, bias = (weight.astype("float64") for weight in head.get_weights())
    logits = given @ kernel + bias
    logarithms = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    targets = 0.9 * np.eye(2)[labels] + 0.1 / 2
    losses = -(targets * logarithms).sum(axis=1)
    slope = weights[:, None] * (np.exp(logarithms) - targets) / 5

    told = {}
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: told.update(logs))
    phase = dataclasses.replace(PHASE, epochs=1, decay="constant")
    config = dataclasses.replace(SMOOTHED, precision=precision)
    view = compiled_view(model, phase, config, 1)
    batches = feature_batches(x, labels, 5, seed=0, epochs=1, weights=weights)
    run_epochs(view, only(batches, 1), [callback], epochs=1)
    assert told["loss"] == pytest.approx((weights * losses).sum() / 5, rel=1e-6)
    right = logits.argmax(axis=1) == labels
    assert told["accuracy"] == pytest.approx((weights * right).sum() / weights.sum(), rel=1e-6)
    stepped_kernel, stepped_bias = head.get_weights()
    # What the features and their slopes lack in bits is no matter of the weights.
    rel = 1e-5 if precision == "float32" else 5e-3
    assert stepped_kernel - kernel == pytest.approx(-0.1 * given.T @ slope, rel=rel, abs=1e-7)
    assert stepped_bias - bias == pytest.approx(-0.1 * slope.sum(axis=0), rel=1e-5)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_weights_of_one_train_to_the_same_last_bit_as_none(label_smoothing):
    x = np.random.default_rng(0).normal(size=(7, 3)).astype("float32")
    labels = np.arange(7) % 2

    def trained(weights):
        model = tiny_model()
        config = FitConfig(label_smoothing=label_smoothing)
        view = compiled_view(model, PHASE, config, 3)
        batches = feature_batches(x, labels, 3, seed=0, epochs=4, weights=weights)
        run_epochs(view, only(batches, 3), [], epochs=4)
        return model.get_weights()

    for ours, theirs in zip(trained(np.ones(7, "float32")), trained(None), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_splits_that_there_are_are_scored():
    source = open_source(FitConfig(data="digits", validation_examples=20, test_examples=30))
    images = {name: Images(split, 8) for name, split in source.splits.items()}
    inputs = keras.Input((8, 8, 3))
    logits = keras.layers.Dense(10, kernel_initializer="zeros", bias_initializer=biased)(
        keras.layers.Flatten()(inputs)
    )
    model = keras.Model(inputs, keras.layers.Softmax()(logits))
    found = predict_splits(model, images, batch_size=7)
    assert list(found) == ["validation", "test"]
    assert found["test"].shape == (30, 10)
    assert (found["test"].argmax(axis=1) == 3).all()
    del images["test"]
    assert list(predict_splits(model, images, batch_size=64)) == ["validation"]


def biased(shape, dtype=None):
    """Every image is a three."""
    return np.eye(shape[0], dtype=dtype)[3]
