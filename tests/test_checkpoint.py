import keras
import numpy as np
import pytest

from tfxfer.checkpoint import restore_checkpoint, save_checkpoint
from tfxfer.errors import RunError

GENERATOR = np.random.default_rng(0)
X, Y = GENERATOR.normal(size=(24, 4)).astype("float32"), GENERATOR.normal(size=(24, 1))


def build(seed=0, units=3):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(units)(inputs)
    x = keras.layers.BatchNormalization()(x)
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    schedule = keras.optimizers.schedules.CosineDecay(0.1, decay_steps=12)
    model.compile(keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True), "mse")
    return model


def train(model, first_epoch, epochs):
    model.fit(
        X, Y, batch_size=8, initial_epoch=first_epoch, epochs=epochs, verbose=0, shuffle=False
    )


def test_training_goes_on_as_if_it_had_never_stopped(tmp_path):
    whole = build()
    train(whole, 0, 4)
    first = build()
    train(first, 0, 2)
    save_checkpoint(first, tmp_path / "c.weights.h5")
    second = build(seed=1)
    assert restore_checkpoint(second, tmp_path / "c.weights.h5") == 6
    train(second, 2, 4)
    for expected, value in zip(whole.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(value, expected)


def test_a_damaged_checkpoint_is_a_clear_error(tmp_path):
    path = tmp_path / "c.weights.h5"
    save_checkpoint(build(), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(
        RunError, match=r"Cannot go on from .*c.weights.h5': it is damaged, or another"
    ):
        restore_checkpoint(build(), path)


def test_a_checkpoint_of_another_model_is_a_clear_error(tmp_path):
    save_checkpoint(build(), tmp_path / "c.weights.h5")
    with pytest.raises(RunError, match="Delete it to begin this run anew"):
        restore_checkpoint(build(units=5), tmp_path / "c.weights.h5")
