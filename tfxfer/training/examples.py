"""Examples in memory, as what the frozen half of a classifier gives of them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Examples:
    """What is trained on, or judged by, without its images.

    Attributes:
        features: What the frozen half gives: pooled features, (num_examples, num_features), or the
            activations where a part of the backbone is trained, (num_examples, ...).
        labels: Class indices, shape (num_examples,).
        weights: How much each counts, float32, mean 1, shape (num_examples,); None is all alike.
    """

    features: Floats
    labels: npt.NDArray[np.int64]
    weights: Floats | None = None

    @property
    def effective_number(self) -> float:
        """How many examples of one weight would tell a share as exactly as these do.

        It is `sum(weights)**2 / sum(weights**2)` (Kish 1965, Survey Sampling).
        """
        if self.weights is None:
            return len(self.labels)
        weights = self.weights.astype(np.float64)
        return float(weights.sum() ** 2 / np.square(weights).sum())
