import keras
import numpy as np

from tfxfer.config.schema import FinetuneConfig, FitConfig
from tfxfer.training.epochs.loop import compiled_view
from tfxfer.training.epochs.state import (
    generator_states,
    restore_generators,
    restore_training_state,
    training_state,
)

PHASE = FinetuneConfig(
    epochs=2,
    optimizer="adam",
    learning_rate=0.1,
    warmup_epochs=0.0,
    weight_decay=0.0,
    clip_norm=0.0,
)


def view_of_a_model_with_dropout():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    x = keras.layers.Dropout(0.5, seed=1)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    return compiled_view(model, PHASE, FitConfig(label_smoothing=0.1), 4)


def train(view):
    images = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    labels = (images[:, 0] > 0).astype("int32")
    view.fit(images, labels, batch_size=2, shuffle=False, verbose=0)


def test_a_model_that_is_put_back_takes_the_same_steps_again():
    view = view_of_a_model_with_dropout()
    train(view)
    state = training_state(view)
    train(view)
    once = training_state(view)
    restore_training_state(view, state)
    train(view)
    again = training_state(view)
    assert once.keys() == again.keys() == {"model", "optimizer", "metrics"}
    for name, arrays in once.items():
        for ours, theirs in zip(arrays, again[name], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert any((x != y).any() for x, y in zip(state["model"], once["model"], strict=True))


def test_random_generators_go_on_where_they_were():
    view = view_of_a_model_with_dropout()
    before = generator_states(view)
    assert len(before) == 1
    images = np.ones((2, 3), "float32")
    first = keras.ops.convert_to_numpy(view(images, training=True))
    assert (generator_states(view)[0] != before[0]).any()
    restore_generators(view, before)
    again = keras.ops.convert_to_numpy(view(images, training=True))
    np.testing.assert_array_equal(first, again)
