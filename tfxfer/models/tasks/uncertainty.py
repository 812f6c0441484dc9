"""Uncertainty weighting: the losses of several tasks, weighted by how well each is fitted.

Kendall et al. 2018 (arXiv:1705.07115, equation 10) minimize the sum over the tasks of
`loss / variance + log(variance) / 2`, where the variance of each task is learned, too. For given
losses the best variance is twice the loss. Here each is kept at this optimum for a running mean of
its loss instead of following it by gradient steps, which depend on the learning rate (Kirchdorfer
et al. 2024, arXiv:2408.07985). The weights are scaled to a mean of 1, so that a learning rate means
what it means for one task.
"""

import math
from collections.abc import Callable
from typing import Any

from tfxfer.models.losses.grouped_cross_entropy import GroupedCrossEntropy

# The share of the running mean of a loss that each batch replaces.
_NEW = 0.05

# A loss counts as at least this share of that of random guessing: the weight of a task that is
# fitted without error would grow without end.
_LEAST = 0.02


def weighed_by_uncertainty(sizes: tuple[int, ...]) -> Callable[[Any, Any], Any]:
    """Returns a function that makes a model whose losses are weighted, of an input and an output.

    Args:
        sizes: Number of classes of each task. The loss that the model is compiled with gives a
            value for each output; see `GroupedCrossEntropy.keras_loss`.
    """
    import keras  # slow to import, and not needed to read results

    guesses, groups = [math.log(size) for size in sizes], GroupedCrossEntropy(sizes).groups
    scale = sum(sizes) / len(sizes)

    class Weighed(keras.Model):
        """A model that keeps a running mean of the loss of each task."""

        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **settings)
            self.running_losses = self.add_weight(
                shape=(len(sizes),),
                initializer=lambda _, dtype: keras.ops.convert_to_tensor(guesses, dtype),
                trainable=False,
                dtype="float32",
                name="running_losses",
            )

        def compute_loss(
            self,
            x: Any = None,
            y: Any = None,
            y_pred: Any = None,
            sample_weight: Any = None,
            training: bool = True,
        ) -> Any:
            """Returns the mean over the tasks of their weighted losses."""
            ops = keras.ops
            elements = self.loss(y, y_pred) / scale
            sums = _sums(elements, sample_weight, groups)
            if training:
                counts = _num_known(y, groups)
                means = ops.where(counts > 0, sums / ops.maximum(counts, 1), self.running_losses)
                self.running_losses.assign((1 - _NEW) * self.running_losses + _NEW * means)
            weights = ops.stop_gradient(uncertainty_weights(self.running_losses, guesses))
            return ops.mean(weights * sums) / ops.cast(ops.shape(elements)[0], sums.dtype)

    return Weighed


def _sums(elements: Any, weights: Any, groups: list[slice]) -> Any:
    """Returns the sum of the losses of each task, (num_tasks,), by the loss of each output."""
    import keras

    if weights is not None:
        elements = elements * keras.ops.cast(weights, elements.dtype)
    return keras.ops.stack([keras.ops.sum(elements[:, group]) for group in groups])


def _num_known(labels: Any, groups: list[slice]) -> Any:
    """Returns how many labels of a batch each task has, float32, (num_tasks,)."""
    import keras

    known = keras.ops.logical_not(keras.ops.isnan(keras.ops.cast(labels, "float32")))
    of_examples = [keras.ops.cast(known[:, group.start], "float32") for group in groups]
    return keras.ops.stack([keras.ops.sum(one) for one in of_examples])


def uncertainty_weights(losses: Any, guesses: Any) -> Any:
    """Returns the weight of each task with mean 1, (num_tasks,): the inverse of its variance.

    Args:
        losses: Mean loss of each task.
        guesses: That of random guessing.

    Examples:
        >>> uncertainty_weights([0.1, 0.3], [0.7, 2.3]).numpy().round(2)  # doctest: +SKIP
        array([1.5, 0.5], dtype=float32)
    """
    import keras

    losses = keras.ops.convert_to_tensor(losses, "float32")
    least = _LEAST * keras.ops.convert_to_tensor(guesses, "float32")
    precisions = 1 / (2 * keras.ops.maximum(losses, least))
    return precisions / keras.ops.mean(precisions)
