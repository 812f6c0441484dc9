"""Outputs of a model on a split, for validation and evaluation."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

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
