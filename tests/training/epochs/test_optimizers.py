import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.config.schema import PhaseConfig
from tfxfer.training.epochs.optimizers import build_optimizer, learning_rate_schedule

PHASE = PhaseConfig(
    epochs=4,
    optimizer="sgd",
    learning_rate=0.5,
    warmup_epochs=0.0,
    momentum=0.9,
    weight_decay=0.0,
    clip_norm=0.0,
)


def rates(phase, steps_per_epoch):
    schedule = learning_rate_schedule(phase, steps_per_epoch)
    return [float(schedule(step)) for step in range(phase.epochs * steps_per_epoch)]


def test_cosine_decay_follows_its_formula():
    expected = [0.5 * 0.5 * (1 + math.cos(math.pi * step / 20)) for step in range(20)]
    assert rates(PHASE, 5) == pytest.approx(expected, abs=1e-7)


def test_a_warm_up_rises_linearly_to_the_peak_and_then_decays_to_zero():
    phase = dataclasses.replace(PHASE, warmup_epochs=1.0)
    rising = [0.5 * step / 5 for step in range(5)]
    falling = [0.5 * 0.5 * (1 + math.cos(math.pi * step / 15)) for step in range(15)]
    assert rates(phase, 5) == pytest.approx(rising + falling, abs=1e-7)


def test_a_constant_rate_stays_at_the_peak():
    assert rates(dataclasses.replace(PHASE, decay="constant"), 3) == pytest.approx([0.5] * 12)


def test_a_warm_up_longer_than_the_phase_still_ends_before_it():
    phase = dataclasses.replace(PHASE, epochs=1, warmup_epochs=9.0)
    assert rates(phase, 4) == pytest.approx([0, 1 / 6, 1 / 3, 0.5])


def test_a_phase_of_one_step_trains_at_the_peak():
    assert rates(dataclasses.replace(PHASE, epochs=1, warmup_epochs=1.0), 1) == [0.5]


def step(phase, gradient, name="kernel"):
    """Returns what one update makes of a weight of 1."""
    weight = keras.Variable(np.ones(2, "float32"), name=name)
    optimizer = build_optimizer(phase, steps_per_epoch=10)
    optimizer.build([weight])
    optimizer.apply([keras.ops.convert_to_tensor(np.array(gradient, "float32"))], [weight])
    return keras.ops.convert_to_numpy(weight)


def test_gradients_are_clipped_by_their_global_norm():
    phase = dataclasses.replace(PHASE, clip_norm=1.0)
    assert step(phase, [30.0, 40.0]) == pytest.approx([1 - 0.5 * 0.6, 1 - 0.5 * 0.8], abs=1e-6)
    assert step(PHASE, [30.0, 40.0]) == pytest.approx([1 - 0.5 * 30, 1 - 0.5 * 40], abs=1e-4)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_weight_decay_shrinks_kernels_and_spares_biases_and_scales(optimizer):
    phase = dataclasses.replace(PHASE, optimizer=optimizer, weight_decay=0.1)
    assert step(phase, [0.0, 0.0]) == pytest.approx([1 - 0.5 * 0.1] * 2, abs=1e-6)
    for name in ("bias", "gamma", "beta"):
        assert step(phase, [0.0, 0.0], name) == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_without_weight_decay_a_weight_without_gradient_stays(optimizer):
    phase = dataclasses.replace(PHASE, optimizer=optimizer)
    assert step(phase, [0.0, 0.0]) == pytest.approx([1.0, 1.0])


def test_the_optimizer_is_that_of_the_setting():
    kinds = {
        "sgd": keras.optimizers.SGD,
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
    }
    for name, kind in kinds.items():
        assert type(build_optimizer(dataclasses.replace(PHASE, optimizer=name), 1)) is kind
        assert type(build_optimizer(dataclasses.replace(PHASE, optimizer=name), 1, {})) is kind
    assert build_optimizer(PHASE, 1).momentum == 0.9


