"""The calibration of a model's probabilities."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tfxfer.runs.scores.summary import SPLITS


@dataclass(frozen=True)
class CalibrationErrors:
    """Expected calibration errors on a split.

    Attributes:
        error: Error at temperature 1.
        error_at_temperature: Error at the temperature fitted on validation.
    """

    error: float
    error_at_temperature: float


@dataclass(frozen=True)
class CalibrationRecord:
    """The temperature fitted on validation.

    Attributes:
        temperature: Divisor of the logits.
        errors: Calibration errors by split.
        applied: Whether the saved model has this temperature.
    """

    temperature: float
    errors: Mapping[str, CalibrationErrors] = field(default_factory=dict)
    applied: bool = False

    @property
    def confidence(self) -> str:
        """Whether the model is overconfident or underconfident, by its temperature.

        Examples:
            >>> CalibrationRecord(1.2).confidence, CalibrationRecord(0.9995).confidence
            ('overconfident', 'neither overconfident nor underconfident')
        """
        if round(self.temperature, 2) == 1:
            return "neither overconfident nor underconfident"
        return "overconfident" if self.temperature > 1 else "underconfident"

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns the record that `as_json` wrote."""
        errors = {
            name: CalibrationErrors(found["error"], found["error_at_temperature"])
            for name, found in content.items()
            if name in SPLITS
        }
        return cls(content["temperature"], errors, content["applied"])

    def as_json(self) -> dict[str, Any]:
        """Returns its content in `metrics.json`."""
        errors = {name: dataclasses.asdict(found) for name, found in self.errors.items()}
        return {"temperature": self.temperature, **errors, "applied": self.applied}
