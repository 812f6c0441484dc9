import keras
import numpy as np
import pytest

from tfxfer.training.epochs.averaging import WeightAverage

IMAGES = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
TARGETS = np.random.default_rng(1).normal(size=(24, 2)).astype("float32")


def model_of(*, adapt=True):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    batch_norm = keras.layers.BatchNormalization(momentum=0.5)
    model = keras.Model(inputs, keras.layers.Dense(2)(batch_norm(inputs)))
    batch_norm.trainable = adapt
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


def train(model, average, *, epochs=1):
    """Trains for six steps an epoch and returns the weights after each."""
    seen = []
    noting = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(model.get_weights())
    )
    model.fit(
        IMAGES,
        TARGETS,
        batch_size=4,
        epochs=epochs,
        shuffle=False,
        callbacks=[average, noting],
        verbose=0,
    )
    return seen


def averaged(model, average):
    with average.applied():
        return model.get_weights()


def formula(start, seen, momentum):
    """Returns the average of the weights, each step's momentum limited as in TensorFlow."""
    average = [weight.astype("float64") for weight in start]
    for step, weights in enumerate(seen, start=1):
        kept = min(momentum, (1 + step) / (10 + step))
        average = [kept * a + (1 - kept) * w for a, w in zip(average, weights, strict=True)]
    return average


@pytest.mark.parametrize("momentum", [0.3, 0.99])
def test_the_average_follows_its_formula_statistics_of_batch_norm_included(momentum):
    model = model_of()
    start = model.get_weights()
    average = WeightAverage(model, momentum)
    seen = train(model, average, epochs=2)
    expected = formula(start, seen, momentum)
    found = averaged(model, average)
    assert len(found) == 6
    for ours, theirs, last in zip(found, expected, seen[-1], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)
        assert ours != pytest.approx(last, rel=1e-3)


def test_statistics_that_are_frozen_stay():
    model = model_of(adapt=False)
    start = model.get_weights()
    average = WeightAverage(model, 0.5)
    seen = train(model, average)
    *frozen, kernel, bias = averaged(model, average)
    for ours, theirs in zip(frozen, start[:4], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    expected = formula(start[4:], [weights[4:] for weights in seen], 0.5)
    assert kernel == pytest.approx(expected[0], rel=1e-5, abs=1e-6)
    assert bias == pytest.approx(expected[1], rel=1e-5, abs=1e-6)


def test_the_model_has_its_own_weights_again_whatever_happens_meanwhile():
    model = model_of()
    average = WeightAverage(model, 0.9)
    train(model, average)
    own = model.get_weights()
    with pytest.raises(KeyError), average.applied():
        assert any((x != y).any() for x, y in zip(own, model.get_weights(), strict=True))
        raise KeyError
    for ours, theirs in zip(model.get_weights(), own, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_training_is_the_same_with_an_average_or_without():
    without = model_of()
    train(without, keras.callbacks.Callback())
    model = model_of()
    average = WeightAverage(model, 0.9)
    train(model, average)
    for ours, theirs in zip(model.get_weights(), without.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_average_that_is_restored_goes_on_to_the_same_bits():
    model = model_of()
    whole = WeightAverage(model, 0.95)
    train(model, whole)
    state, weights = whole.state(), model.get_weights()
    train(model, whole)
    expected = averaged(model, whole)
    again = model_of()
    resumed = WeightAverage(again, 0.95)
    again.set_weights(weights)
    resumed.restore(state)
    train(again, resumed)
    for ours, theirs in zip(averaged(again, resumed), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert int(resumed.state()["average_steps"][0]) == 12
