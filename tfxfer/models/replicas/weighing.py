"""A model that is trained on padded batches as it would be on the same batches without padding."""

from collections.abc import Callable
from typing import Any

import keras


def for_padded_batches(
    view: Callable[[Any, Any], Any] | None, num_sums: int
) -> Callable[[Any, Any], Any]:
    """Returns a function that makes a model for the batches of `shares.padded`.

    Args:
        view: See `Objective.view`; it must be a class or None.
        num_sums: How many parts of a batch have losses of their own that are added up, as those of
            MirroredStrategy do, which Keras divides by this number.
    """
    kind: Any = view or keras.Model

    class Padded(kind):
        """A model whose sample weights are a pair; see `shares.padded`."""

        def compute_loss(
            self,
            x: Any = None,
            y: Any = None,
            y_pred: Any = None,
            sample_weight: Any = None,
            training: bool = True,
        ) -> Any:
            """Returns the part of the batch's loss that these examples have."""
            weights, scale = sample_weight
            shape = (-1,) + (1,) * (len(weights.shape) - 1)
            weights = weights * keras.ops.reshape(keras.ops.cast(scale, weights.dtype), shape)
            return super().compute_loss(x, y, y_pred, weights, training)

        def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            """Updates the metrics; the mean loss of an epoch counts real examples only."""
            weights, scale = sample_weight
            loss = num_sums * self.compute_loss(x, y, y_pred, sample_weight)
            # Keras has just added this loss with the padded size as its weight.
            padded_size = keras.ops.cast(keras.ops.shape(scale)[0], "float32")
            padding = padded_size / keras.ops.cast(scale[0], "float32") - padded_size
            tracker = next(metric for metric in self.metrics if metric.name == "loss")
            tracker.update_state(loss, sample_weight=padding)
            return super().compute_metrics(x, y, y_pred, weights)

    return Padded
