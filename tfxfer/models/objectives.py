"""Objectives of a head: activation, loss, metric, and ranking."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from tfxfer.models.losses.cross_entropy import (
    SMALLEST_PROBABILITY,
    example_losses,
    mean_smoothed_cross_entropy,
    row_blocks,
    smoothed_cross_entropies,
    smoothed_cross_entropy,
    smoothed_cross_entropy_and_slope,
    soft_cross_entropy,
    weighted_mean,
)

Arrays = Callable[[npt.ArrayLike, npt.ArrayLike], npt.NDArray[Any]]


class Scores(NamedTuple):
    """Scores of outputs on a split.

    Attributes:
        loss: The training loss, with label smoothing.
        metric: The reported metric, such as accuracy.
    """

    loss: float
    metric: float


# Where there are no validation images.
NOT_VALIDATED = Scores(math.nan, math.nan)


@dataclass(frozen=True)
class Objective:
    """An objective: activation, loss, metric and ranking.

    Labels are class indices, (num_examples,), a row of several labels for each example, or numbers.
    Where these functions take sample weights, these have the shape of the labels.

    Attributes:
        name: Display name.
        activation: Returns the Keras layer from logits to the outputs of a saved model.
        activate: The activation for arrays, (num_examples, num_outputs).
        loss: From the label smoothing to a Keras loss of labels and logits.
        mean_loss: The loss for arrays: of logits, labels, label smoothing and sample weights.
        losses: The loss of each example: of logits, labels and label smoothing.
        loss_and_slope: The mean loss and its gradient by the logits, for L-BFGS: of logits, labels,
            label smoothing and sample weights.
        num_problems: How many problems a linear head is that share nothing, by number of outputs;
            `mean_loss` is a mean over them.
        keras_metric: Returns the Keras metric of labels and logits used in training.
        soft_loss: As `loss`, of targets in [0, 1], (batch, num_outputs), instead of labels.
        soft_metric: As `keras_metric`, of such targets: each output counts by its target.
        metric: The metric for arrays: of logits, labels and sample weights.
        guess_loss: The loss of a uniform guess, by number of outputs.
        rank: From validation loss and metric to a rank; the greatest is kept.
        rank_by: What that compares, in words.
        logits_of: The inverse of `activate`, up to a constant, in float64.
        hits: How right the outputs of each example are, in [0, 1]: of probabilities and labels.
        probability_losses: The loss without label smoothing, in the shape of the labels, or of
            each task of each example: of probabilities and labels.
        confidences: Probabilities that are claimed, and whether what they claim is so, both of
            shape (num_claims,): of probabilities and labels.
        view: Makes the model that is trained, of an input and the logits, where it weights losses
            by what it has learned; None for a plain `keras.Model`.
        is_ordered: Whether classes have an order: there is an output between each two neighbors,
            and all outputs of the head share their weights, but not their biases.
        is_number: Whether an example has a number: there is one output, and no probabilities.
        metric_name: What the metric is called in the log.
        shown: The metric as it is shown there.
        score_name: What the metric is called where trials of a search are compared by it.
    """

    name: str
    activation: Callable[[], Any]
    activate: Callable[[npt.ArrayLike], npt.NDArray[np.float32]]
    loss: Callable[[float], Callable[[Any, Any], Any]]
    mean_loss: Callable[[npt.ArrayLike, npt.ArrayLike, float, npt.ArrayLike | None], float]
    losses: Callable[[npt.ArrayLike, npt.ArrayLike, float], npt.NDArray[np.float64]]
    loss_and_slope: Callable[..., tuple[float, npt.NDArray[np.float32]]]
    num_problems: Callable[[int], int]
    keras_metric: Callable[[], Any]
    soft_loss: Callable[[float], Callable[[Any, Any], Any]]
    soft_metric: Callable[[], Any]
    metric: Callable[[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike | None], float]
    guess_loss: Callable[[int], float]
    rank: Callable[[float, float], tuple[float, ...]]
    logits_of: Callable[[npt.ArrayLike], npt.NDArray[np.float64]]
    hits: Arrays
    probability_losses: Arrays
    confidences: Callable[
        [npt.ArrayLike, npt.ArrayLike], tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]
    ]
    rank_by: str = "val_loss"
    view: Callable[[Any, Any], Any] | None = None
    is_ordered: bool = False
    is_number: bool = False
    metric_name: str = "accuracy"
    shown: Callable[[float], str] = "{:.4f}".format
    score_name: str = "accuracy"

    def of_soft_targets(self) -> Self:
        """Returns the objective of a training on targets in [0, 1], (batch, num_outputs)."""
        return dataclasses.replace(self, loss=self.soft_loss, keras_metric=self.soft_metric)

    def scores(
        self,
        logits: npt.ArrayLike,
        labels: npt.ArrayLike,
        label_smoothing: float,
        weights: npt.ArrayLike | None = None,
    ) -> Scores:
        """Returns the training loss and the metric of logits.

        Args:
            logits: Shape (num_examples, num_outputs).
            labels: Shape (num_examples,) or (num_examples, num_outputs).
            label_smoothing: Fraction of the target that is spread over all classes.
            weights: Sample weights in the shape of the labels; None weights all equally.
        """
        loss = self.mean_loss(logits, labels, label_smoothing, weights)
        return Scores(loss, self.metric(logits, labels, weights))


def accuracy(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Returns the fraction of examples whose most probable class is the label, in [0, 1].

    Args:
        probabilities: Or logits, shape (num_examples, num_classes). Of equal ones the first class
            wins.
        labels: Class indices, shape (num_examples,).
        weights: Sample weights, shape (num_examples,); None weights all equally.

    Examples:
        >>> accuracy([[0.9, 0.1], [0.7, 0.3]], [0, 1])
        0.5
        >>> accuracy([[0.9, 0.1], [0.7, 0.3]], [0, 1], [3, 1])
        0.75
    """
    return weighted_mean(is_right(probabilities, labels), weights)


