"""Scales features to zero mean and unit variance, as part of the head."""

from dataclasses import dataclass
from typing import Self

import numpy as np

# Features with a standard deviation below this fraction of the largest keep their own scale.
_SMALLEST_STD = 1e-3


@dataclass(frozen=True)
class Standardization:
    """Mean and standard deviation of each feature, (num_features,), over the training images.

    The scale of features differs between backbones by orders of magnitude. After standardization
    one learning rate and one L2 penalty suit all of them: the head converges as fast, and to the
    same solution, whatever their scale.
    """

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, weights: np.ndarray | None = None) -> Self:
        """Computes the statistics of training features.

        Args:
            features: Shape (num_examples, num_features).
            weights: Sample weights, shape (num_examples,); an example of weight 2 counts twice.
                None weights all equally.
        """
        if weights is None:
            mean, std = features.mean(axis=0), features.std(axis=0)
        else:
            total = weights.sum(dtype=np.float64)
            mean = np.asarray(weights @ features / total, features.dtype)
            std = np.sqrt(weights @ np.square(features - mean) / total)
        # A feature that is constant on the training images must not explode on images where it
        # differs a little.
        floor = _SMALLEST_STD * std.max(initial=0.0)
        return cls(mean, np.where(std > floor, std, 1.0))

    def apply(self, features: np.ndarray) -> np.ndarray:
        """Returns features of mean 0 and standard deviation 1, float32."""
        return np.asarray((features - self.mean) / self.std, "float32")

    def absorbed(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the kernel and bias for raw features that match these for standardized ones.

        Args:
            kernel: Shape (num_features, num_outputs).
            bias: Shape (num_outputs,).
        """
        kernel = kernel / self.std[:, None]
        return kernel, bias - self.mean @ kernel
