"""The objective of several tasks: a softmax for each, and the mean of their cross-entropies."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.special

from tfxfer.models.losses.cross_entropy import SMALLEST_PROBABILITY
from tfxfer.models.losses.grouped_cross_entropy import GroupedCrossEntropy
from tfxfer.models.objectives import Objective
from tfxfer.models.tasks.uncertainty import weighed_by_uncertainty

Floats = npt.NDArray[np.float64]


@functools.lru_cache
def softmaxes(
    sizes: tuple[int, ...],
    weights: tuple[float, ...] | None = None,
    *,
    by_uncertainty: bool = False,
) -> Objective:
    """Returns the objective of several tasks, each with one class for each example.

    Labels are rows with a column for each output; see `grouped_cross_entropy`. The accuracy is the
    mean over the tasks, and the best epoch is that of the highest, then of the lower loss.

    Args:
        sizes: Number of classes of each task.
        weights: Of the loss of each task, with mean 1; None weights all equally.
        by_uncertainty: Whether gradient steps weight the losses by uncertainty instead; see
            `uncertainty`.
    """
    loss = GroupedCrossEntropy(sizes, weights)
    groups = loss.groups
    return Objective(
        name="multi-task classification",
        activation=lambda: _softmax_layers(groups),
        activate=functools.partial(activated, groups),
        loss=loss.keras_loss,
        mean_loss=loss.mean,
        losses=loss.of_examples,
        loss_and_slope=loss.mean_and_slope,
        num_problems=lambda num_outputs: len(sizes),
        keras_metric=lambda: _keras_accuracy(groups),
        soft_loss=loss.keras_loss,
        soft_metric=lambda: _keras_accuracy(groups),
        metric=functools.partial(mean_accuracy, groups),
        guess_loss=lambda num_outputs: (
            sum(factor * math.log(size) for factor, size in zip(loss.factors, sizes, strict=True))
            / len(sizes)
        ),
        rank=lambda loss, accuracy: (accuracy, -loss),
        rank_by="val_accuracy, on ties val_loss",
        logits_of=_logarithms,
        hits=functools.partial(shares_right, groups),
        probability_losses=loss.of_probabilities,
        confidences=functools.partial(confidences, groups),
        view=weighed_by_uncertainty(sizes) if by_uncertainty else None,
    )


def activated(groups: list[slice], logits: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Returns the probabilities of each task, float32, (num_examples, num_outputs).

    Examples:
        >>> activated([slice(0, 2), slice(2, 4)], [[0.0, 0.0, np.log(3.0), 0.0]]).round(2)
        array([[0.5 , 0.5 , 0.75, 0.25]], dtype=float32)
    """
    rows = np.asarray(logits, np.float32)
    found = np.empty(rows.shape, np.float32)
    for group in groups:
        found[:, group] = scipy.special.softmax(rows[:, group], axis=1)
    return found


