"""How an epoch is judged on validation."""

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from tfxfer.data.batches import evaluation_batches
from tfxfer.data.image.dataset import Images
from tfxfer.models.prediction import predict_batches
from tfxfer.system.progress import Progress

# The splits that a run is judged by.
SCORED_SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Judge:
    """How a model does on the examples of a split, as often as one asks.

    Attributes:
        model: To logits or probabilities, (batch, num_classes).
        batches: What the model takes, with labels: every example once.
        labels: Class indices, (num_examples,), in the order of the batches.
        batch_size: Examples in a batch but the last.
        name: Of the split.
    """

    model: keras.Model
    batches: tf.data.Dataset
    labels: np.ndarray
    batch_size: int
    name: str

    def outputs(self) -> np.ndarray:
        """Returns what the model gives now, (num_examples, num_classes)."""
        count = len(self.labels)
        with Progress(self.name, count, self.batch_size) as progress:
            return predict_batches(
                self.model, self.batches, count, self.batch_size, progress.update
            )


def predict_splits(
    model: keras.Model, images: Mapping[str, Images], batch_size: int
) -> dict[str, np.ndarray]:
    """Returns what a model gives of the validation and test splits that there are.

    Args:
        model: Images in [0, 255] to probabilities.
        images: The splits by name.
        batch_size: Images per batch; of no influence on the result.

    Returns:
        By the name of the split, (num_examples, num_classes).
    """
    found = {}
    for name in SCORED_SPLITS:
        if name in images:
            labels = images[name].labels
            batches = evaluation_batches(images[name], batch_size)
            judge = Judge(model, batches, labels, batch_size, name)
            found[name] = judge.outputs()
    return found
