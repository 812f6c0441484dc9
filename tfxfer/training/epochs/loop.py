"""Runs the epochs of a phase."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import keras
import tensorflow as tf

from tfxfer.config.decided import DecidedRun, GradientPhase
from tfxfer.config.schema import AugmentConfig
from tfxfer.data.batches import feature_batches, training_batches
from tfxfer.data.image.augmentation import NO_CHANGES
from tfxfer.data.image.dataset import Images
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.training.epochs.optimizers import build_optimizer
from tfxfer.training.examples import Examples


def compiled_view(
    model: keras.Model,
    phase: GradientPhase,
    config: DecidedRun,
    steps: int,
    most_together: int = 1,
    objective: Objective = SOFTMAX,
) -> keras.Model:
    """Returns a model of the same layers that is compiled for a phase with a new optimizer.

    A model's own compilation goes along into every file that it, or a model around it, is saved in:
    its loss and its optimizer's state. The view's does not.

    Under `mixed_float16` the loss is multiplied, and the gradients divided, by what keeps those
    from vanishing (Micikevicius et al. 2018, arXiv:1710.03740, section 3.2); Keras does so by
    itself only where that is the global dtype policy.

    Args:
        model: Images or features to logits.
        phase: A phase whose settings are all decided.
        config: Of the run; `label_smoothing`, `precision` and `xla` are read.
        steps: Batches in an epoch.
        most_together: Steps between which Python is not asked, at the most; more than one where a
            step is so short that this matters.
        objective: What the model is trained for.
    """
    # Keras would take more steps than an epoch has, had it to take a part of so many.
    together = max(number for number in range(1, most_together + 1) if steps % number == 0)
    view = keras.Model(model.input, model.output)
    optimizer = build_optimizer(phase, steps)
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    view.compile(
        optimizer=optimizer,
        loss=objective.loss(config.label_smoothing),
        # Weighted as the loss is, where batches come with weights; Keras' `metrics` never are.
        weighted_metrics=[objective.keras_metric()],
        steps_per_execution=together,
        jit_compile={"on": True, "off": False}.get(config.xla, "auto"),
    )
    # All that a checkpoint holds is there from the start.
    optimizer.build(view.trainable_variables)
    for metric in view.metrics:
        if hasattr(metric, "build"):  # what holds those that `compile` was given
            metric.build(keras.KerasTensor((None,), "int32"), view.output)
    return view


@dataclass(frozen=True)
class Batches:
    """The batches of a phase.

    Attributes:
        steps: Batches in an epoch.
        of: Returns those of the epochs from the first to before the second number, one after the
            other, without the first so many of the first epoch: (x, labels), or with weights of
            mean 1 as the third. A batch's loss is its weighted sum divided by its number of
            examples, whatever their weights.
    """

    steps: int
    of: Callable[[int, int, int], tf.data.Dataset]

    @classmethod
    def of_images(
        cls, images: Images, config: DecidedRun, augment: AugmentConfig = NO_CHANGES
    ) -> Self:
        """Returns the batches of a phase that is trained on images.

        Args:
            images: What to train on.
            config: Of the run; `batch_size` and `seed` are read.
            augment: Random changes, others in each epoch.
        """

        def between(first: int, end: int, step: int) -> tf.data.Dataset:
            return training_batches(
                images,
                config.batch_size,
                seed=config.seed,
                epochs=end,
                augment=augment,
                first_epoch=first,
                first_step=step,
            )

        return cls(math.ceil(len(images) / config.batch_size), between)

    @classmethod
    def of_examples(cls, examples: Examples, config: DecidedRun) -> Self:
        """Returns the batches of a phase that is trained on what is in memory, likewise."""

        def between(first: int, end: int, step: int) -> tf.data.Dataset:
            return feature_batches(
                examples.features,
                examples.labels,
                config.batch_size,
                seed=config.seed,
                epochs=end,
                weights=examples.weights,
                first_epoch=first,
                first_step=step,
            )

        return cls(math.ceil(len(examples.labels) / config.batch_size), between)


def run_epochs(
    view: keras.Model,
    batches: Batches,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    epochs: int,
    first_epoch: int = 0,
    first_step: int = 0,
) -> None:
    """Trains what is trainable of a compiled model for the steps of a phase that are left.

    Args:
        view: What `compiled_view` returned.
        batches: Of the phase.
        callbacks: Told of each batch and epoch; in the first epoch a step's number is counted from
            the first that is left.
        epochs: Of the whole phase.
        first_epoch: Number of the first epoch, from 0.
        first_step: Steps of that epoch which were taken before.
    """

    def run(first: int, end: int, step: int) -> None:
        view.fit(
            batches.of(first, end, step),
            initial_epoch=first,
            epochs=end,
            steps_per_epoch=batches.steps - step,
            callbacks=list(callbacks),
            shuffle=False,  # the batches are in a new order in each epoch already
            verbose=0,
        )

    if first_step:
        run(first_epoch, first_epoch + 1, first_step)
        first_epoch += 1
        if view.stop_training:
            return
    if first_epoch < epochs:
        run(first_epoch, epochs, 0)


def batch_size_of(epochs: int, steps: int) -> str:
    """Returns how long a phase is, as a person says it."""
    return (
        f"{epochs} epoch{'' if epochs == 1 else 's'} of {steps:,} step{'' if steps == 1 else 's'}"
    )
