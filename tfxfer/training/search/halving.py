"""Successive halving: which trials come next, and which way to fine-tune is chosen.

Pure functions of the trials so far, so that a resumed search continues as an uninterrupted one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxfer.planning.portfolio import Portfolio, Way

# With all of validation right and a loss below this there is nothing to gain that could be seen.
_CEILING_LOSS = 0.01


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class Trial:
    """A way to fine-tune that was tried.

    Attributes:
        way: Name of the way.
        rung: Number of the rung, from 1; 0 for the head alone.
        epochs: Epochs of the trial.
        losses: Loss of each validation example at the best epoch, times its weight,
            (num_examples,); infinite if the training diverged.
        accuracy: Validation accuracy of that epoch, in [0, 1].
        seconds: Duration.
    """

    way: str
    rung: int
    epochs: int
    losses: npt.NDArray[np.float64]
    accuracy: float
    seconds: float

    @property
    def loss(self) -> float:
        """The validation loss."""
        return float(self.losses.mean())

    @property
    def error(self) -> float:
        """Standard error of the validation loss; NaN if the training diverged."""
        return standard_error(self.losses) if math.isfinite(self.loss) else math.nan


@dataclass(frozen=True)
class Choice:
    """The end of a search.

    Attributes:
        way: The way that is chosen; None if none is better than the head alone.
        reason: Why, as a sentence.
    """

    way: Way | None
    reason: str


def standard_error(values: npt.NDArray[np.float64]) -> float:
    """Returns the standard error of the mean of values, (num_examples,); 0 for a single one.

    Examples:
        >>> standard_error(np.array([0.0, 2.0]))
        1.0
    """
    if len(values) < 2:
        return 0.0
    return float(values.std(ddof=1) / math.sqrt(len(values)))


def is_better(trial: Trial, simpler: Trial) -> bool:
    """Tells whether a trial is better than a simpler way beyond the noise of validation.

    The mean difference of the losses of each image must exceed its standard error. Both ways are
    tried on the same images, so their difference has far less noise than either loss.
    """
    if not math.isfinite(trial.loss):
        return False
    gains = simpler.losses - trial.losses
    return float(gains.mean()) > standard_error(gains)


def best_trial(trials: Sequence[Trial]) -> Trial:
    """Returns the simplest trial that the one with the lowest loss is not better than.

    This is the one-standard-error rule of Breiman et al. (1984, Classification and Regression
    Trees, section 3.4.3), on paired differences.

    Args:
        trials: Trials of different ways, the simplest first; the first one is finite.
    """
    finite = [trial for trial in trials if math.isfinite(trial.loss)]
    lowest = min(finite, key=lambda trial: trial.loss)
    return next(trial for trial in finite if not is_better(lowest, trial))


def survivors(portfolio: Portfolio, trials: Sequence[Trial]) -> list[str]:
    """Returns the names of the ways with the lowest losses in the first rung, in their order.

    The worse half is dropped (Jamieson & Talwalkar 2016, arXiv:1502.07943).
    """
    first = [trial for trial in trials if trial.rung == 1 and math.isfinite(trial.loss)]
    kept = sorted(first, key=lambda trial: trial.loss)[: portfolio.num_kept]
    return [trial.way for trial in first if trial in kept]


def next_trial(portfolio: Portfolio, trials: Sequence[Trial]) -> tuple[Way, int] | Choice:
    """Returns the way to try next and its rung, or the choice.

    Args:
        portfolio: The portfolio; the trials are in the order of its ways.
        trials: The trials so far, the head alone first.
    """
    head, *others = trials
    if head.accuracy == 1 and head.loss < _CEILING_LOSS:
        return Choice(
            None,
            "the head alone already classifies all of validation correctly, with a loss of "
            f"{head.loss:.4f}",
        )
    if len(portfolio.ways) == 1:
        return Choice(portfolio.ways[0], "the settings leave no other way to fine-tune")
    if len(others) < len(portfolio.ways):
        return portfolio.ways[len(others)], 1
    if not any(is_better(trial, head) for trial in others if trial.rung == 1):
        return _choice(portfolio, [head, *others], head)
    kept = survivors(portfolio, others)
    second = [trial for trial in others if trial.rung == 2]
    if len(kept) > 1 and len(second) < len(kept):
        return _named(portfolio, kept[len(second)]), 2
    finalists = second or [trial for trial in others if trial.way in kept]
    chosen = best_trial([head, *finalists])
    return _choice(portfolio, [head, *finalists], chosen)


def _named(portfolio: Portfolio, name: str) -> Way:
    return next(way for way in portfolio.ways if way.name == name)


def _choice(portfolio: Portfolio, trials: Sequence[Trial], chosen: Trial) -> Choice:
    """Returns the choice of one of the trials that were compared last, the head alone first."""
    head, *others = trials
    lowest = min(others, key=lambda trial: trial.loss)
    if chosen is head:
        return Choice(
            None,
            f"no way is better than the head alone (validation loss {head.loss:.4f}) beyond the "
            f"noise; the best, {lowest.way}, gains {_gain(lowest, head)}",
        )
    reason = (
        f"its validation loss of {chosen.loss:.4f} gains {_gain(chosen, head)} over the head alone"
    )
    if lowest is not chosen:
        reason += f"; {lowest.way} gains {_gain(lowest, chosen)} over it, which may be noise"
    return Choice(_named(portfolio, chosen.way), reason)


def _gain(trial: Trial, other: Trial) -> str:
    """Returns by how much the loss of a trial is lower than another's, with its standard error."""
    if not math.isfinite(trial.loss):
        return "nothing, as its training diverged"
    gains = other.losses - trial.losses
    return f"{gains.mean():.4f} (standard error {standard_error(gains):.4f})"
