"""Examples in memory, as activations of the frozen half of a classifier."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Examples:
    """Training or validation examples, without their images.

    Attributes:
        features: Output of the frozen half: pooled features, (num_examples, num_features), or
            activations if part of the backbone is trainable, (num_examples, ...). With mirror
            images, twice as many rows: theirs follow.
        labels: Class indices, shape (num_examples,), or several labels for each example,
            (num_examples, num_labels).
        weights: Sample weights, float32, mean 1, in the shape of the labels; None weighs all
            equally.
    """

    features: Floats
    labels: npt.NDArray[Any]
    weights: Floats | None = None

    @property
    def example_weights(self) -> Floats | None:
        """Weights of the examples, (num_examples,): of several labels, their mean."""
        if self.weights is None or self.weights.ndim == 1:
            return self.weights
        means: Floats = self.weights.mean(axis=1)
        return means

    @property
    def effective_number(self) -> float:
        """Effective sample size: `sum(weights)**2 / sum(weights**2)`.

        Kish 1965, Survey Sampling.
        """
        if self.example_weights is None:
            return len(self.labels)
        weights = self.example_weights.astype(np.float64)
        return float(weights.sum() ** 2 / np.square(weights).sum())
