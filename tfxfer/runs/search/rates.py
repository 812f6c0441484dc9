"""The learning rate range test before fine-tuning, as `rates.csv` holds it."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from tfxfer.errors import UsageError
from tfxfer.system.files import replacing
from tfxfer.system.run_layout import RunDirectory

# Share of the previous steps in the smoothed loss: about the last ten steps. fastai has 0.98, whose
# minimum comes fifty steps late.
_SMOOTHING = 0.9

# The test ends where the smoothed loss is this many times its minimum, as in fastai's `lr_find`.
_DIVERGED = 4.0

# By so many steps the smoothed loss is late, the mean age of the losses in it; a minimum within the
# first of them is that of a loss that only rises.
_LATE = round(_SMOOTHING / (1 - _SMOOTHING))

_COLUMNS = ("learning_rate", "loss", "smoothed_loss")


@dataclass(frozen=True)
class RangeTest:
    """Training losses at learning rates that rise from step to step (Smith, arXiv:1506.01186).

    Attributes:
        rates: The learning rate of each step.
        losses: The loss of the batch of each step, before its update; the last may be NaN.
        smoothed: Their exponential moving average, without the bias of its start.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]

    @classmethod
    def of(cls, rates: Sequence[float], losses: Sequence[float]) -> Self:
        """Returns the test with its losses smoothed."""
        average, smoothed = 0.0, []
        for step, loss in enumerate(losses, start=1):
            average = _SMOOTHING * average + (1 - _SMOOTHING) * loss
            smoothed.append(average / (1 - _SMOOTHING**step))
        return cls(tuple(rates), tuple(losses), tuple(smoothed))

    @property
    def has_diverged(self) -> bool:
        """Whether the loss is far above its minimum at the last step, or no number."""
        last = self.smoothed[-1]
        return not math.isfinite(last) or last > _DIVERGED * min(self.smoothed)

    @property
    def lowest(self) -> float | None:
        """The learning rate with the lowest smoothed loss; None if the loss only rises."""
        known = [loss if math.isfinite(loss) else math.inf for loss in self.smoothed]
        place = known.index(min(known))
        return self.rates[place] if place > _LATE else None

    @property
    def suggested(self) -> float | None:
        """The rate by so many steps earlier as smoothing is late, to two digits; None without one.

        That is a bit less than a third. A tenth, as fastai's `lr_find` suggests for a head with
        random weights, is too timid for a solved one, whose loss rises early (on five flowers with
        MobileNetV2 it is 3e-5, where 3e-4 is better by four points of accuracy; measured).
        """
        if self.lowest is None:
            return None
        return float(f"{self.rates[self.rates.index(self.lowest) - _LATE]:.1e}")

    def sentence(self, current: float) -> str:
        """Returns what was found, and a suggestion.

        Args:
            current: The learning rate of the fit.
        """
        steps = f"{len(self.rates)} steps from {self.rates[0]:.2g} to {self.rates[-1]:.2g}"
        end = ", where the loss diverged" if self.has_diverged else ""
        if self.suggested is None:
            return (
                f"{steps}{end}. The loss only rises, so there is no suggestion; the fit uses "
                f"{current:g}."
            )
        return (
            f"{steps}{end}. The smoothed loss is lowest at {self.lowest:.2g}; as it lags by "
            f"{_LATE} steps, --finetune-learning-rate {self.suggested:g} is suggested. This fit "
            f"does not use it: its learning rate is {current:g}."
        )


def write_rates(run: RunDirectory, test: RangeTest) -> None:
    """Writes the steps of a range test into a run.

    Raises:
        RunError: The file cannot be written.
    """
    with replacing(run.rates) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(zip(test.rates, test.losses, test.smoothed, strict=True))


def read_rates(run: RunDirectory) -> RangeTest | None:
    """Reads the range test of a run; None if there was none.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        with run.rates.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        columns = [tuple(float(row[name]) for row in rows) for name in _COLUMNS]
        return RangeTest(*columns) if rows else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"Cannot read the learning rate range test '{run.rates}': {error}."
        ) from None
