"""Binary cross-entropy of multi-label data: as a Keras loss, as a mean over a split, its gradient.

Forms of one formula, tested against each other, as those of `cross_entropy`. A loss is a mean over
the examples and the labels. A label that is unknown, NaN, adds 0 to the sum, while the number that
it is divided by stays the same: so it changes nothing in the gradient of the other labels.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.models.losses.cross_entropy import SMALLEST_PROBABILITY, mean_loss

# Probabilities from a float32 sigmoid are 1 from a logit of 17 on; this is the largest below 1.
LARGEST_PROBABILITY = 1 - 2.0**-24


def binary_cross_entropy(label_smoothing: float) -> Callable[[Any, Any], Any]:
    """Returns a loss of labels and logits, (batch, num_labels), for each label of each example.

    With label smoothing the targets are `label_smoothing / 2` and `1 - label_smoothing / 2`
    (Szegedy et al. 2016, arXiv:1512.00567, section 7, for two classes).

    Examples:
        >>> loss = binary_cross_entropy(0.0)
        >>> loss([[1.0, float("nan")]], [[0.0, 3.0]])  # ln(2)  # doctest: +SKIP
        <tf.Tensor: shape=(1, 2), dtype=float32, numpy=array([[0.6931472, 0.]], dtype=float32)>
    """
    import keras  # slow to import, and not needed to read results

    def loss(labels: Any, logits: Any) -> Any:
        logits = keras.ops.convert_to_tensor(logits)
        labels = keras.ops.cast(labels, logits.dtype)
        is_unknown = keras.ops.isnan(labels)
        # Replaced before anything is computed: a gradient of NaN times 0 would be NaN.
        targets = keras.ops.where(is_unknown, keras.ops.zeros_like(labels), labels)
        targets = (1 - label_smoothing) * targets + label_smoothing / 2
        softplus = keras.ops.log1p(keras.ops.exp(-keras.ops.abs(logits)))
        losses = keras.ops.maximum(logits, 0) - logits * targets + softplus
        return keras.ops.where(is_unknown, keras.ops.zeros_like(losses), losses)

    return loss


def binary_cross_entropies(
    logits: npt.ArrayLike, labels: npt.ArrayLike, label_smoothing: float
) -> npt.NDArray[np.float64]:
    """Returns the loss of each label of each example, (num_examples, num_labels), in nats.

    Args:
        logits: Shape (num_examples, num_labels).
        labels: 0, 1, or NaN where unknown, in the same shape.
        label_smoothing: See `binary_cross_entropy`, in [0, 1).

    Examples:
        >>> binary_cross_entropies([[0.0, 2.0, 5.0]], [[1, 0, np.nan]], 0.0).round(4)
        array([[0.6931, 2.1269, 0.    ]])
    """
    rows, known = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    targets = (1 - label_smoothing) * known + label_smoothing / 2
    losses = np.maximum(rows, 0) - rows * targets + np.log1p(np.exp(-np.abs(rows)))
    return np.where(np.isnan(known), 0.0, losses)


def mean_binary_cross_entropy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    label_smoothing: float,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Returns the mean loss over examples and labels, in nats, by float64.

    With weights it is `sum(weight * loss) / (num_examples * num_labels)`.

    Args:
        logits: Shape (num_examples, num_labels).
        labels: 0, 1, or NaN where unknown, in the same shape.
        label_smoothing: See `binary_cross_entropy`, in [0, 1).
        weights: With mean 1, in the same shape; None weights all equally.

    Examples:
        >>> round(mean_binary_cross_entropy([[0.0, 2.0]], [[1, 0]], 0.0), 4)
        1.41
    """
    return mean_loss(binary_cross_entropies(logits, labels, label_smoothing), weights)


def binary_cross_entropy_and_slope(
    logits: npt.NDArray[np.float32],
    labels: npt.NDArray[np.float32],
    label_smoothing: float,
    weights: npt.NDArray[np.float32] | None = None,
) -> tuple[float, npt.NDArray[np.float32]]:
    """Returns the mean loss and its gradient by the logits, (num_examples, num_labels), float32.

    Args:
        logits: Shape (num_examples, num_labels).
        labels: 0, 1, or NaN where unknown, in the same shape.
        label_smoothing: See `binary_cross_entropy`, in [0, 1).
        weights: With mean 1, in the same shape; None weights all equally.

    Examples:
        >>> logits, labels = np.zeros((1, 2), np.float32), np.array([[1, np.nan]], np.float32)
        >>> loss, slope = binary_cross_entropy_and_slope(logits, labels, 0.0)
        >>> round(loss, 4), slope
        (0.3466, array([[-0.25,  0.  ]], dtype=float32))
    """
    is_unknown = np.isnan(labels)
    targets = np.where(is_unknown, np.float32(0), labels)
    targets = np.float32(1 - label_smoothing) * targets + np.float32(label_smoothing / 2)
    small = np.exp(-np.abs(logits))  # at most 1, so that nothing overflows
    losses = np.maximum(logits, 0) - logits * targets + np.log1p(small)
    slope = np.where(logits >= 0, 1, small) / (1 + small) - targets
    for values in (losses, slope):
        values[is_unknown] = 0
        if weights is not None:
            values *= weights
    slope /= slope.size
    return float(losses.mean(dtype=np.float64)), slope.astype(np.float32, copy=False)


def label_losses(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Returns the loss of each label of each example, (num_examples, num_labels), in nats.

    Probabilities are brought into [1.2e-38, 1 - 6e-8], so that every loss is finite.

    Args:
        probabilities: Shape (num_examples, num_labels).
        labels: 0, 1, or NaN where unknown, in the same shape.

    Examples:
        >>> label_losses([[0.5, 0.2, 0.9]], [[1, 0, np.nan]]).round(4)
        array([[0.6931, 0.2231, 0.    ]])
    """
    rows, known = np.asarray(probabilities, np.float64), np.asarray(labels)
    rows = np.clip(rows, SMALLEST_PROBABILITY, LARGEST_PROBABILITY)
    losses = -np.where(known == 1, np.log(rows), np.log1p(-rows))
    return np.where(np.isnan(known), 0.0, losses)
