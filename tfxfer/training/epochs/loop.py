"""Runs the epochs of a phase."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from tfxfer.config.decided import DecidedTraining, GradientPhase
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.training.epochs.optimizers import build_optimizer


def compiled_view(
    model: keras.Model,
    phase: GradientPhase,
    config: DecidedTraining,
    steps: int,
    max_steps_per_execution: int = 1,
    objective: Objective = SOFTMAX,
    rate_factors: Mapping[int, float] | None = None,
    schedule: keras.optimizers.schedules.LearningRateSchedule | None = None,
) -> keras.Model:
    """Returns a model of the same layers, compiled for a phase with a new optimizer.

    The loss and optimizer state of a compiled model are saved with it. Those of the view are not.

    With `mixed_float16` the loss is scaled so that gradients do not underflow (Micikevicius et al.
    2018, arXiv:1710.03740, section 3.2). Keras does so by itself only if that is the global dtype
    policy.

    Args:
        model: Maps images or features to logits.
        phase: Settings of the phase, all decided.
        config: Settings of the run; `label_smoothing`, `precision` and `xla` are read.
        steps: Batches per epoch.
        max_steps_per_execution: Upper limit of Keras' `steps_per_execution`; more than 1 for steps
            so short that the Python overhead matters.
        objective: Loss and metric of the training.
        rate_factors: See `build_optimizer`.
        schedule: See `build_optimizer`.
    """
    # With a number that does not divide the epoch, Keras would take more steps than it has.
    divisors = range(1, max_steps_per_execution + 1)
    steps_per_execution = max(number for number in divisors if steps % number == 0)
    view = (objective.view or keras.Model)(model.input, model.output)
    optimizer = build_optimizer(phase, steps, rate_factors, schedule)
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    view.compile(
        optimizer=optimizer,
        loss=objective.loss(config.label_smoothing),
        # Uses the sample weights, as the loss does; Keras' `metrics` never do.
        weighted_metrics=[objective.keras_metric()],
        steps_per_execution=steps_per_execution,
        jit_compile={"on": True, "off": False}.get(config.xla, "auto"),
    )
    # Create all variables that a checkpoint holds.
    optimizer.build(view.trainable_variables)
    for metric in view.metrics:
        if hasattr(metric, "build"):  # the container of the compiled metrics
            metric.build(keras.KerasTensor((None,), "int32"), view.output)
    return view


@dataclass(frozen=True)
class Batches:
    """The batches of a phase.

    Attributes:
        steps: Batches per epoch.
        of: `of(first, end, step)` returns the batches of epochs `first` to `end - 1`, without the
            first `step` batches of the first one: (x, y), or (x, y, sample_weight) with weights of
            mean 1. The loss of a batch is its weighted sum divided by its number of examples.
            With a `Share` as a fourth argument, what a process reads of them.
    """

    steps: int
    of: Callable[..., tf.data.Dataset]


def run_epochs(
    view: keras.Model,
    batches: Batches,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    epochs: int,
    first_epoch: int = 0,
    first_step: int = 0,
) -> None:
    """Trains a compiled model for the remaining steps of a phase.

    Args:
        view: The model returned by `compiled_view`.
        batches: Batches of the phase.
        callbacks: Keras callbacks; in a resumed epoch they count only the remaining steps.
        epochs: Number of epochs of the whole phase.
        first_epoch: Index of the first epoch, from 0.
        first_step: Steps of that epoch that were taken before.
    """

    def run(first: int, end: int, step: int) -> None:
        view.fit(
            batches.of(first, end, step),
            initial_epoch=first,
            epochs=end,
            steps_per_epoch=batches.steps - step,
            callbacks=list(callbacks),
            shuffle=False,  # the batches are shuffled already
            verbose=0,
        )

    if first_step:
        run(first_epoch, first_epoch + 1, first_step)
        first_epoch += 1
        if view.stop_training:
            return
    if first_epoch < epochs:
        run(first_epoch, epochs, 0)


def phase_length(epochs: int, steps: int) -> str:
    """Returns the length of a phase as text: "3 epochs of 1,250 steps"."""
    return (
        f"{epochs} epoch{'' if epochs == 1 else 's'} of {steps:,} step{'' if steps == 1 else 's'}"
    )
