"""Cross-entropy with label smoothing: as a Keras loss, as a mean over a split, and its gradient.

Forms of one formula, tested against each other: a Keras loss for any backend, a float64 mean exact
enough to compare epochs, the same per example, and a float32 mean with its gradient for L-BFGS,
which evaluates both up to a thousand times.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

# Probabilities processed at a time: with thousands of classes, temporary arrays of all examples
# would take many times the memory of their input.
_BLOCK = 2**22

# Lower bound of a probability, so that the loss of one example is finite: the smallest normal
# float32, as probabilities come from a float32 softmax.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)


def smoothed_cross_entropy(label_smoothing: float) -> Callable[[Any, Any], Any]:
    """Returns a loss of integer labels, (batch,) or (batch, 1), and logits, (batch, num_classes).

    A fraction `label_smoothing` of the target is spread evenly over all classes (Szegedy et al.
    2016, arXiv:1512.00567, section 7); Keras' sparse loss has no such argument.

    Examples:
        >>> loss = smoothed_cross_entropy(0.0)
        >>> loss([0], [[0.0, 0.0]])  # ln(2)  # doctest: +SKIP
        <tf.Tensor: shape=(1,), dtype=float32, numpy=array([0.6931472], dtype=float32)>
    """
    import keras  # slow to import, and not needed to read results

    def loss(labels: Any, logits: Any) -> Any:
        log_probabilities = keras.ops.log_softmax(logits, axis=-1)  # (batch, num_classes)
        labels = keras.ops.cast(keras.ops.reshape(labels, (-1, 1)), "int32")
        chosen = keras.ops.take_along_axis(log_probabilities, labels, axis=-1)[:, 0]
        spread = keras.ops.mean(log_probabilities, axis=-1)
        return -((1 - label_smoothing) * chosen + label_smoothing * spread)

    return loss


def soft_cross_entropy(label_smoothing: float) -> Callable[[Any, Any], Any]:
    """Returns a loss of targets and logits, both (batch, num_classes); the targets sum to 1.

    Otherwise as `smoothed_cross_entropy`, which it equals where a target is one class alone.

    Examples:
        >>> loss = soft_cross_entropy(0.0)
        >>> loss([[0.3, 0.7]], [[0.0, 0.0]])  # ln(2)  # doctest: +SKIP
        <tf.Tensor: shape=(1,), dtype=float32, numpy=array([0.6931472], dtype=float32)>
    """
    import keras  # slow to import, and not needed to read results

    def loss(targets: Any, logits: Any) -> Any:
        log_probabilities = keras.ops.log_softmax(logits, axis=-1)  # (batch, num_classes)
        targets = keras.ops.cast(targets, log_probabilities.dtype)
        chosen = keras.ops.sum(targets * log_probabilities, axis=-1)
        spread = keras.ops.mean(log_probabilities, axis=-1)
        return -((1 - label_smoothing) * chosen + label_smoothing * spread)

    return loss


def mean_smoothed_cross_entropy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    label_smoothing: float,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Returns the mean cross-entropy of logits and smoothed labels, in nats, by float64.

    Args:
        logits: Shape (num_examples, num_classes).
        labels: Class indices, shape (num_examples,).
        label_smoothing: Fraction of the target that is spread over all classes, in [0, 1).
        weights: Sample weights, shape (num_examples,); None weights all equally.

    Examples:
        >>> round(mean_smoothed_cross_entropy([[0.0, 0.0], [2.0, 0.0]], [0, 1], 0.0), 4)
        1.41
    """
    rows, classes = np.asarray(logits), np.asarray(labels)
    chosen = np.empty((len(rows), 1))
    # All classes are needed only with label smoothing.
    logarithms = np.empty(rows.shape if label_smoothing else (0, 0))
    for block in row_blocks(rows):
        some = _log_probabilities(rows[block])
        chosen[block] = np.take_along_axis(some, classes[block, None], axis=1)
        if label_smoothing:
            logarithms[block] = some
    spread = weighted_mean(logarithms, weights) if label_smoothing else 0.0
    return -((1 - label_smoothing) * weighted_mean(chosen, weights) + label_smoothing * spread)


def smoothed_cross_entropies(
    logits: npt.ArrayLike, labels: npt.ArrayLike, label_smoothing: float
) -> npt.NDArray[np.float64]:
    """Returns the cross-entropy of each example and its smoothed label, in nats, in float64.

    Args:
        logits: Shape (num_examples, num_classes).
        labels: Class indices, shape (num_examples,).
        label_smoothing: Share of the target that is spread over all classes, in [0, 1).

    Returns:
        Shape (num_examples,); their mean is `mean_smoothed_cross_entropy`.

    Examples:
        >>> smoothed_cross_entropies([[0.0, 0.0], [2.0, 0.0]], [0, 1], 0.0).round(4)
        array([0.6931, 2.1269])
    """
    rows, classes = np.asarray(logits), np.asarray(labels)
    losses = np.empty(len(rows))
    for block in row_blocks(rows):
        some = _log_probabilities(rows[block])
        chosen = np.take_along_axis(some, classes[block, None], axis=1)[:, 0]
        spread = some.mean(axis=1)
        losses[block] = -((1 - label_smoothing) * chosen + label_smoothing * spread)
    return losses


