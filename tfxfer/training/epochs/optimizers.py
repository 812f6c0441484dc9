"""Optimizers and learning rate schedules from the settings of a phase."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from tfxfer.config.decided import GradientPhase

# Biases and normalization scales are exempt from weight decay
# (He et al. 2019, "Bag of Tricks", arXiv:1812.01187, section 3.1).
_NOT_DECAYED = ["bias", "gamma", "beta"]


class RateFactors(keras.optimizers.Optimizer):
    """An optimizer whose learning rate is multiplied by a factor for each variable.

    Scaling the gradients instead would do nothing: Adam divides by their size. Weight decay follows
    the learning rate, as it does in Keras. A mixin; the optimizer comes after it.

    Args:
        factors: Factors of the learning rate by the `id` of the variable; 1 for all others.
        **settings: Those of the optimizer.
    """

    weight_decay: float | None

    def __init__(self, factors: Mapping[int, float], **settings: Any) -> None:
        super().__init__(**settings)
        # A method, as Keras would copy a mapping into one of its own.
        self._factor_of = factors.get

    def build(self, variables: Sequence[Any]) -> None:
        """Creates the optimizer's variables, and finds the factor of each variable."""
        super().build(variables)
        self._factors = tuple(self._factor_of(id(variable), 1.0) for variable in variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable."""
        factor = self._factors[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * factor)

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        decay = self.weight_decay
        if decay is None:
            return
        for variable in variables:
            # Keras multiplies it by the learning rate, which has no factor there.
            self.weight_decay = decay * self._factors[self._get_variable_index(variable)]
            super()._apply_weight_decay([variable])
        self.weight_decay = decay


class SGDWithFactors(RateFactors, keras.optimizers.SGD):
    """SGD with factors of the learning rate."""


class AdamWithFactors(RateFactors, keras.optimizers.Adam):
    """Adam with factors of the learning rate."""


class AdamWWithFactors(RateFactors, keras.optimizers.AdamW):
    """AdamW with factors of the learning rate."""


# By the setting: the optimizer of Keras, and the one with factors. TensorFlow takes no leading
# underscore in the name of an optimizer, which is that of its class.
_KINDS = {
    "sgd": (keras.optimizers.SGD, SGDWithFactors),
    "adam": (keras.optimizers.Adam, AdamWithFactors),
    "adamw": (keras.optimizers.AdamW, AdamWWithFactors),
}


def learning_rate_schedule(
    phase: GradientPhase, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns the learning rate schedule: linear warm-up to the peak, then decay.

    `cosine` decays from the peak to zero at the last step of the phase (Loshchilov & Hutter 2017,
    arXiv:1608.03983, without restarts). `constant` stays at the peak.

    Args:
        phase: Settings of the phase, all decided.
        steps_per_epoch: Optimizer updates per epoch.
    """
    total_steps = phase.epochs * steps_per_epoch
    # Leave at least one step for the decay, even if the warm-up is as long as the phase.
    warmup_steps = min(math.ceil(phase.warmup_epochs * steps_per_epoch), total_steps - 1)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps > 0 else phase.learning_rate,
        warmup_target=phase.learning_rate if warmup_steps > 0 else None,
        warmup_steps=max(warmup_steps, 0),
        decay_steps=max(total_steps - max(warmup_steps, 0), 1),
        alpha=0.0 if phase.decay == "cosine" else 1.0,
    )


class LaterSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate schedule of which the first steps are left out.

    Args:
        schedule: The whole schedule.
        first_step: The step at which it begins.
    """

    def __init__(
        self, schedule: keras.optimizers.schedules.LearningRateSchedule, first_step: int
    ) -> None:
        self._schedule = schedule
        self._first_step = first_step

    def __call__(self, step: Any) -> Any:
        """Returns the learning rate of a step, counted from the first that is not left out."""
        return self._schedule(step + self._first_step)


def later_schedule(
    phase: GradientPhase, steps_per_epoch: int, first_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule | None:
    """Returns the schedule of a phase from an epoch on; None if that is the first.

    Args:
        phase: Settings of the phase, all decided.
        steps_per_epoch: Optimizer updates per epoch.
        first_epoch: Index of the epoch, from 0.
    """
    if not first_epoch:
        return None
    return LaterSchedule(
        learning_rate_schedule(phase, steps_per_epoch), first_epoch * steps_per_epoch
    )


def build_optimizer(
    phase: GradientPhase,
    steps_per_epoch: int,
    rate_factors: Mapping[int, float] | None = None,
    schedule: keras.optimizers.schedules.LearningRateSchedule | None = None,
) -> keras.optimizers.Optimizer:
    """Returns a new optimizer with learning rate schedule, weight decay and gradient clipping.

    Weight decay is decoupled from the gradient (Loshchilov & Hutter 2019, arXiv:1711.05101) for
    every optimizer, so `adam` with weight decay is `adamw`. Biases and normalization scales are
    exempt.

    Args:
        phase: Settings of the phase, all decided.
        steps_per_epoch: Optimizer updates per epoch.
        rate_factors: Factors of the learning rate by the `id` of the variable; None if all are 1.
        schedule: The learning rate; None takes that of the phase.
    """
    settings = {
        "learning_rate": schedule or learning_rate_schedule(phase, steps_per_epoch),
        "weight_decay": phase.weight_decay or None,
        "global_clipnorm": phase.clip_norm or None,
    }
    if phase.optimizer == "sgd":
        settings |= {"momentum": phase.momentum, "nesterov": phase.nesterov}
    elif phase.optimizer == "adamw":
        settings["weight_decay"] = phase.weight_decay or 0.0
    plain, with_factors = _KINDS[phase.optimizer]
    optimizer = with_factors(rate_factors, **settings) if rate_factors else plain(**settings)
    if phase.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=_NOT_DECAYED)
    return optimizer
