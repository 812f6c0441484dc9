"""Outputs of a model on a split, for validation and evaluation, and their scores."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.evaluation.calibration import apply_temperature, fit_temperature
from tfxfer.models.objectives import Objective
from tfxfer.models.prediction import predict_batches
from tfxfer.system.progress import Progress

# The splits that a run is evaluated on.
SCORED_SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Predictor:
    """A model with the examples of a split; its outputs follow the model as it trains.

    Attributes:
        model: Gives logits or probabilities, (batch, num_classes).
        batches: Inputs of the model with labels, each example once.
        labels: Class indices, (num_examples,), in the order of the batches.
        batch_size: Examples per batch; the last one may have fewer.
        name: Name of the split.
    """

    model: keras.Model
    batches: tf.data.Dataset
    labels: np.ndarray
    batch_size: int
    name: str

    def outputs(self) -> np.ndarray:
        """Returns the current outputs of the model, (num_examples, num_classes)."""
        count = len(self.labels)
        with Progress(self.name, count, self.batch_size) as progress:
            return predict_batches(
                self.model, self.batches, count, self.batch_size, progress.update
            )


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class ExampleScores:
    """The scores of a model on the examples of a split.

    Attributes:
        losses: Loss of each example after temperature scaling, times its weight, (num_examples,).
        hits: Whether each example is classified correctly, or the share of its labels that is,
            (num_examples,).
        accuracy: The metric of the objective, in [0, 1].
    """

    losses: npt.NDArray[np.float64]
    hits: npt.NDArray[Any]
    accuracy: float

    @property
    def loss(self) -> float:
        """The mean loss; infinite if the model gives anything but numbers."""
        loss = float(self.losses.mean())
        return loss if math.isfinite(loss) else math.inf


def score_examples(
    predictor: Predictor, objective: Objective, weights: npt.ArrayLike | None
) -> ExampleScores:
    """Returns the scores of each example with the weights that the model has now.

    The loss is that after temperature scaling: without it a few overconfident errors, which
    calibration would mend, hide that there are fewer of them (measured).

    Args:
        predictor: The model and its examples; the outputs are logits.
        objective: Loss and metric.
        weights: Sample weights in the shape of the labels; None weights all equally.
    """
    labels = predictor.labels
    probabilities = objective.activate(predictor.outputs())
    temperature = fit_temperature(probabilities, labels, objective)
    scaled = apply_temperature(probabilities, temperature, objective)
    losses = objective.probability_losses(scaled, labels)
    if weights is not None:
        weights = np.asarray(weights)
        losses = losses * (weights / weights.mean(dtype=np.float64))
    # For multi-label data, their mean.
    losses = losses.reshape(len(losses), -1).mean(axis=1)
    accuracy = objective.metric(objective.logits_of(probabilities), labels, weights)
    return ExampleScores(losses, objective.hits(probabilities, labels), accuracy)
