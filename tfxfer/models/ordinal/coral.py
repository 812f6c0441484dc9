"""CORAL: one score for each example, and a threshold between each two neighboring classes.

Cao et al. 2020, "Rank consistent ordinal regression for neural networks" (arXiv:1901.07884). With
classes 0 to K - 1 there are K - 1 outputs: output k is the logit of the probability that the class
is above k. All have the same weights, and only their biases differ. The loss is the sum of their
binary cross-entropies (equation 4, with all weights 1). The probability of a class is the
difference of two neighbors.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.special

from tfxfer.models.losses.binary_cross_entropy import (
    LARGEST_PROBABILITY,
    binary_cross_entropies,
    binary_cross_entropy,
    binary_cross_entropy_and_slope,
    label_losses,
)
from tfxfer.models.losses.cross_entropy import SMALLEST_PROBABILITY, mean_loss
from tfxfer.models.objectives import SOFTMAX, Objective, accuracy

Floats = npt.NDArray[np.float64]

# The least difference of two probabilities: those of neighbors may be in the wrong order while a
# head is trained.
_LEAST = 1e-30


def is_above(labels: npt.ArrayLike, num_outputs: int) -> npt.NDArray[np.float32]:
    """Returns whether each class is above each threshold, 0 or 1, (num_examples, num_outputs).

    Examples:
        >>> is_above([0, 2], 2)
        array([[0., 0.],
               [1., 1.]], dtype=float32)
    """
    above: npt.NDArray[np.bool_] = np.asarray(labels)[:, None] > np.arange(num_outputs)
    return above.astype(np.float32)


def class_probabilities(logits: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Returns the probability of each class, float32, (num_examples, num_outputs + 1).

    Examples:
        >>> class_probabilities([[np.log(3.0), 0.0]]).round(2)
        array([[0.25, 0.25, 0.5 ]], dtype=float32)
    """
    above = scipy.special.expit(np.asarray(logits, np.float64))
    padded = np.pad(above, ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0)))
    shares = np.maximum(padded[:, :-1] - padded[:, 1:], _LEAST)
    found: npt.NDArray[np.float32] = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


def logits_of(probabilities: npt.ArrayLike) -> Floats:
    """Returns the logits, float64, (num_examples, num_classes - 1), of probabilities of classes.

    Examples:
        >>> logits_of([[0.25, 0.25, 0.5]]).round(4)
        array([[1.0986, 0.    ]])
    """
    above = _above(probabilities)
    found: Floats = scipy.special.logit(np.clip(above, SMALLEST_PROBABILITY, LARGEST_PROBABILITY))
    return found


def log_probabilities(logits: Any) -> Any:
    """Returns the logarithm of the probability of each class, of Keras' own layers.

    Args:
        logits: A tensor, (batch, num_outputs).
    """
    import keras  # slow to import, and not needed to read results

    ops = keras.ops
    above = keras.layers.Activation("sigmoid", name="above", dtype="float32")(logits)
    lower = ops.pad(above, ((0, 0), (1, 0)), constant_values=1.0)
    upper = ops.pad(above, ((0, 0), (0, 1)), constant_values=0.0)
    return ops.log(ops.maximum(lower - upper, _LEAST))


def _above(probabilities: npt.ArrayLike) -> Floats:
    """Returns the probability of a class above each threshold, (num_examples, num_classes - 1)."""
    rows = np.asarray(probabilities, np.float64)
    found: Floats = np.cumsum(rows[:, ::-1], axis=1)[:, ::-1][:, 1:]
    return found


def _losses(logits: npt.ArrayLike, labels: npt.ArrayLike, label_smoothing: float) -> Floats:
    """Returns the loss of each example in nats, (num_examples,)."""
    targets = is_above(labels, np.shape(logits)[1])
    losses: Floats = binary_cross_entropies(logits, targets, label_smoothing).sum(axis=1)
    return losses