def is_right(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Returns whether the most probable class of each example is its label, (num_examples,).

    Examples:
        >>> is_right([[0.9, 0.1], [0.7, 0.3]], [0, 1])
        array([ True, False])
    """
    right: npt.NDArray[np.bool_] = np.argmax(probabilities, axis=1) == np.asarray(labels)
    return right


def softmax(logits: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Returns probabilities, float32, of logits, (num_examples, num_classes).

    Examples:
        >>> softmax([[0.0, 0.0], np.log([3.0, 1.0])]).round(2)
        array([[0.5 , 0.5 ],
               [0.75, 0.25]], dtype=float32)
    """
    rows = np.asarray(logits)
    probabilities = np.empty(rows.shape, np.float32)
    for block in row_blocks(rows):
        some = rows[block].astype(np.float32)
        exponents = np.exp(some - some.max(axis=1, keepdims=True))
        np.divide(exponents, exponents.sum(axis=1, keepdims=True), out=probabilities[block])
    return probabilities


def _logarithms(probabilities: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Returns logits, float64, of probabilities, (num_examples, num_classes)."""
    rows = np.asarray(probabilities).astype(np.float64)
    found: npt.NDArray[np.float64] = np.log(np.maximum(rows, SMALLEST_PROBABILITY))
    return found


def _predicted_classes(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Returns the probability of each predicted class, and whether it is the label."""
    confidence = np.asarray(probabilities).max(axis=1).astype(np.float64)
    return confidence, is_right(probabilities, labels)


def _softmax_layer() -> Any:
    import keras  # slow to import, and not needed to read results

    return keras.layers.Softmax(name="probabilities", dtype="float32")


def _keras_accuracy() -> Any:
    import keras

    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")


def _keras_soft_accuracy() -> Any:
    """Returns the mean target of the most probable class as a Keras metric."""
    import keras

    class SoftAccuracy(keras.metrics.Mean):
        """A mean over examples with targets, (batch, num_classes)."""

        def update_state(self, targets: Any, logits: Any, sample_weight: Any = None) -> None:
            places = keras.ops.expand_dims(keras.ops.argmax(logits, axis=-1), -1)
            found = keras.ops.take_along_axis(keras.ops.cast(targets, "float32"), places, axis=-1)
            super().update_state(found[:, 0], sample_weight)

    return SoftAccuracy(name="accuracy", dtype="float32")


def _by_accuracy(loss: float, accuracy: float) -> tuple[float, ...]:
    """Ranks by the higher accuracy, then by the lower loss."""
    return accuracy, -loss


# One class of several for each example: labels are class indices, the loss is in nats.
SOFTMAX = Objective(
    name="softmax classification",
    activation=_softmax_layer,
    activate=softmax,
    loss=smoothed_cross_entropy,
    mean_loss=mean_smoothed_cross_entropy,
    losses=smoothed_cross_entropies,
    loss_and_slope=smoothed_cross_entropy_and_slope,
    num_problems=lambda num_outputs: 1,
    keras_metric=_keras_accuracy,
    soft_loss=soft_cross_entropy,
    soft_metric=_keras_soft_accuracy,
    metric=accuracy,
    guess_loss=math.log,
    rank=_by_accuracy,
    rank_by="val_accuracy, on ties val_loss",
    logits_of=_logarithms,
    hits=is_right,
    probability_losses=example_losses,
    confidences=_predicted_classes,
)
