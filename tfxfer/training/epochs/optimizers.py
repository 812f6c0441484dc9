"""Optimizers and learning rate schedules from the settings of a phase."""

import math

import keras

from tfxfer.config.decided import GradientPhase

# Biases and normalization scales are exempt from weight decay
# (He et al. 2019, "Bag of Tricks", arXiv:1812.01187, section 3.1).
_NOT_DECAYED = ["bias", "gamma", "beta"]


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


def build_optimizer(phase: GradientPhase, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Returns a new optimizer with learning rate schedule, weight decay and gradient clipping.

    Weight decay is decoupled from the gradient (Loshchilov & Hutter 2019, arXiv:1711.05101) for
    every optimizer, so `adam` with weight decay is `adamw`. Biases and normalization scales are
    exempt.

    Args:
        phase: Settings of the phase, all decided.
        steps_per_epoch: Optimizer updates per epoch.
    """
    common = {
        "learning_rate": learning_rate_schedule(phase, steps_per_epoch),
        "weight_decay": phase.weight_decay or None,
        "global_clipnorm": phase.clip_norm or None,
    }
    if phase.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(momentum=phase.momentum, nesterov=phase.nesterov, **common)
    elif phase.optimizer == "adam":
        optimizer = keras.optimizers.Adam(**common)
    else:
        optimizer = keras.optimizers.AdamW(**{**common, "weight_decay": phase.weight_decay or 0.0})
    if phase.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=_NOT_DECAYED)
    return optimizer
