"""The objective of a number: the Huber loss of a standardized target.

The head has one output, the standardized number. The saved model multiplies it by the standard
deviation of the training numbers and adds their mean, so that it gives the unit of the user.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.models.losses.cross_entropy import mean_loss
from tfxfer.models.losses.huber import (
    Floats,
    huber,
    huber_slope,
    keras_huber,
    standardized_errors,
)
from tfxfer.models.objectives import Objective

# Always predicting the mean has at most this loss, whatever the distribution.
_GUESS_LOSS = 0.5


@functools.lru_cache
def values(mean: float, std: float, spread: float) -> Objective:
    """Returns the objective of a number for each example.

    Labels are numbers, (num_examples,). The metric is the share of the mean absolute error of the
    constant baseline that a model avoids: 1 is perfect, 0 is the baseline. So the best epoch, that
    of the highest metric, has the lowest mean absolute error.

    Args:
        mean: Of the training numbers.
        std: Their standard deviation, above 0.
        spread: Their mean absolute distance from their median, above 0: the error of the baseline.
    """
    scale = _Scale(mean, std, spread)
    return Objective(
        name="regression",
        activation=scale.layer,
        activate=scale.values,
        loss=scale.loss,
        mean_loss=scale.mean_loss,
        losses=lambda outputs, numbers, _: huber(scale.errors(outputs, numbers)),
        loss_and_slope=scale.loss_and_slope,
        num_problems=lambda num_outputs: 1,
        keras_metric=scale.keras_metric,
        soft_loss=scale.loss,
        soft_metric=scale.keras_metric,
        metric=scale.metric,
        guess_loss=lambda num_outputs: _GUESS_LOSS,
        rank=lambda loss, metric: (metric, -loss),
        rank_by="val_mae, on ties val_loss",
        logits_of=scale.outputs,
        hits=lambda found, numbers: 1 - scale.distances(found, numbers) / spread,
        probability_losses=lambda found, numbers: huber(
            scale.errors(scale.outputs(found), numbers)
        ),
        confidences=_no_confidences,
        metric_name="mae",
        score_name="score",
        shown=lambda metric: _shown((1 - metric) * spread),
        is_number=True,
    )


class _Scale:
    """Numbers, and their standardized form."""

    def __init__(self, mean: float, std: float, spread: float) -> None:
        self._mean, self._std, self._spread = mean, std, spread

    def layer(self) -> Any:
        """Returns the Keras layer from standardized outputs to numbers."""
        import keras  # slow to import, and not needed to read results

        return keras.layers.Rescaling(self._std, self._mean, name="value", dtype="float32")

    def values(self, outputs: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Returns numbers, float32, of standardized outputs, (num_examples, 1)."""
        rows = np.asarray(outputs, np.float32)
        return np.asarray(rows * np.float32(self._std) + np.float32(self._mean), np.float32)

    def outputs(self, found: npt.ArrayLike) -> Floats:
        """Returns standardized outputs, float64, of numbers, (num_examples, 1)."""
        return np.asarray((np.asarray(found, np.float64) - self._mean) / self._std)

    def errors(self, outputs: npt.ArrayLike, numbers: npt.ArrayLike) -> Floats:
        """Returns outputs, (num_examples, 1), less standardized numbers, (num_examples,)."""
        targets = (np.asarray(numbers, np.float64) - self._mean) / self._std
        return np.asarray(np.asarray(outputs, np.float64)[:, 0] - targets)

    def distances(self, found: npt.ArrayLike, numbers: npt.ArrayLike) -> Floats:
        """Returns the absolute errors of predictions, (num_examples, 1), in the user's unit."""
        rows = np.asarray(found, np.float64)[:, 0]
        return np.asarray(np.abs(rows - np.asarray(numbers, np.float64)))

    def loss(self, label_smoothing: float) -> Callable[[Any, Any], Any]:
        """Returns the Keras loss; there is no label smoothing of numbers."""
        return keras_huber(self._mean, self._std)

    def mean_loss(
        self,
        outputs: npt.ArrayLike,
        numbers: npt.ArrayLike,
        label_smoothing: float,
        weights: npt.ArrayLike | None = None,
    ) -> float:
        """Returns the mean loss; with weights `sum(weight * loss) / num_examples`."""
        return mean_loss(huber(self.errors(outputs, numbers)), weights)

    def loss_and_slope(
        self,
        outputs: npt.ArrayLike,
        numbers: npt.ArrayLike,
        label_smoothing: float,
        weights: npt.ArrayLike | None = None,
    ) -> tuple[float, npt.NDArray[np.float32]]:
        """Returns the mean loss and its gradient by the outputs, (num_examples, 1)."""
        errors = self.errors(outputs, numbers)
        slope = huber_slope(errors) / len(errors)
        if weights is not None:
            slope = slope * np.asarray(weights)
        return self.mean_loss(outputs, numbers, 0.0, weights), slope[:, None].astype(np.float32)

    def metric(
        self,
        outputs: npt.ArrayLike,
        numbers: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
    ) -> float:
        """Returns 1 less the mean absolute error as a share of the baseline's."""
        sizes = np.abs(self.errors(outputs, numbers)) * self._std
        shares = None if weights is None else np.asarray(weights, np.float64)
        return 1 - float(np.average(sizes, weights=shares)) / self._spread

    def keras_metric(self) -> Any:
        """Returns `metric` as a Keras metric."""
        import keras

        mean, std, factor = self._mean, self._std, self._std / self._spread

        class AvoidedError(keras.metrics.Mean):
            """1 less the mean absolute error as a share of the baseline's."""

            def update_state(self, numbers: Any, outputs: Any, sample_weight: Any = None) -> None:
                errors = standardized_errors(numbers, outputs, mean, std)
                super().update_state(1 - factor * keras.ops.abs(errors), sample_weight)

        return AvoidedError(name="accuracy", dtype="float32")


def _shown(error: float) -> str:
    """Returns an error as the log shows it, in four digits or, if it is large, without a point."""
    return f"{error:#.4g}" if error < 1000 else f"{error:,.0f}"


def _no_confidences(
    found: npt.ArrayLike, numbers: npt.ArrayLike
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Returns nothing: a number claims no probability."""
    return np.zeros(0), np.zeros(0, np.bool_)
