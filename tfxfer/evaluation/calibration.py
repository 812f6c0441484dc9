"""One number that makes probabilities believable: what logits are divided by before the softmax.

A network that was trained until it is sure is surer than it is right. Divided by a temperature that
is fitted on validation, its logits give probabilities that agree with how often it is right; which
class is the most probable does not change (Guo et al. 2017, arXiv:1706.04599, section 4.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import scipy.optimize

from tfxfer.errors import UsageError
from tfxfer.evaluation.metrics import SMALLEST_PROBABILITY, Counts, example_losses
from tfxfer.models.losses import row_blocks
from tfxfer.models.objectives import accuracy, is_right, softmax
from tfxfer.runs.metrics_record import CalibrationErrors, CalibrationRecord

# Bins of confidence in which calibration is looked at (Guo et al. 2017, arXiv:1706.04599).
CALIBRATION_BINS = 15

# No useful temperature is beyond.
_RANGE = (0.25, 50.0)


@dataclass(frozen=True)
class Calibration:
    """How far confidence can be believed: in bins of it, and on the whole.

    The confidence is the probability of the most probable class. Bins are of equal width over
    [0, 1], each without its lower end; those without examples are left out.

    Attributes:
        confidence: Mean of each bin, (num_bins,).
        accuracy: Likewise.
        count: Examples of each bin.
        error: The expected calibration error: the mean over the examples of what accuracy and
            confidence of their bins differ by (Guo et al. 2017, arXiv:1706.04599, equation 3).
    """

    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    count: Counts
    error: float


def calibration(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, num_bins: int = CALIBRATION_BINS
) -> Calibration:
    """Returns how well confidence and accuracy agree.

    Args:
        probabilities: Shape (num_examples, num_classes).
        labels: Class indices, shape (num_examples,).
        num_bins: Of equal width.
    """
    confidence = np.asarray(probabilities).max(axis=1).astype(np.float64)
    right = is_right(probabilities, labels)
    count, *sums = _binned(confidence, right, num_bins)
    filled = count > 0
    confidences, accuracies = (total[filled] / count[filled] for total in sums)
    return Calibration(
        confidences, accuracies, count[filled], calibration_error(confidence, right, num_bins)
    )


def calibration_error(
    confidence: npt.NDArray[Any], right: npt.NDArray[Any], num_bins: int = CALIBRATION_BINS
) -> float:
    """Returns the expected calibration error; see `Calibration`.

    Args:
        confidence: Probabilities of the most probable classes, (num_examples,).
        right: Whether these are the labels, (num_examples,).
        num_bins: Of equal width.
    """
    _, confidences, accuracies = _binned(confidence, right, num_bins)
    return float(np.abs(accuracies - confidences).sum() / len(confidence))


def _binned(
    confidence: npt.NDArray[Any], right: npt.NDArray[Any], num_bins: int
) -> tuple[Counts, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns of each bin of confidence the examples, and the sums of confidence and of right."""
    bins = np.clip(np.ceil(confidence * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    return (
        np.bincount(bins, minlength=num_bins).astype(np.int64),
        np.bincount(bins, weights=confidence, minlength=num_bins).astype(np.float64),
        np.bincount(bins, weights=right, minlength=num_bins).astype(np.float64),
    )


def fit_temperature(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Returns the temperature of the least cross-entropy; 1 where every example is right.

    There the loss is the less the surer the answers, without end: nothing is to be learnt from it.

    Args:
        probabilities: At temperature 1, (num_examples, num_classes), of examples that were not
            trained on.
        labels: Class indices, (num_examples,).
    """
    rows, classes = np.asarray(probabilities), np.asarray(labels)
    if accuracy(rows, classes) == 1:
        return 1.0

    def loss(logarithm: float) -> float:
        losses = [
            example_losses(tempered(rows[block], float(np.exp(logarithm))), classes[block])
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


def tempered(probabilities: npt.ArrayLike, temperature: float) -> npt.NDArray[np.float32]:
    """Returns what probabilities are at another temperature.

    Args:
        probabilities: At temperature 1, (num_examples, num_classes).
        temperature: Above 1 they come nearer to each other.
    """
    rows = np.asarray(probabilities)
    found = np.empty(rows.shape, np.float32)
    for block in row_blocks(rows):
        logits = np.log(np.maximum(rows[block].astype(np.float64), SMALLEST_PROBABILITY))
        found[block] = softmax(logits / temperature)
    return found


def calibrate(
    probabilities: Mapping[str, npt.NDArray[Any]], labels: Mapping[str, npt.NDArray[np.int64]]
) -> CalibrationRecord:
    """Returns the temperature that suits validation, and what it does to calibration errors.

    It is not applied.

    Args:
        probabilities: By split, at temperature 1, (num_examples, num_classes) each.
        labels: By split, class indices, (num_examples,).

    """
    temperature = fit_temperature(probabilities["validation"], labels["validation"])
    errors = {
        name: CalibrationErrors(
            error=calibration(found, labels[name]).error,
            error_at_temperature=calibration(tempered(found, temperature), labels[name]).error,
        )
        for name, found in probabilities.items()
    }
    return CalibrationRecord(temperature, errors)


def describe_calibration(found: CalibrationRecord, split: str) -> str:
    """Returns a line on how far probabilities can be believed.

    Args:
        found: Of the model.
        split: On which one judges.
    """
    before, after = found.errors[split].error, found.errors[split].error_at_temperature
    if found.temperature == 1:
        return f"calibration error {before:.4f}; validation asks for no temperature"
    at = f"temperature {found.temperature:g}"
    if found.applied:
        return f"calibration error {after:.4f} at {at}, {before:.4f} without"
    return f"calibration error {before:.4f}; with --calibrate {after:.4f}, at {at}"


def temper(head: keras.Model, temperature: float) -> None:
    """Makes a head give logits that are divided by a temperature, by dividing its last weights.

    So a calibrated model is of the same layers as any other.

    Args:
        head: Features to logits; its last layer with weights is dense.
        temperature: See `fit_temperature`.
    """
    last = [layer for layer in head.layers if layer.weights][-1]
    last.set_weights([weight / temperature for weight in last.get_weights()])


def tempered_copy(model: keras.Model, temperature: float) -> keras.Model:
    """Returns a copy of a saved classifier whose probabilities are at another temperature.

    Raises:
        UsageError: The model was not built by tfxfer, and has no layer "head".
    """
    heads = [layer for layer in model.layers if layer.name == "head"]
    if not (heads and isinstance(heads[0], keras.Model)):
        raise UsageError(
            "Only a model that tfxfer built can be calibrated: this one has no layer 'head'."
        )
    copy = keras.Model.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    temper(copy.get_layer("head"), temperature)
    return copy
