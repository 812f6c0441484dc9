"""The losses."""

from collections.abc import Callable
from typing import Any

import keras


def smoothed_cross_entropy(label_smoothing: float) -> Callable[[Any, Any], Any]:
    """Returns a loss of integer labels, (batch,) or (batch, 1), and logits, (batch, num_classes).

    A share `label_smoothing` of the target is spread evenly over all classes (Szegedy et al. 2016,
    arXiv:1512.00567, section 7); Keras' sparse loss has no such argument.
    """

    def loss(labels: Any, logits: Any) -> Any:
        log_probabilities = keras.ops.log_softmax(logits, axis=-1)  # (batch, num_classes)
        labels = keras.ops.cast(keras.ops.reshape(labels, (-1, 1)), "int32")
        chosen = keras.ops.take_along_axis(log_probabilities, labels, axis=-1)[:, 0]
        spread = keras.ops.mean(log_probabilities, axis=-1)
        return -((1 - label_smoothing) * chosen + label_smoothing * spread)

    return loss
