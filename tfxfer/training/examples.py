"""Examples in memory, as activations of the frozen half of a classifier."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Examples:
    """Training or validation examples, without their images.

    Attributes:
        features: Output of the frozen half: pooled features, (num_examples, num_features), or
            activations if part of the backbone is trainable, (num_examples, ...).
        labels: Class indices, shape (num_examples,).
        weights: Sample weights, float32, mean 1, shape (num_examples,); None weighs all equally.
    """

    features: Floats
    labels: npt.NDArray[np.int64]
    weights: Floats | None = None

    @property
    def effective_number(self) -> float:
        """Effective sample size: `sum(weights)**2 / sum(weights**2)`.

        Kish 1965, Survey Sampling.
        """
        if self.weights is None:
            return len(self.labels)
        weights = self.weights.astype(np.float64)
        return float(weights.sum() ** 2 / np.square(weights).sum())