def mean_accuracy(
    groups: list[slice],
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Returns the mean over the tasks of their accuracy, in [0, 1].

    Tasks without a known label are left out.

    Args:
        groups: The outputs of each task.
        logits: Or probabilities, (num_examples, num_outputs).
        labels: Targets, NaN where missing, in the same shape.
        weights: In the same shape; None weights all equally.

    Examples:
        >>> groups = [slice(0, 2), slice(2, 4)]
        >>> mean_accuracy(groups, [[1, 0, 1, 0], [1, 0, 0, 1]], [[0, 1, 1, 0], [1, 0, 0, 1]])
        0.75
    """
    right, total = _right(groups, logits, labels, weights)
    known = total.sum(axis=0)
    has_labels = known > 0
    if not has_labels.any():
        return 0.0
    return float((right.sum(axis=0)[has_labels] / known[has_labels]).mean())


def shares_right(
    groups: list[slice], probabilities: npt.ArrayLike, labels: npt.ArrayLike
) -> Floats:
    """Returns the share of each example's tasks that are right, (num_examples,); 1 without any.

    Examples:
        >>> shares_right([slice(0, 2), slice(2, 4)], [[0.9, 0.1, 0.4, 0.6]], [[1, 0, 1, 0]])
        array([0.5])
    """
    right, known = _right(groups, probabilities, labels, None)
    number = known.sum(axis=1)
    found: Floats = np.where(number > 0, right.sum(axis=1) / np.maximum(number, 1), 1.0)
    return found


def confidences(
    groups: list[slice], probabilities: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Returns the probability of each predicted class with a known label, and whether it is right.

    Examples:
        >>> confidences([slice(0, 2), slice(2, 4)], [[0.9, 0.1, 0.4, 0.6]], [[1, 0] + [np.nan] * 2])
        (array([0.9]), array([ True]))
    """
    rows = np.asarray(probabilities, np.float64)
    right, known = _right(groups, rows, labels, None)
    highest = np.stack([rows[:, group].max(axis=1) for group in groups], axis=1)
    return highest[known == 1], right[known == 1] == 1


def _right(
    groups: list[slice],
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    weights: npt.ArrayLike | None,
) -> tuple[Floats, Floats]:
    """Returns how much each task counts that is right, and that is known, (num_examples, tasks)."""
    rows, targets = np.asarray(logits), np.asarray(labels, np.float64)
    right, known = [], []
    for group in groups:
        own = targets[:, group]
        share = np.take_along_axis(own, rows[:, group].argmax(axis=1)[:, None], axis=1)[:, 0]
        count = (~np.isnan(own).any(axis=1)).astype(np.float64)
        if weights is not None:
            count *= np.nansum(np.asarray(weights, np.float64)[:, group] * own, axis=1)
        right.append(np.where(count > 0, share, 0.0) * count)
        known.append(count)
    return np.stack(right, axis=1), np.stack(known, axis=1)


def _logarithms(probabilities: npt.ArrayLike) -> Floats:
    """Returns logits, float64, of probabilities, (num_examples, num_outputs)."""
    rows = np.asarray(probabilities).astype(np.float64)
    found: Floats = np.log(np.maximum(rows, SMALLEST_PROBABILITY))
    return found


def _softmax_layers(groups: list[slice]) -> Callable[[Any], Any]:
    """Returns the function from logits to probabilities, of Keras' own layers."""
    import keras  # slow to import, and not needed to read results

    def activate(logits: Any) -> Any:
        parts = [
            keras.layers.Softmax(name=f"probabilities_{number}", dtype="float32")(logits[:, group])
            for number, group in enumerate(groups, start=1)
        ]
        return keras.layers.Concatenate(name="probabilities", dtype="float32")(parts)

    return activate


def _keras_accuracy(groups: list[slice]) -> Any:
    """Returns `mean_accuracy` as a Keras metric; a target in [0, 1] counts by its share."""
    import keras

    class TaskAccuracy(keras.metrics.Metric):
        """The mean over the tasks of their accuracy."""

        def __init__(self) -> None:
            super().__init__(name="accuracy", dtype="float32")
            shape = (len(groups),)
            self.right = self.add_variable(shape, initializer="zeros", name="right")
            self.total = self.add_variable(shape, initializer="zeros", name="total")

        def update_state(self, labels: Any, logits: Any, sample_weight: Any = None) -> None:
            ops = keras.ops
            labels = ops.cast(labels, "float32")
            right, total = [], []
            for group in groups:
                own = labels[:, group]
                is_known = ops.logical_not(ops.isnan(own))
                own = ops.where(is_known, own, ops.zeros_like(own))
                place = ops.expand_dims(ops.argmax(logits[:, group], axis=-1), -1)
                share = ops.take_along_axis(own, place, axis=-1)[:, 0]
                count = ops.cast(ops.all(is_known, axis=-1), "float32")
                if sample_weight is not None:
                    weight = ops.cast(sample_weight, "float32")[:, group]
                    count = count * ops.sum(weight * own, axis=-1)
                right.append(ops.sum(share * count))
                total.append(ops.sum(count))
            self.right.assign_add(ops.stack(right))
            self.total.assign_add(ops.stack(total))

        def result(self) -> Any:
            ops = keras.ops
            has_labels = ops.cast(self.total > 0, "float32")
            shares = self.right / ops.maximum(self.total, 1e-12)
            return ops.sum(has_labels * shares) / ops.maximum(ops.sum(has_labels), 1.0)

    return TaskAccuracy()
