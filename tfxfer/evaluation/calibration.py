"""Temperature scaling: calibrates probabilities with one parameter.

Classifiers that were trained to a small loss are often overconfident: their confidence is higher
than their accuracy. Logits divided by a temperature that is fitted on validation give calibrated
probabilities and the same predictions (Guo et al. 2017, arXiv:1706.04599, section 4.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import scipy.optimize

from tfxfer.errors import UsageError
from tfxfer.evaluation.metrics import Counts
from tfxfer.models.losses.cross_entropy import row_blocks
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.runs.scores.calibration import CalibrationErrors, CalibrationRecord
from tfxfer.runs.scores.summary import OUT_OF_FOLD

# Number of confidence bins (Guo et al. 2017, arXiv:1706.04599).
CALIBRATION_BINS = 15

# Search range of the temperature; no useful one is outside.
_RANGE = (0.25, 50.0)

# Shown if the fitted temperature is 1.
NO_TEMPERATURE = "temperature scaling does not help on validation"


@dataclass(frozen=True)
class Calibration:
    """Calibration of a classifier: the bins of its reliability diagram, and the error.

    The confidence is the probability of the predicted class. Bins have equal width over [0, 1] and
    exclude their lower end. Bins without examples are left out.

    Attributes:
        confidence: Mean confidence of each bin, shape (num_bins,).
        accuracy: Accuracy of each bin, shape (num_bins,).
        count: Number of examples of each bin, shape (num_bins,).
        error: The expected calibration error (ECE), in [0, 1]: the difference between accuracy and
            confidence of each bin, averaged over the examples (Guo et al. 2017, arXiv:1706.04599,
            equation 3).
    """

    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    count: Counts
    error: float


def calibration(
    probabilities: npt.ArrayLike,
    y_true: npt.ArrayLike,
    num_bins: int = CALIBRATION_BINS,
    objective: Objective = SOFTMAX,
) -> Calibration:
    """Compares confidence with accuracy, in bins of confidence.

    For multi-label data, the confidence is the probability of a label, and the accuracy is the
    share of the examples that have it, over all labels together.

    Args:
        probabilities: Shape (num_examples, num_classes).
        y_true: Class indices, shape (num_examples,), or several labels for each example.
        num_bins: Number of bins of equal width.
        objective: What the probabilities are of.

    Examples:
        A classifier with a confidence of 0.75 and an accuracy of 0.5:

        >>> found = calibration([[0.75, 0.25], [0.75, 0.25]], [0, 1])
        >>> found.confidence, found.accuracy, found.count
        (array([0.75]), array([0.5]), array([2]))
        >>> found.error
        0.25
    """
    confidence, is_correct = objective.confidences(probabilities, y_true)
    count, *sums = _binned(confidence, is_correct, num_bins)
    filled = count > 0
    confidences, accuracies = (total[filled] / count[filled] for total in sums)
    return Calibration(
        confidences, accuracies, count[filled], calibration_error(confidence, is_correct, num_bins)
    )


def calibration_error(
    confidence: npt.NDArray[Any], is_correct: npt.NDArray[Any], num_bins: int = CALIBRATION_BINS
) -> float:
    """Returns the expected calibration error, in [0, 1]; see `Calibration`.

    Args:
        confidence: Probability of the predicted class of each example, shape (num_examples,).
        is_correct: Whether each prediction is correct, shape (num_examples,).
        num_bins: Number of bins of equal width.

    Examples:
        >>> import numpy as np
        >>> calibration_error(np.array([0.75, 0.75]), np.array([True, False]))
        0.25
    """
    _, confidences, accuracies = _binned(confidence, is_correct, num_bins)
    return float(np.abs(accuracies - confidences).sum() / max(1, len(confidence)))


def _binned(
    confidence: npt.NDArray[Any], is_correct: npt.NDArray[Any], num_bins: int
) -> tuple[Counts, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns of each bin the number of examples, and the sums of confidence and of is_correct."""
    bins = np.clip(np.ceil(confidence * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    return (
        np.bincount(bins, minlength=num_bins).astype(np.int64),
        np.bincount(bins, weights=confidence, minlength=num_bins).astype(np.float64),
        np.bincount(bins, weights=is_correct, minlength=num_bins).astype(np.float64),
    )


def fit_temperature(
    probabilities: npt.ArrayLike, y_true: npt.ArrayLike, objective: Objective = SOFTMAX
) -> float:
    """Returns the temperature with the lowest cross-entropy, in [0.25, 50].

    The result is 1 if every prediction is correct: the loss would then fall without end toward
    temperature 0, and there is nothing to fit.

    Args:
        probabilities: At temperature 1, shape (num_examples, num_classes), of examples that were
            not trained on.
        y_true: Class indices, shape (num_examples,), or several labels for each example; one
            temperature then serves all labels.
        objective: What the probabilities are of.

    Examples:
        A confidence of 0.9 with an accuracy of 0.75 is overconfident. At temperature 2 it is 0.75:

        >>> round(fit_temperature([[0.9, 0.1]] * 4, [0, 0, 0, 1]), 2)
        2.0
    """
    rows, classes = np.asarray(probabilities), np.asarray(y_true)
    if objective.is_number or np.all(objective.hits(rows, classes) == 1):
        return 1.0

    def loss(log_temperature: float) -> float:
        temperature = float(np.exp(log_temperature))
        losses = [
            objective.probability_losses(
                apply_temperature(rows[block], temperature, objective), classes[block]
            )
            for block in row_blocks(rows)
        ]
        return float(np.mean(np.concatenate(losses)))

    found = scipy.optimize.minimize_scalar(
        loss,
        bounds=np.log(_RANGE),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return round(float(np.exp(found.x)), 4)


def apply_temperature(
    probabilities: npt.ArrayLike, temperature: float, objective: Objective = SOFTMAX
) -> npt.NDArray[np.float32]:
    """Returns probabilities whose logits are divided by a temperature.

    Args:
        probabilities: At temperature 1, shape (num_examples, num_classes).
        temperature: Positive. Above 1 lowers the confidence, below 1 raises it.
        objective: What the probabilities are of.

    Returns:
        Shape (num_examples, num_classes). The order of the probabilities is unchanged.

    Examples:
        >>> apply_temperature([[0.9, 0.1]], temperature=2.0).round(2)
        array([[0.75, 0.25]], dtype=float32)
    """
    rows = np.asarray(probabilities)
    found = np.empty(rows.shape, np.float32)
    for block in row_blocks(rows):
        found[block] = objective.activate(objective.logits_of(rows[block]) / temperature)
    return found


def calibrate(
    probabilities: Mapping[str, npt.NDArray[Any]],
    y_true: Mapping[str, npt.NDArray[Any]],
    objective: Objective = SOFTMAX,
) -> CalibrationRecord:
    """Fits a temperature on validation, and returns it with the calibration errors of each split.

    The temperature is not applied.

    Args:
        probabilities: By split, at temperature 1, shape (num_examples, num_classes) each. Needs
            "validation" or, where a model was trained on that, too, `OUT_OF_FOLD`.
        y_true: Labels by split, class indices or several for each example.
        objective: What the probabilities are of.

    Examples:
        >>> import numpy as np
        >>> probabilities = {"validation": np.array([[0.9, 0.1]] * 4)}
        >>> found = calibrate(probabilities, {"validation": np.array([0, 0, 0, 1])})
        >>> round(found.errors["validation"].error, 2)
        0.15
        >>> round(found.errors["validation"].error_at_temperature, 2)
        0.0
    """
    fitted = "validation" if "validation" in probabilities else OUT_OF_FOLD
    temperature = fit_temperature(probabilities[fitted], y_true[fitted], objective)

    def error(found: npt.NDArray[Any], labels: npt.NDArray[Any]) -> float:
        return calibration(found, labels, objective=objective).error

    errors = {
        name: CalibrationErrors(
            error=error(found, y_true[name]),
            error_at_temperature=error(
                apply_temperature(found, temperature, objective), y_true[name]
            ),
        )
        for name, found in probabilities.items()
    }
    return CalibrationRecord(temperature, errors)


def describe_calibration(found: CalibrationRecord, split: str) -> str:
    """Returns a line with the calibration error of a model, and what a temperature changes.

    Args:
        found: Calibration of the model.
        split: The split whose errors are shown.

    Examples:
        >>> errors = CalibrationErrors(error=0.15, error_at_temperature=0.02)
        >>> describe_calibration(CalibrationRecord(2.0, {"test": errors}), "test")
        'calibration error 0.1500 (0.0200 with --calibrate, temperature 2)'
    """
    before, after = found.errors[split].error, found.errors[split].error_at_temperature
    if found.temperature == 1:
        return f"calibration error {before:.4f}; {NO_TEMPERATURE}"
    at = f"temperature {found.temperature:g}"
    if found.applied:
        return f"calibration error {after:.4f} at {at} ({before:.4f} without)"
    return f"calibration error {before:.4f} ({after:.4f} with --calibrate, {at})"


def divide_logits(head: keras.Model, temperature: float) -> None:
    """Divides the logits of a head by a temperature, by dividing the weights of its last layer.

    A calibrated model thus has the same layers as any other.

    Args:
        head: Features to logits. Its last layer with weights is dense. Changed in place.
        temperature: See `fit_temperature`.
    """
    last = [layer for layer in head.layers if layer.weights][-1]
    last.set_weights([weight / temperature for weight in last.get_weights()])


def calibrated_copy(model: keras.Model, temperature: float) -> keras.Model:
    """Returns a copy of a saved classifier whose logits are divided by a temperature.

    Raises:
        UsageError: The model was not built by tfxfer: it has no layer "head".
    """
    heads = [layer for layer in model.layers if layer.name == "head"]
    if not (heads and isinstance(heads[0], keras.Model)):
        raise UsageError(
            "Only a model that tfxfer built can be calibrated: this one has no layer 'head'."
        )
    copy = keras.Model.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    divide_logits(copy.get_layer("head"), temperature)
    return copy
