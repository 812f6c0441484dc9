"""Scales features to zero mean and unit variance, as part of the head."""

from dataclasses import dataclass
from typing import Self

import numpy as np

# A feature that varies less than this part of the one that varies most is left at its own scale.
_SMALLEST_DEVIATION = 1e-3


@dataclass(frozen=True)
class Standardisation:
    """Mean and deviation of each feature, (num_features,), over the training images.

    Features of one backbone differ in scale from those of another by orders of magnitude, and on
    images far from its source by little among themselves. Standardised, one learning rate or
    penalty suits them all: the head learns as fast, and reaches the same place, whatever their
    scale.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, weights: np.ndarray | None = None) -> Self:
        """Returns that of training images.

        Args:
            features: Shape (num_examples, num_features).
            weights: How much each example counts, shape (num_examples,); one of weight 2 is two
                here, too. None is all alike.
        """
        if weights is None:
            mean, deviation = features.mean(axis=0), features.std(axis=0)
        else:
            total = weights.sum(dtype=np.float64)
            mean = np.asarray(weights @ features / total, features.dtype)
            deviation = np.sqrt(weights @ np.square(features - mean) / total)
        # A feature that is the same on all training images says nothing, and must not explode where
        # another image differs by a little.
        floor = _SMALLEST_DEVIATION * deviation.max(initial=0.0)
        return cls(mean, np.where(deviation > floor, deviation, 1.0))

    def apply(self, features: np.ndarray) -> np.ndarray:
        """Returns features of mean 0 and deviation 1, float32."""
        return np.asarray((features - self.mean) / self.deviation, "float32")

    def absorbed(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the kernel and bias that do with features what these do with standardised ones.

        Args:
            kernel: Shape (num_features, num_outputs).
            bias: Shape (num_outputs,).
        """
        kernel = kernel / self.deviation[:, None]
        return kernel, bias - self.mean @ kernel
