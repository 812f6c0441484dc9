"""From a phase's settings to its optimizer, with the learning rate as a function of the step."""

import math

import keras

from tfxfer.config.decided import GradientPhase

# Decay pulls a weight towards zero; a bias or a normalisation's scale has no reason to go there
# (He et al. 2019, "Bag of Tricks", arXiv:1812.01187, section 3.1).
_NOT_DECAYED = ["bias", "gamma", "beta"]


def learning_rate_schedule(
    phase: GradientPhase, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns the learning rate by step: a linear warm-up to the peak, then the phase's decay.

    `cosine` falls from the peak to zero at the phase's last step (Loshchilov & Hutter 2017,
    arXiv:1608.03983, without restarts); `constant` stays at the peak.

    Args:
        phase: A phase whose settings are all decided.
        steps_per_epoch: Optimizer updates in one epoch.
    """
    total_steps = phase.epochs * steps_per_epoch
    # At least one step is left for the decay, also where the warm-up is as long as the phase.
    warmup_steps = min(math.ceil(phase.warmup_epochs * steps_per_epoch), total_steps - 1)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps > 0 else phase.learning_rate,
        warmup_target=phase.learning_rate if warmup_steps > 0 else None,
        warmup_steps=max(warmup_steps, 0),
        decay_steps=max(total_steps - max(warmup_steps, 0), 1),
        alpha=0.0 if phase.decay == "cosine" else 1.0,
    )


def build_optimizer(phase: GradientPhase, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Returns a new optimizer for a phase: its rule, rate, weight decay and clipping.

    Weight decay is decoupled from the gradient (Loshchilov & Hutter 2019, arXiv:1711.05101) under
    each rule, so `adam` with a weight decay is `adamw`; biases and normalisation scales are spared.

    Args:
        phase: A phase whose settings are all decided.
        steps_per_epoch: Optimizer updates in one epoch.
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
