"""Cross-entropy of several tasks: as a Keras loss, as a mean over a split, and its gradient.

Each task is a group of outputs with a softmax of its own. Targets are rows with a column for each
output: they sum to 1 within a group, or are NaN where the label of that task is missing. A loss is
a mean over the examples and the tasks. A missing label adds 0 to the sum, while the number that it
is divided by stays the same: so it changes nothing in the gradient of the other labels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.special

from tfxfer.models.losses.cross_entropy import SMALLEST_PROBABILITY

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GroupedCrossEntropy:
    """The cross-entropy of several tasks.

    Attributes:
        sizes: Number of classes of each task.
        weights: Of the loss of each task, with mean 1; None weights all equally.
    """

    sizes: tuple[int, ...]
    weights: tuple[float, ...] | None = None

    @property
    def groups(self) -> list[slice]:
        """The outputs of each task."""
        ends = np.cumsum(self.sizes).tolist()
        return [slice(end - size, end) for size, end in zip(self.sizes, ends, strict=True)]

    @property
    def factors(self) -> list[float]:
        """The weight of each task, with mean 1."""
        return [1.0] * len(self.sizes) if self.weights is None else list(self.weights)

    def keras_loss(self, label_smoothing: float) -> Callable[[Any, Any], Any]:
        """Returns a loss of targets and logits, (batch, num_outputs), for each output.

        It is scaled such that the mean over the outputs is that over the tasks: so that Keras'
        mean, with a sample weight for each output, is `mean`.

        Args:
            label_smoothing: Share of the target that is spread over the classes of a task, in
                [0, 1).
        """
        import keras  # slow to import, and not needed to read results

        scale = sum(self.sizes) / len(self.sizes)

        def loss(targets: Any, logits: Any) -> Any:
            logits = keras.ops.convert_to_tensor(logits)
            targets = keras.ops.cast(targets, logits.dtype)
            losses = []
            for group, factor, size in zip(self.groups, self.factors, self.sizes, strict=True):
                own = targets[:, group]
                is_missing = keras.ops.isnan(own)
                # Replaced before anything is computed: a gradient of NaN times 0 would be NaN.
                own = (1 - label_smoothing) * own + label_smoothing / size
                own = keras.ops.where(is_missing, keras.ops.zeros_like(own), own)
                found = keras.ops.log_softmax(logits[:, group], axis=-1)
                losses.append(-factor * scale * own * found)
            return keras.ops.concatenate(losses, axis=-1)

        return loss

    def of_examples(
        self, logits: npt.ArrayLike, labels: npt.ArrayLike, label_smoothing: float
    ) -> Floats:
        """Returns the loss of each example, the weighted mean over its tasks, (num_examples,).

        Args:
            logits: Shape (num_examples, num_outputs).
            labels: Targets in the same shape.
            label_smoothing: See `keras_loss`.

        Examples:
            >>> loss = GroupedCrossEntropy((2, 2))
            >>> loss.of_examples([[0, 0, 5, 0]], [[1, 0, np.nan, np.nan]], 0.0).round(4)
            array([0.3466])
        """
        elements = self._elements(logits, labels, label_smoothing)
        found: Floats = elements.sum(axis=1) / len(self.sizes)
        return found

    def mean(
        self,
        logits: npt.ArrayLike,
        labels: npt.ArrayLike,
        label_smoothing: float,
        weights: npt.ArrayLike | None = None,
    ) -> float:
        """Returns the mean loss over examples and tasks, in nats, by float64.

        Args:
            logits: Shape (num_examples, num_outputs).
            labels: Targets in the same shape.
            label_smoothing: See `keras_loss`.
            weights: With mean 1, in the same shape; None weights all equally.
        """
        elements = self._elements(logits, labels, label_smoothing)
        if weights is not None:
            elements *= np.asarray(weights)
        return float(elements.sum() / (len(elements) * len(self.sizes)))

    def mean_and_slope(
        self,
        logits: npt.NDArray[np.float32],
        labels: npt.NDArray[np.float32],
        label_smoothing: float,
        weights: npt.NDArray[np.float32] | None = None,
    ) -> tuple[float, npt.NDArray[np.float32]]:
        """Returns the mean loss and its gradient by the logits, (num_examples, num_outputs).

        Args:
            logits: float32, shape (num_examples, num_outputs).
            labels: Targets in the same shape.
            label_smoothing: See `keras_loss`.
            weights: With mean 1, in the same shape; None weights all equally.
        """
        total, slope = 0.0, np.empty(logits.shape, np.float32)
        for group, factor in zip(self.groups, self.factors, strict=True):
            own = _smoothed(labels[:, group], label_smoothing).astype(np.float32)
            own *= np.float32(factor)
            if weights is not None:
                own *= weights[:, group]
            logarithms = scipy.special.log_softmax(logits[:, group], axis=1)
            total -= float((own * logarithms).sum(dtype=np.float64))
            slope[:, group] = np.exp(logarithms) * own.sum(axis=1, keepdims=True) - own
        number = len(logits) * len(self.sizes)
        slope /= number
        return total / number, slope

    def of_probabilities(self, probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> Floats:
        """Returns the loss of each task of each example without weights, (num_examples, num_tasks).

        It is 0 where the label is missing.

        Args:
            probabilities: Shape (num_examples, num_outputs).
            labels: Targets in the same shape.

        Examples:
            >>> loss = GroupedCrossEntropy((2, 2))
            >>> loss.of_probabilities([[0.5, 0.5, 0.9, 0.1]], [[1, 0, np.nan, np.nan]]).round(4)
            array([[0.6931, 0.    ]])
        """
        rows, targets = np.asarray(probabilities, np.float64), np.asarray(labels, np.float64)
        logarithms = np.log(np.maximum(rows, SMALLEST_PROBABILITY))
        elements = -np.where(np.isnan(targets), 0.0, targets) * logarithms
        return np.stack([elements[:, group].sum(axis=1) for group in self.groups], axis=1)

    def _elements(
        self, logits: npt.ArrayLike, labels: npt.ArrayLike, label_smoothing: float
    ) -> Floats:
        """Returns the loss of each output, weighted by its task, (num_examples, num_outputs)."""
        rows, targets = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
        found = np.empty(rows.shape)
        for group, factor in zip(self.groups, self.factors, strict=True):
            own = _smoothed(targets[:, group], label_smoothing)
            found[:, group] = -factor * own * scipy.special.log_softmax(rows[:, group], axis=1)
        return found


def _smoothed(targets: npt.NDArray[Any], label_smoothing: float) -> npt.NDArray[Any]:
    """Returns the smoothed targets of a task, 0 where its label is missing."""
    spread = (1 - label_smoothing) * targets + label_smoothing / targets.shape[1]
    return np.where(np.isnan(targets), 0.0, spread)