def adam(gradients, rates, decay):
    """Returns what Adam makes of a weight of 1 (Kingma & Ba 2015, algorithm 1), decay decoupled."""
    weight, mean, square = np.ones(2), np.zeros(2), np.zeros(2)
    for step, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        weight = weight * (1 - rate * decay)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        # Keras' epsilon is the paper's "epsilon hat" of section 2.
        size = rate * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        weight = weight - size * mean / (np.sqrt(square) + 1e-7)
    return weight


def sgd(gradients, rates, decay):
    """Returns what SGD with momentum makes of a weight of 1, decay decoupled."""
    weight, velocity = np.ones(2), np.zeros(2)
    for gradient, rate in zip(gradients, rates, strict=True):
        weight = weight * (1 - rate * decay)
        velocity = 0.9 * velocity - rate * gradient
        weight = weight + velocity
    return weight


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("optimizer", "formula"), [("sgd", sgd), ("adam", adam), ("adamw", adam)])
def test_each_variable_has_its_own_learning_rate(optimizer, formula, compiled, precision):
    phase = dataclasses.replace(
        PHASE, optimizer=optimizer, weight_decay=0.2, clip_norm=2.0, epochs=1, learning_rate=0.1
    )
    weights = [keras.Variable(np.ones(2, "float32"), name=name) for name in ("a", "b", "c")]
    factors = {id(weights[1]): 10.0, id(weights[2]): 0.25}
    own = build_optimizer(phase, 5, factors)
    optimizer = keras.optimizers.LossScaleOptimizer(own) if precision == "mixed_float16" else own
    optimizer.build(weights)
    gradients = np.random.default_rng(0).normal(size=(5, 3, 2)).astype("float32")
    scale = 2.0**15 if precision == "mixed_float16" else 1.0

    def apply(*gradients):
        optimizer.apply([gradient * scale for gradient in gradients], weights)

    step = tf.function(apply, jit_compile=True) if compiled else apply
    for each in gradients:
        step(*(tf.constant(gradient) for gradient in each))
    norms = np.sqrt((gradients.astype("float64") ** 2).sum(axis=(1, 2), keepdims=True))
    clipped = gradients * np.minimum(1, 2 / norms)
    assert (norms > 2).any()
    assert (norms < 2).any()
    for index, factor in enumerate((1.0, 10.0, 0.25)):
        expected = formula(clipped[:, index], factor * np.array(rates(phase, 5)), 0.2)
        assert weights[index].numpy() == pytest.approx(expected, rel=1e-4)
    assert own.weight_decay == 0.2
    assert float(optimizer.learning_rate) == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_biases_are_not_decayed_whatever_their_learning_rate(optimizer):
    phase = dataclasses.replace(PHASE, optimizer=optimizer, weight_decay=0.1)
    bias, kernel = (keras.Variable(np.ones(2, "float32"), name=name) for name in ("bias", "kernel"))
    own = build_optimizer(phase, 10, {id(bias): 2.0, id(kernel): 2.0})
    own.apply([keras.ops.zeros(2)] * 2, [bias, kernel])
    assert bias.numpy() == pytest.approx([1.0, 1.0])
    assert kernel.numpy() == pytest.approx([1 - 2 * 0.5 * 0.1] * 2, abs=1e-6)


def test_factors_of_one_are_the_same_bits_as_none():
    phase = dataclasses.replace(PHASE, optimizer="adamw", weight_decay=0.2, clip_norm=1.0)
    found = []
    for factor in (None, 1.0):
        weight = keras.Variable(np.ones(2, "float32"), name="kernel")
        own = build_optimizer(phase, 4, factor and {id(weight): factor})
        for gradient in np.random.default_rng(0).normal(size=(9, 2)).astype("float32"):
            own.apply([keras.ops.convert_to_tensor(gradient)], [weight])
        found.append(weight.numpy())
    np.testing.assert_array_equal(*found)
