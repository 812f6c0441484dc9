"""Averages the weights of a fit after fine-tuning, and keeps the average if it is better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tfxfer.config.decided import DecidedFinetune
from tfxfer.runs.journal import BestWeights
from tfxfer.runs.search.average import AverageRecord
from tfxfer.training.averaging.choosing import (
    Average,
    Ingredient,
    Scored,
    Weights,
    best_interpolation,
    greedy_soup,
)
from tfxfer.training.averaging.statistics import adapting_layers, renew_statistics
from tfxfer.training.epochs.pool import WeightPool
from tfxfer.training.epochs.trainer import PhaseTraining
from tfxfer.training.epochs.validation import score_examples
from tfxfer.training.frozen.activations import ActivationSource
from tfxfer.training.phases import Materials

# Epochs that a soup may be made of. Each costs memory for a copy of the weights, and the epochs
# before the best five are further from the minimum.
_SOUP_EPOCHS = 5

# Passes over validation that averaging takes: the weights without, the best epoch and an average
# for each further one; or the weights without and nine interpolations.
_PASSES = {"none": 0, "soup": 1 + _SOUP_EPOCHS, "wise": 10}


@dataclass(frozen=True)
class ValidationScorer:
    """Scores weights of a fit on validation; see `choosing.Scorer`.

    Attributes:
        given: Materials of the fit; the trainable part of its classifiers is set.
        source: Source of the classifier's outputs; its frozen part is the same in all weights.
        training: The training that the weights come from.
    """

    given: Materials
    source: ActivationSource
    training: PhaseTraining

    def of(self, weights: Weights) -> Scored:
        """Returns weights that were trained with their scores."""
        classifiers = self.given.classifiers
        classifiers.trained.model.set_weights(weights)
        classifiers.update_exact()
        scores = score_examples(
            self.source.predictor("validation"),
            classifiers.trained.objective,
            self.given.evaluation_weights(),
        )
        return Scored(weights, scores)

    def of_average(self, weights: Weights) -> Scored:
        """Returns averaged weights, their BatchNorm statistics adapted, with their scores.

        Raises:
            InterruptionError: A signal was received.
        """
        self.given.journal.interruptions.check()
        model = self.given.classifiers.trained.model
        model.set_weights(weights)
        layers, training = adapting_layers(model), self.training
        if not layers:
            return self.of(weights)
        renew_statistics(layers, training.model, training.batches, self.given.config.batch_size)
        return self.of(model.get_weights())


def new_pool(
    given: Materials, settings: DecidedFinetune, arrays: Mapping[str, Sequence[np.ndarray]]
) -> WeightPool:
    """Returns what keeps the weights of a finetune phase that are to be averaged.

    Args:
        given: Materials of the fit; where the phase starts, the journal has the best weights of
            the head phase.
        settings: Settings of the phase.
        arrays: The arrays of the checkpoint where the phase starts or resumes.
    """
    size = {"none": 0, "wise": 1, "soup": _SOUP_EPOCHS}[settings.average]
    best = given.journal.best
    base = best.arrays if settings.average == "wise" and best is not None else None
    return WeightPool.resumed(size, given.classifiers.trained.objective.rank, base, arrays)


def passes_of_averaging(settings: DecidedFinetune) -> int:
    """Returns the passes over validation that averaging takes, for the time budget."""
    return _PASSES[settings.average]


def average_epochs(
    given: Materials,
    settings: DecidedFinetune,
    source: ActivationSource,
    training: PhaseTraining,
) -> None:
    """Averages the weights that a finetune phase kept; `journal.best` has them if that is better.

    The checkpoint that is saved before has all that this needs, so it is simply done again if it
    was interrupted.

    Args:
        given: Materials of the fit.
        settings: Settings of the phase.
        source: Source of the classifier's outputs.
        training: The training of the phase, which has ended.
    """
    journal, pool = given.journal, training.pool
    if settings.average == "none" or journal.best is None or not pool.epochs:
        return
    journal.write({"epoch": settings.epochs, "step": 0, "waited": 0}, pool.state())
    ingredients = [Ingredient(f"{one.number}", one.weights) for one in pool.epochs]
    scorer = ValidationScorer(given, source, training)
    without = scorer.of(journal.best.arrays)
    if settings.average == "soup":
        found = greedy_soup(ingredients, without, scorer)
        record = record_of("soup", "epoch", len(ingredients), without, found)
    else:
        found, record = interpolate(pool.base or [], ingredients[0], without, scorer)
    journal.notes.average = record
    journal.say(f"average: {record.sentence}")
    if found is not None:
        journal.best = BestWeights("model", list(found.found.weights))


def interpolate(
    first: Weights, second: Ingredient, without: Scored, scorer: ValidationScorer
) -> tuple[Average | None, AverageRecord]:
    """Returns the result of `best_interpolation`, with its record."""
    found = best_interpolation(first, second, without, scorer)
    return found, record_of("wise", "head", 2, without, found)


def record_of(
    kind: Literal["soup", "wise"],
    of: Literal["epoch", "trial", "head"],
    num_ingredients: int,
    without: Scored,
    found: Average | None,
) -> AverageRecord:
    """Returns the record of an average, or of none."""
    kept = without if found is None else found.found
    return AverageRecord(
        kind=kind,
        of=of,
        members=() if found is None else found.members,
        num_ingredients=num_ingredients,
        loss=round(kept.scores.loss, 6),
        accuracy=round(kept.scores.accuracy, 6),
        loss_without=round(without.scores.loss, 6),
        accuracy_without=round(without.scores.accuracy, 6),
        share=None if found is None else found.share,
    )
