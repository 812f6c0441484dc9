"""Detection of unknown images, and prediction sets: their thresholds and measured rates."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


def least_images(rate: float) -> int:
    """Returns how many images it takes to calibrate a threshold to a rate.

    Args:
        rate: The share, in (0, 1).

    Examples:
        >>> least_images(0.05), least_images(0.1)
        (19, 9)
    """
    return math.ceil(1 / rate - 1 - 1e-9)


@dataclass(frozen=True)
class CautionRecord:
    """The thresholds that flag unknown images and choose the classes of prediction sets.

    Attributes:
        unknown_rate: Target false alarm rate: fraction of images like the training images.
        neighbor: The distance to the training image of this rank is the score.
        num_kept: Training images whose features are kept.
        threshold: Images with a higher score are unknown.
        coverage: Target fraction of prediction sets that contain the true class.
        least_probability: Classes with at least this probability are in the set.
        calibrated_on: The images that both thresholds are from: "test", "validation", or "set aside
            from validation".
        num_calibration: How many these are.
        is_independent: Whether these neither chose the epoch nor fitted the temperature.
    """

    unknown_rate: float
    neighbor: int
    num_kept: int
    threshold: float
    coverage: float
    least_probability: float
    calibrated_on: str
    num_calibration: int
    is_independent: bool

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns the record of its content in a file; unknown keys are left out."""
        names = {one.name for one in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in content.items() if name in names})

    def describe(self) -> str:
        """Returns what was decided, and on which images, in a line."""
        text = (
            f"unknown above a distance of {self.threshold:.4f} (at most {self.unknown_rate:.0%} "
            f"false alarms), prediction sets of {self.coverage:.0%} coverage, calibrated on "
            f"{self.num_calibration:,} images ({self.calibrated_on})"
        )
        if not self.is_independent:
            text += "; these also chose the epoch, so that both rates are approximate"
        return text


@dataclass(frozen=True)
class MeasuredRates:
    """The rates, measured on a split.

    Attributes:
        split: Name of the split.
        num_examples: Number of its images.
        unknown_rate: Fraction of them that are flagged as unknown: false alarms.
        coverage: Fraction of the prediction sets that contain the true class.
        mean_size: Mean number of classes in a prediction set.
    """

    split: str
    num_examples: int
    unknown_rate: float
    coverage: float
    mean_size: float

    def describe(self) -> str:
        """Returns the rates in a line."""
        return (
            f"on {self.num_examples:,} {self.split} images {self.unknown_rate:.1%} false alarms, "
            f"coverage {self.coverage:.1%} with {self.mean_size:.2f} classes per set"
        )


@dataclass(frozen=True)
class CautionScores:
    """How cautious the model of a run is.

    Attributes:
        limits: What was decided.
        measured: What that is worth on test; None without a test split.
    """

    limits: CautionRecord
    measured: MeasuredRates | None = None

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns the scores of their content in `metrics.json`."""
        told = content.get("measured")
        names = {one.name for one in dataclasses.fields(MeasuredRates)}
        measured = None
        if told is not None:
            measured = MeasuredRates(**{k: value for k, value in told.items() if k in names})
        return cls(CautionRecord.of_json(content["limits"]), measured)
