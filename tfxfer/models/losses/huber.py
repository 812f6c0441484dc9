"""The Huber loss of one number for each example: as a Keras loss, as a mean, and its gradient.

Half the square of an error up to 1, and its absolute value less a half above (Huber 1964, Annals of
Mathematical Statistics 35). Numbers are standardized, so that 1 is a standard deviation of the
training numbers: an outlier pulls no harder than that.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def huber(errors: npt.ArrayLike) -> Floats:
    """Returns the loss of each error, in the same shape.

    Examples:
        >>> huber([0.5, -3.0])
        array([0.125, 2.5  ])
    """
    sizes = np.abs(np.asarray(errors, np.float64))
    return np.asarray(np.where(sizes <= 1, 0.5 * np.square(sizes), sizes - 0.5))


def huber_slope(errors: npt.ArrayLike) -> Floats:
    """Returns the derivative of `huber` at each error, in [-1, 1].

    Examples:
        >>> huber_slope([0.5, -3.0])
        array([ 0.5, -1. ])
    """
    return np.asarray(np.clip(np.asarray(errors, np.float64), -1, 1))


def keras_huber(mean: float, std: float) -> Callable[[Any, Any], Any]:
    """Returns a loss of numbers, (batch,), and standardized outputs, (batch, 1): (batch,).

    Args:
        mean: Of the training numbers.
        std: Their standard deviation.
    """
    import keras  # slow to import, and not needed to read results

    def loss(numbers: Any, outputs: Any) -> Any:
        sizes = keras.ops.abs(standardized_errors(numbers, outputs, mean, std))
        inside = keras.ops.minimum(sizes, 1.0)
        return inside * (sizes - 0.5 * inside)

    return loss


def standardized_errors(numbers: Any, outputs: Any, mean: float, std: float) -> Any:
    """Returns outputs less standardized numbers, (batch,), as a Keras tensor."""
    import keras

    outputs = keras.ops.convert_to_tensor(outputs)
    targets = (keras.ops.cast(keras.ops.reshape(numbers, (-1,)), outputs.dtype) - mean) / std
    return outputs[:, 0] - targets