def _mean_loss(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    label_smoothing: float,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Returns the mean loss over examples; with weights `sum(weight * loss) / num_examples`."""
    return mean_loss(_losses(logits, labels, label_smoothing), weights)


def _mean_and_slope(
    logits: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    label_smoothing: float,
    weights: npt.NDArray[np.float32] | None = None,
) -> tuple[float, npt.NDArray[np.float32]]:
    """Returns the mean loss and its gradient by the logits, (num_examples, num_outputs)."""
    number = logits.shape[1]
    each = None if weights is None else weights[:, None]
    told = is_above(labels, number), label_smoothing, each
    loss, slope = binary_cross_entropy_and_slope(logits, *told)
    slope *= number  # a sum over the thresholds
    return loss * number, slope


def _probability_losses(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> Floats:
    """Returns the loss of each example, (num_examples,), without label smoothing."""
    above = _above(probabilities)
    losses: Floats = label_losses(above, is_above(labels, above.shape[1])).sum(axis=1)
    return losses


def _keras_loss(label_smoothing: float, *, is_soft: bool) -> Callable[[Any, Any], Any]:
    """Returns the loss of class indices, (batch,), or of soft targets, (batch, num_classes)."""
    import keras

    of_thresholds = binary_cross_entropy(label_smoothing)

    def loss(labels: Any, logits: Any) -> Any:
        if is_soft:
            targets = 1 - keras.ops.cumsum(keras.ops.cast(labels, "float32"), axis=-1)[:, :-1]
        else:
            classes = keras.ops.cast(keras.ops.reshape(labels, (-1, 1)), "float32")
            thresholds = keras.ops.arange(logits.shape[-1], dtype="float32")
            targets = keras.ops.cast(classes > thresholds, "float32")
        return keras.ops.sum(of_thresholds(targets, logits), axis=-1)

    return loss


def _keras_metric(*, is_soft: bool) -> Any:
    """Returns the accuracy of the most probable class as a Keras metric."""
    import keras

    inner = SOFTMAX.soft_metric() if is_soft else SOFTMAX.keras_metric()

    class OrderedAccuracy(keras.metrics.Metric):
        """The accuracy of the most probable class."""

        def __init__(self) -> None:
            super().__init__(name="accuracy", dtype="float32")
            self.inner = inner

        def update_state(self, labels: Any, logits: Any, sample_weight: Any = None) -> None:
            self.inner.update_state(labels, log_probabilities(logits), sample_weight)

        def result(self) -> Any:
            return self.inner.result()

        def reset_state(self) -> None:
            self.inner.reset_state()

    return OrderedAccuracy()


def _activation() -> Callable[[Any], Any]:
    """Returns the function from logits to the probabilities of classes, of Keras' own layers."""
    import keras

    softmax = keras.layers.Softmax(name="probabilities", dtype="float32")
    return lambda logits: softmax(log_probabilities(logits))


# Classes in an order, which is that of their indices; the loss is in nats.
CORAL = Objective(
    name="ordinal classification",
    activation=_activation,
    activate=class_probabilities,
    loss=functools.partial(_keras_loss, is_soft=False),
    mean_loss=_mean_loss,
    losses=_losses,
    loss_and_slope=_mean_and_slope,
    num_problems=lambda num_outputs: 1,
    keras_metric=functools.partial(_keras_metric, is_soft=False),
    soft_loss=functools.partial(_keras_loss, is_soft=True),
    soft_metric=functools.partial(_keras_metric, is_soft=True),
    metric=lambda logits, labels, weights: accuracy(class_probabilities(logits), labels, weights),
    guess_loss=lambda num_outputs: num_outputs * math.log(2),
    rank=lambda loss, accuracy: (-loss,),
    logits_of=logits_of,
    hits=SOFTMAX.hits,
    probability_losses=_probability_losses,
    confidences=SOFTMAX.confidences,
    is_ordered=True,
)