def _log_probabilities(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Returns the logarithms of the probabilities of logits, in float64."""
    some = logits.astype(np.float64)
    some -= some.max(axis=1, keepdims=True)
    some -= np.log(np.exp(some).sum(axis=1, keepdims=True))
    return some


def smoothed_cross_entropy_and_slope(
    logits: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    label_smoothing: float,
    weights: npt.NDArray[np.float32] | None = None,
) -> tuple[float, npt.NDArray[np.float32]]:
    """Returns the mean loss and its gradient by the logits, (num_examples, num_classes), float32.

    With weights the mean is `sum(weight * loss) / num_examples`.

    Args:
        logits: Shape (num_examples, num_classes).
        labels: Class indices, shape (num_examples,).
        label_smoothing: Fraction of the target that is spread over all classes, in [0, 1).
        weights: Sample weights with mean 1, shape (num_examples,); None weights all equally.

    Examples:
        >>> logits, labels = np.array([[0.0, 0.0]], np.float32), np.array([0])
        >>> loss, slope = smoothed_cross_entropy_and_slope(logits, labels, 0.0)
        >>> round(loss, 4), slope
        (0.6931, array([[-0.5,  0.5]], dtype=float32))
    """
    num_examples, num_classes = logits.shape
    rows = np.arange(num_examples)
    shifted = logits - logits.max(axis=1, keepdims=True)
    slope = np.exp(shifted)
    sums = slope.sum(axis=1, keepdims=True)
    # In place: with thousands of classes, each of these arrays is as large as the rest together.
    shifted -= np.log(sums)
    logarithms = shifted
    slope /= sums
    slope -= np.float32(label_smoothing / num_classes)
    slope[rows, labels] -= np.float32(1 - label_smoothing)
    if weights is not None:
        logarithms *= weights[:, None]
        slope *= weights[:, None]
    chosen = float(logarithms[rows, labels].mean(dtype=np.float64))
    spread = float(logarithms.mean(dtype=np.float64)) if label_smoothing else 0.0
    slope /= num_examples
    return -((1 - label_smoothing) * chosen + label_smoothing * spread), slope


def example_losses(probabilities: npt.ArrayLike, y_true: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Returns the cross-entropy of each example in nats, shape (num_examples,).

    Args:
        probabilities: Shape (num_examples, num_classes); rows sum to 1.
        y_true: Class indices, shape (num_examples,).

    Examples:
        >>> example_losses([[0.5, 0.5], [0.2, 0.8]], [0, 1]).round(4)
        array([0.6931, 0.2231])
    """
    rows = np.asarray(probabilities)
    chosen = np.take_along_axis(rows, np.asarray(y_true)[:, None], axis=1)[:, 0].astype(np.float64)
    losses: npt.NDArray[np.float64] = -np.log(np.maximum(chosen, SMALLEST_PROBABILITY))
    return losses


def row_blocks(rows: npt.NDArray[Any]) -> Iterator[slice]:
    """Yields slices of as many rows as are worked on at a time, (num_rows, num_columns).

    Examples:
        >>> list(row_blocks(np.zeros((3, 2**21))))
        [slice(0, 2, None), slice(2, 4, None)]
    """
    step = max(1, _BLOCK // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        yield slice(start, start + step)


def mean_loss(losses: npt.NDArray[Any], weights: npt.ArrayLike | None) -> float:
    """Returns `sum(weight * loss) / num_losses`: weights have a mean of 1 by themselves.

    Args:
        losses: Of any shape.
        weights: In the same shape; None weights all equally.

    Examples:
        >>> mean_loss(np.array([1.0, 3.0]), [1.5, 0.5])
        1.5
    """
    return float((losses if weights is None else losses * np.asarray(weights)).mean())


def weighted_mean(values: npt.NDArray[Any], weights: npt.ArrayLike | None) -> float:
    """Returns the mean of values, (num_examples, ...), with a weight for each example or none.

    Examples:
        >>> weighted_mean(np.array([1.0, 0.0]), [3, 1])
        0.75
    """
    if weights is None:
        return float(values.mean())
    # In the weights' own float32 the mean of right and wrong would be one, too.
    weights = np.asarray(weights, np.float64)
    return float(np.average(values, axis=0, weights=weights).mean())
