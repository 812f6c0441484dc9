"""Calibrates the detection of unknown images, and prediction sets, to target rates.

Both thresholds are quantiles over images that were not trained on, with the correction for a
finite number (split conformal prediction, Vovk et al. 2005; Sadinle et al. 2019,
arXiv:1609.00451). For new images like these the rates then hold on average.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxfer.errors import UsageError
from tfxfer.evaluation.coreset import coreset
from tfxfer.inference.caution import Caution, distances
from tfxfer.models.standardization import Standardization
from tfxfer.runs.scores.caution import CautionRecord, least_images

Floats = npt.NDArray[np.float32]

# Training images whose features are kept: at most 51 MB at 1,280 features.
MOST_KEPT = 10_000

# The rank of the neighbor whose distance is the score. Sun et al. (2022, arXiv:2204.06507, figure
# 4) find little difference between 10 and 100 where some thousand images are kept.
_NEIGHBOR = 10

# The rates, for messages.
_UNKNOWN_RATE, _COVERAGE = "unknown_rate (--unknown-rate)", "1 - coverage (--coverage)"

# Images whose distances are computed at a time.
_BLOCK = 1024


# The thresholds are scores of images, which other float32 arithmetic may put on the wrong side.
_SLACK = 1e-5


@dataclass(frozen=True)
class Rates:
    """The rates that were asked for.

    Attributes:
        unknown_rate: False alarm rate: fraction of images like the training images that may be
            flagged as unknown.
        coverage: Fraction of prediction sets that contain the true class.
    """

    unknown_rate: float = 0.05
    coverage: float = 0.9


@dataclass(frozen=True, eq=False)
class Calibrating:
    """The images that the thresholds are calibrated on.

    Attributes:
        features: Shape (num_images, num_features).
        probabilities: Shape (num_images, num_classes).
        labels: Class indices, (num_images,).
        name: What they are, in words: "test".
        is_independent: Whether they neither chose the epoch nor fitted the temperature.
    """

    features: Floats
    probabilities: Floats
    labels: npt.NDArray[np.int64]
    name: str
    is_independent: bool


def make_cautious(train: Floats, calibrating: Calibrating, rates: Rates, seed: int) -> Caution:
    """Returns the limits of a model, with the features that they are about.

    Args:
        train: Features of training images, (num_images, num_features).
        calibrating: Images that were not trained on.
        rates: The rates to keep.
        seed: Of the coreset.

    Raises:
        UsageError: There are too few images for these rates.
    """
    scale = Standardization.of(train)
    rows = scale.apply(train)
    rows = rows[coreset(rows, MOST_KEPT, seed)]
    neighbor = min(_NEIGHBOR, len(rows))
    found = calibrating.features
    score = np.concatenate(
        [
            distances(scale.apply(found[start : start + _BLOCK]), rows, neighbor)
            for start in range(0, len(found), _BLOCK)
        ]
    )
    own = calibrating.probabilities[np.arange(len(found)), calibrating.labels]
    threshold = upper_limit(score, rates.unknown_rate, _UNKNOWN_RATE)
    least = -upper_limit(-own, 1 - rates.coverage, _COVERAGE)
    record = CautionRecord(
        unknown_rate=rates.unknown_rate,
        neighbor=neighbor,
        num_kept=len(rows),
        threshold=threshold + _SLACK,
        coverage=rates.coverage,
        least_probability=least - _SLACK,
        calibrated_on=calibrating.name,
        num_calibration=len(found),
        is_independent=calibrating.is_independent,
    )
    mean, std = (np.asarray(part, np.float32) for part in (scale.mean, scale.std))
    return Caution(rows, mean, std, record)


def upper_limit(values: npt.NDArray[np.floating], rate: float, what: str = "the rate") -> float:
    """Returns the value that a new one of the same kind exceeds with at most this probability.

    It is that of rank ceil((n + 1) * (1 - rate)), which holds for any number of values.

    Args:
        values: Shape (n,).
        rate: In (0, 1).
        what: What the rate is, for the message.

    Raises:
        UsageError: There are too few values: n is below 1 / rate - 1.

    Examples:
        >>> upper_limit(np.arange(1, 20), 0.05)
        19.0
        >>> upper_limit(np.arange(1, 100), 0.1)
        90.0
    """
    _check_enough(len(values), rate, what)
    rank = math.ceil((len(values) + 1) * (1 - rate) - 1e-9)
    return float(np.sort(values)[rank - 1])


def check_number(count: int, rates: Rates) -> None:
    """Raises a UsageError if there are too few images for some rates.

    Args:
        count: Number of the images that limits are to be taken from.
        rates: The rates to keep.
    """
    _check_enough(count, rates.unknown_rate, _UNKNOWN_RATE)
    _check_enough(count, 1 - rates.coverage, _COVERAGE)


def _check_enough(count: int, rate: float, what: str) -> None:
    needed = least_images(rate)
    if count < needed:
        raise UsageError(
            f"To keep {what} at {rate:.3g} takes at least {needed:,} images that were not trained "
            f"on, but there are only {count:,}. Add images, or allow more."
        )
