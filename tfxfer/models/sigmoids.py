"""The multi-label objective: a sigmoid for each, and one of two losses."""

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.special

from tfxfer.models.losses.asymmetric import (
    asymmetric_loss,
    asymmetric_loss_and_slope,
    asymmetric_losses,
    mean_asymmetric_loss,
)
from tfxfer.models.losses.binary_cross_entropy import (
    LARGEST_PROBABILITY,
    binary_cross_entropies,
    binary_cross_entropy,
    binary_cross_entropy_and_slope,
    label_losses,
    mean_binary_cross_entropy,
)
from tfxfer.models.losses.cross_entropy import SMALLEST_PROBABILITY
from tfxfer.models.objectives import Objective

# The threshold of a label about which nothing is known.
DEFAULT_THRESHOLD = 0.5


def sigmoid(logits: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Returns the probability of each label, float32, of logits, (num_examples, num_labels).

    Examples:
        >>> sigmoid([[0.0, np.log(3.0)]]).round(2)
        array([[0.5 , 0.75]], dtype=float32)
    """
    found: npt.NDArray[np.float32] = scipy.special.expit(np.asarray(logits, np.float32))
    return found


def logits_of(probabilities: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Returns logits, float64, of the probabilities of labels, (num_examples, num_labels).

    Examples:
        >>> logits_of([[0.5, 0.75]]).round(4)
        array([[0.    , 1.0986]])
    """
    rows = np.asarray(probabilities, np.float64)
    found: npt.NDArray[np.float64] = scipy.special.logit(
        np.clip(rows, SMALLEST_PROBABILITY, LARGEST_PROBABILITY)
    )
    return found


def label_accuracy(
    logits: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Returns the share of the labels that are predicted correctly, in [0, 1].

    A label is predicted where its logit is at least 0: its probability is then at least 0.5. The
    share is 1 minus the Hamming loss; unknown labels do not count.

    Args:
        logits: Shape (num_examples, num_labels).
        labels: 0, 1, or NaN where unknown, in the same shape.
        weights: In the same shape; None weights all equally.

    Examples:
        >>> round(label_accuracy([[2.0, -1.0, 3.0, 1.0]], [[1, 0, np.nan, 0]]), 4)
        0.6667
    """
    known = np.asarray(labels)
    weight = ~np.isnan(known) * (1.0 if weights is None else np.asarray(weights, np.float64))
    total = float(weight.sum())
    right = (np.asarray(logits) >= 0) == (known == 1)
    return float((right * weight).sum() / total) if total else 0.0


def shares_right(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Returns the share of each example's labels that are right at 0.5, (num_examples,).

    Examples:
        >>> shares_right([[0.9, 0.9, 0.1], [0.9, 0.1, 0.1]], [[1, 0, np.nan], [1, 0, 0]])
        array([0.5, 1. ])
    """
    known = ~np.isnan(np.asarray(labels))
    right = known & ((np.asarray(probabilities) >= 0.5) == (np.asarray(labels) == 1))
    shares: npt.NDArray[np.float64] = right.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return shares


def known_labels(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Returns the probability of each known label of each example, and whether that has it.

    Examples:
        >>> known_labels([[0.9, 0.2]], [[1, np.nan]])
        (array([0.9]), array([ True]))
    """
    rows, targets = np.asarray(probabilities, np.float64), np.asarray(labels)
    known = ~np.isnan(targets)
    return rows[known], targets[known] == 1


def _sigmoid_layer() -> Any:
    import keras  # slow to import, and not needed to read results

    return keras.layers.Activation("sigmoid", name="probabilities", dtype="float32")


def _keras_label_accuracy() -> Any:
    """Returns `label_accuracy` as a Keras metric."""
    import keras

    class LabelAccuracy(keras.metrics.Mean):
        """A mean over all labels that are known."""

        def update_state(self, labels: Any, logits: Any, sample_weight: Any = None) -> None:
            is_known = keras.ops.logical_not(keras.ops.isnan(labels))
            # Of mixed images a target is between 0 and 1: the share of the label that is right.
            shares = keras.ops.where(logits >= 0, labels, 1 - labels)
            shares = keras.ops.where(is_known, shares, keras.ops.zeros_like(shares))
            weight = keras.ops.cast(is_known, "float32")
            if sample_weight is not None:
                weight = weight * sample_weight
            super().update_state(keras.ops.cast(shares, "float32"), weight)

    return LabelAccuracy(name="accuracy", dtype="float32")


def _by_loss(loss: float, accuracy: float) -> tuple[float, ...]:
    """Ranks by the lower loss: where labels are rare, hardly any is as accurate as most."""
    return (-loss,)


# Any number of labels for each example: a row of 0, 1 and NaN, and the loss is in nats for a label.
SIGMOIDS = Objective(
    name="multi-label classification",
    activation=_sigmoid_layer,
    activate=sigmoid,
    loss=binary_cross_entropy,
    mean_loss=mean_binary_cross_entropy,
    losses=lambda logits, labels, smoothing: binary_cross_entropies(logits, labels, smoothing).mean(
        axis=1
    ),
    loss_and_slope=binary_cross_entropy_and_slope,
    num_problems=lambda num_outputs: num_outputs,
    keras_metric=_keras_label_accuracy,
    soft_loss=binary_cross_entropy,
    soft_metric=_keras_label_accuracy,
    metric=label_accuracy,
    guess_loss=lambda num_outputs: math.log(2),
    rank=_by_loss,
    logits_of=logits_of,
    hits=shares_right,
    probability_losses=label_losses,
    confidences=known_labels,
)

# The same, trained by the asymmetric loss. Temperatures are fitted by cross-entropy all the same.
ASYMMETRIC = dataclasses.replace(
    SIGMOIDS,
    loss=asymmetric_loss,
    mean_loss=mean_asymmetric_loss,
    losses=lambda logits, labels, smoothing: asymmetric_losses(logits, labels, smoothing).mean(
        axis=1
    ),
    loss_and_slope=asymmetric_loss_and_slope,
    soft_loss=asymmetric_loss,
)
