import dataclasses
import math

import keras
import numpy as np
import pytest

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
    assert build_optimizer(PHASE, 1).momentum == 0.9
