"""The learning rate range test: a few training steps at rising rates, on copies of the weights."""

import math
from collections.abc import Sequence

import keras
import numpy as np

from tfxfer.config.decided import DecidedFinetune
from tfxfer.runs.search.rates import RangeTest, write_rates
from tfxfer.system.progress import Progress
from tfxfer.system.run_layout import RunDirectory
from tfxfer.training.classifier_pair import Trainable
from tfxfer.training.epochs.loop import compiled_view
from tfxfer.training.epochs.state import generator_states, restore_generators
from tfxfer.training.finetune_phase import finetune_phase
from tfxfer.training.phases import Materials, model_and_batches

# From far below any useful rate to where any network diverges, in as many steps as fastai's
# `lr_find`.
_LOWEST, _HIGHEST, _STEPS = 1e-6, 1.0, 100


def find_rate(given: Materials, run: RunDirectory, start: list[np.ndarray] | None) -> None:
    """Trains at rising learning rates, says and writes the losses, and restores the weights.

    Each step has its own rate, each higher than the last by the same factor (Smith 2015,
    arXiv:1506.01186, section 3.3, there with rates that rise linearly). Optimizer, augmentation and
    what is trained are those of the finetune phase, which then starts as if there had been no test.

    Args:
        given: Materials of the fit, with the weights of the head phase in the journal.
        run: The run; its `rates.csv` is written.
        start: Initial weights of the head; None takes those of the journal.

    Raises:
        InterruptionError: A signal was received.
    """
    classifier, settings = given.classifiers.trained, given.config.finetune
    weights, generators = classifier.model.get_weights(), generator_states(classifier.model)
    given.journal.restore_best(classifier.model)
    if start is not None:
        classifier.head.set_weights(start)
    try:
        rates, losses = _losses(given, settings)
    finally:
        classifier.model.set_weights(weights)
        restore_generators(classifier.model, generators)
    found = RangeTest.of(rates, losses)
    write_rates(run, found)
    given.journal.say(f"learning rate range test: {found.sentence(settings.learning_rate)}")


def _losses(given: Materials, settings: DecidedFinetune) -> tuple[list[float], list[float]]:
    """Returns the learning rate and the loss of each step until the loss diverges."""
    source = given.source(Trainable.of(settings))
    phase = finetune_phase("finetune", given.classifiers.trained, settings, given.config.augment)
    model, batches, objective = model_and_batches(given, phase, source)
    factor = (_HIGHEST / _LOWEST) ** (1 / (_STEPS - 1))
    view = compiled_view(
        model,
        settings,
        given.config,
        batches.steps,
        objective=objective,
        rate_factors=phase.rate_factors,
        schedule=keras.optimizers.schedules.ExponentialDecay(_LOWEST, 1, factor),
    )
    rates: list[float] = []
    losses: list[float] = []
    epochs = math.ceil(_STEPS / batches.steps)
    with Progress("learning rate range test, step", _STEPS) as progress:
        for step, batch in enumerate(batches.of(0, epochs, 0).take(_STEPS)):
            given.journal.interruptions.check()
            view.reset_metrics()  # the loss is then that of this batch
            losses.append(float(view.train_on_batch(*batch, return_dict=True)["loss"]))
            rates.append(_LOWEST * factor**step)
            progress.update(step + 1)
            if _is_over(rates, losses):
                break
    return rates, losses


def _is_over(rates: Sequence[float], losses: Sequence[float]) -> bool:
    return RangeTest.of(rates, losses).has_diverged
