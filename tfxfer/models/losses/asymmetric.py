"""The asymmetric loss of multi-label data: as a Keras loss, as a mean over a split, its gradient.

Ridnik et al. 2021, "Asymmetric Loss For Multi-Label Classification" (arXiv:2009.14119, equation 7):
where an image has a label, its loss is `-log(p)`; where it has not, `-q**4 * log(1 - q)` with the
probability shifted down to `q = max(p - 0.05, 0)`. So the many easy negatives of rare labels add
next to nothing, and hard ones, which may be missing labels, less. The exponents, 0 and 4, and the
shift are those that the paper uses throughout (section 4.1). Unknown labels count as in
`binary_cross_entropy`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.special

from tfxfer.models.losses.cross_entropy import mean_loss

Floats = npt.NDArray[np.float64]

# The exponent of negatives, and by how much their probability is shifted.
FOCUS, SHIFT = 4, 0.05


def asymmetric_loss(label_smoothing: float) -> Callable[[Any, Any], Any]:
    """Returns a loss of labels and logits, (batch, num_labels), for each label of each example.

    Labels between 0 and 1, of mixed images or with label smoothing, have both losses by their
    shares; for the latter see `binary_cross_entropy`.
    """
    import keras  # slow to import, and not needed to read results

    def loss(labels: Any, logits: Any) -> Any:
        ops = keras.ops
        logits = ops.convert_to_tensor(logits)
        labels = ops.cast(labels, logits.dtype)
        is_unknown = ops.isnan(labels)
        # Replaced before anything is computed: a gradient of NaN times 0 would be NaN.
        targets = ops.where(is_unknown, ops.zeros_like(labels), labels)
        targets = (1 - label_smoothing) * targets + label_smoothing / 2
        shifted = ops.maximum(ops.sigmoid(logits) - SHIFT, 0.0)
        negative = -(shifted**FOCUS) * ops.log1p(-shifted)
        losses = targets * ops.softplus(-logits) + (1 - targets) * negative
        return ops.where(is_unknown, ops.zeros_like(losses), losses)

    return loss


def asymmetric_losses(
    logits: npt.ArrayLike, labels: npt.ArrayLike, label_smoothing: float
) -> Floats:
    """Returns the loss of each label of each example, (num_examples, num_labels).

    Args:
        logits: Shape (num_examples, num_labels).
        labels: 0, 1, or NaN where unknown, in the same shape.
        label_smoothing: See `binary_cross_entropy`, in [0, 1).

    Examples:
        >>> asymmetric_losses([[0.0, 0.0, -4.0, 5.0]], [[1, 0, 0, np.nan]], 0.0).round(4)
        array([[0.6931, 0.0245, 0.    , 0.    ]])
    """
    rows, known = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    targets = (1 - label_smoothing) * known + label_smoothing / 2
    shifted = np.maximum(scipy.special.expit(rows) - SHIFT, 0)
    negative = -(shifted**FOCUS) * np.log1p(-shifted)
    losses = targets * np.logaddexp(0, -rows) + (1 - targets) * negative
    return np.where(np.isnan(known), 0.0, losses)


def mean_asymmetric_loss(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    label_smoothing: float,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Returns the mean loss over examples and labels, by float64; see `asymmetric_losses`.

    With weights it is `sum(weight * loss) / (num_examples * num_labels)`.
    """
    return mean_loss(asymmetric_losses(logits, labels, label_smoothing), weights)


def asymmetric_loss_and_slope(
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
        >>> loss, slope = asymmetric_loss_and_slope(logits, labels, 0.0)
        >>> round(loss, 4), slope
        (0.3466, array([[-0.25,  0.  ]], dtype=float32))
    """
    is_unknown = np.isnan(labels)
    targets = np.where(is_unknown, 0.0, labels.astype(np.float64))
    targets = (1 - label_smoothing) * targets + label_smoothing / 2
    shares = scipy.special.expit(logits.astype(np.float64))
    shifted = np.maximum(shares - SHIFT, 0)
    # The derivative of the loss of a negative by its probability, and by the chain rule its logit.
    by_share = shifted ** (FOCUS - 1) * (shifted / (1 - shifted) - FOCUS * np.log1p(-shifted))
    slope = -targets * (1 - shares) + (1 - targets) * by_share * shares * (1 - shares)
    slope[is_unknown] = 0
    if weights is not None:
        slope *= weights
    slope /= slope.size
    loss = mean_asymmetric_loss(logits, labels, label_smoothing, weights)
    return loss, slope.astype(np.float32)
