"""Which way to fine-tune comes next in a search, and which one is chosen.

Pure functions of the trials so far, so that a resumed search continues as an uninterrupted one.
"""

import dataclasses
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.planning.portfolio import Portfolio
from tfxfer.planning.ways.way import Way

# A way is better than another if it lowers the loss by more than this many standard errors. None
# would leave the choice to noise, one keeps the head where fine-tuning helps (measured).
_STANDARD_ERRORS = 0.5

# For a way without shift and zoom in place of one with them: what they are good for, images from
# elsewhere, validation does not show. On the brain slices, whose test images come from another
# source, 1.2 standard errors went along with seven points less on test (measured).
_ERRORS_WITHOUT_WARPS = 2.0

# Bootstrap samples of the validation images; the estimate then varies by some tenths of a point.
_SAMPLES = 200

# Of so many other trials a sentence tells, of those with the lowest losses.
_TOLD = 3

# With all of validation right and a loss below this there is nothing to gain that could be seen.
_CEILING_LOSS = 0.01


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class Trial:
    """A way to fine-tune that was tried for its whole schedule.

    Attributes:
        way: Name of the way.
        epochs: Epochs of the trial; 0 for the head alone.
        best_epoch: The epoch whose weights are kept; 0 if none is better than the head alone.
        losses: Loss of each validation example with these weights after temperature scaling, times
            its weight, (num_examples,); infinite if the training diverged.
        hits: Whether each validation example is classified correctly, or the share of its labels
            that is, (num_examples,).
        accuracy: Validation accuracy with these weights, in [0, 1].
        seconds: Duration of its epochs.
        is_plain: Whether shift, zoom and rotation were turned off.
    """

    way: str
    epochs: int
    best_epoch: int
    losses: npt.NDArray[np.float64]
    hits: npt.NDArray[Any]
    accuracy: float
    seconds: float
    is_plain: bool = False

    @property
    def loss(self) -> float:
        """The validation loss after temperature scaling."""
        return float(self.losses.mean())

    @property
    def error(self) -> float:
        """Standard error of that loss; NaN if the training diverged."""
        return standard_error(self.losses) if math.isfinite(self.loss) else math.nan

    @property
    def is_at_ceiling(self) -> bool:
        """Whether nothing is left to gain."""
        return self.accuracy == 1 and self.loss < _CEILING_LOSS


@dataclass(frozen=True)
class Choice:
    """The end of a search.

    Attributes:
        way: The way that is chosen; None if none is better than the head alone.
        reason: Why, as a clause.
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


def is_better(trial: Trial, other: Trial) -> bool:
    """Tells whether a trial is better than another one beyond the noise of validation.

    The mean difference of the losses of each image must exceed half of its standard error. Both
    ways are tried on the same images, so their difference has far less noise than either loss. The
    one-standard-error rule of Breiman et al. (1984, Classification and Regression Trees, section
    3.4.3) is stricter: its simpler model is also cheaper to use, while here all cost the same. A
    way without shift and zoom needs two standard errors to replace one that fine-tunes with them.
    """
    if not math.isfinite(trial.loss):
        return False
    gains = other.losses - trial.losses
    gives_up_warps = trial.is_plain and not other.is_plain and other.best_epoch > 0
    errors = _ERRORS_WITHOUT_WARPS if gives_up_warps else _STANDARD_ERRORS
    return float(gains.mean()) > errors * standard_error(gains)


def leader(trials: Sequence[Trial]) -> Trial:
    """Returns the trial that leads.

    The default leads if an epoch of it is better than the head alone, as in a fit without a search.
    Another way must be better than the leader before it.

    Args:
        trials: The head alone, the default, then other ways in their order.
    """
    best = trials[0]
    for place, trial in enumerate(trials[1:]):
        is_default = place == 0 and trial.best_epoch > 0
        if is_default or is_better(trial, best):
            best = trial
    return best


def next_way(
    portfolio: Portfolio, trials: Sequence[Trial], skipped: Collection[str] = ()
) -> Way | None:
    """Returns the way to try next; None if the search is over.

    A thorough search continues where another one ends: with the further ways that have the
    augmentation that did better so far, then with those that have the other, and at last it trains
    the best way once more.

    Args:
        portfolio: The portfolio.
        trials: The trials so far, the head alone first.
        skipped: Names of ways for which there is no time.
    """
    best = leader(trials)
    done = {*(trial.way for trial in trials), *skipped}
    if best.is_at_ceiling:
        return None
    for way in portfolio.ways:
        if way.name not in done:
            return way
    if (
        portfolio.deeper
        and best.loss >= portfolio.much_to_gain
        and not any(way.name in done for way in portfolio.deeper)
    ):
        return _alike(best, portfolio.deeper)
    return _further_way(portfolio, best, done) if portfolio.is_thorough else None


def _further_way(portfolio: Portfolio, best: Trial, done: Collection[str]) -> Way | None:
    """Returns the next way of a thorough search that only such a one tries."""
    groups = [portfolio.deeper, *portfolio.further] if portfolio.deeper else portfolio.further
    preferred = [_alike(best, ways) for ways in groups]
    others = [way for ways in groups for way in ways]
    for way in (*preferred, *others):
        if way.name not in done:
            return way
    known = {way.name: way.again(portfolio.times) for way in (*portfolio.ways, *others)}
    again = known.get(best.way)  # None for the head alone, and for what was trained again
    return None if again is None or again.name in done else again


def _alike(trial: Trial, ways: Sequence[Way]) -> Way:
    """Returns the way with the augmentation of a trial, or the first one."""
    return next((way for way in ways if way.is_plain == trial.is_plain), ways[0])


def choose(portfolio: Portfolio, trials: Sequence[Trial], score: str = "accuracy") -> Choice:
    """Returns the choice among the trials, the head alone first.

    Args:
        portfolio: The portfolio.
        trials: The trials.
        score: What the accuracy of a trial is called.
    """
    head, *others = trials
    chosen = leader(trials)
    if chosen is head:
        return Choice(None, _why_none(head, others, score))
    reason = _why_not_head(chosen, others[0], head, score)
    if chosen.is_at_ceiling:
        reason += "; it classifies all validation images correctly, which ends the search"
    rivals = [one for one in others if one is not chosen and one.best_epoch]
    for other in sorted(rivals, key=lambda one: one.loss)[:_TOLD]:
        if chosen.loss < other.loss:
            reason += f"; beside it, the loss of '{other.way}' is higher by {_gain(chosen, other)}"
        else:
            gain = _gain(other, chosen)
            reason += (
                f"; beside it, the loss of '{other.way}' is lower by {gain}, which may be noise"
            )
    if len(rivals) > _TOLD:
        reason += f"; {len(rivals) - _TOLD} others are further away"
    return Choice(next(way for way in portfolio.all_ways if way.name == chosen.way), reason)


def optimism(trials: Sequence[Trial], seed: int) -> float:
    """Returns by how much the validation accuracy of the best of several trials is too high.

    It is the bootstrap estimate of the optimism (Efron & Tibshirani 1993, An Introduction to the
    Bootstrap, section 17.6): the trial that leads on a sample of the validation images, by the same
    rule, has a higher accuracy on this sample than on all of them. The choice among epochs is not
    included.

    Args:
        trials: The trials, the head alone first.
        seed: Seed of the samples.

    Returns:
        A difference of accuracies, at least 0; 0 if there was nothing to choose among.
    """
    finite = [trial for trial in trials if math.isfinite(trial.loss)]
    num_examples = len(trials[0].losses)
    draws, gaps = np.random.default_rng(seed), []
    for _ in range(_SAMPLES if len(finite) > 1 else 0):
        sample = draws.integers(num_examples, size=num_examples)
        best = leader([_on(trial, sample) for trial in finite])
        everywhere = next(trial for trial in finite if trial.way == best.way)
        gaps.append(best.hits.mean() - everywhere.hits.mean())
    return max(0.0, float(np.mean(gaps))) if gaps else 0.0


def _on(trial: Trial, sample: npt.NDArray[Any]) -> Trial:
    """Returns a trial as it is on some of the validation examples."""
    return dataclasses.replace(trial, losses=trial.losses[sample], hits=trial.hits[sample])


def _why_none(head: Trial, others: Sequence[Trial], score: str) -> str:
    """Returns why the head alone is kept."""
    if head.is_at_ceiling:
        return (
            f"it already classifies all validation images correctly, with a loss of {head.loss:.4f}"
        )
    found = [trial for trial in others if trial.best_epoch]
    if not found:
        return f"no epoch of fine-tuning has a better validation {score}"
    lowest = min(found, key=lambda trial: trial.loss)
    return (
        f"no configuration lowers its validation loss of {head.loss:.4f} beyond the noise; "
        f"'{lowest.way}' has {lowest.loss:.4f}"
    )


def _why_not_head(chosen: Trial, default: Trial, head: Trial, score: str) -> str:
    """Returns why a way is chosen rather than the head alone."""
    scaled = " after temperature scaling" if score == "accuracy" else ""
    if chosen.loss < head.loss:
        return (
            f"its validation loss{scaled}, {chosen.loss:.4f}, is lower than that of the head "
            f"alone, {head.loss:.4f}, by {_gain(chosen, head)}"
        )
    if chosen is not default:
        return f"it replaces '{default.way}', which ranks above the head alone by {score}"
    losses = f"{chosen.loss:.4f} and {head.loss:.4f}"
    if chosen.accuracy > head.accuracy:
        return (
            f"its validation {score}, {chosen.accuracy:.4f}, is higher than that of the head "
            f"alone, {head.accuracy:.4f}; between these two the {score} decides, not the "
            f"loss{scaled} ({losses})"
        )
    return (
        f"it has the same validation {score} as the head alone, {head.accuracy:.4f}, and a lower "
        f"val_loss; between these two that decides, not the loss{scaled} ({losses})"
    )


def _gain(trial: Trial, other: Trial) -> str:
    """Returns by how much the loss of a trial is lower than another's, with its standard error."""
    gains = other.losses - trial.losses
    return f"{gains.mean():.4f} (standard error of the difference {standard_error(gains):.4f})"
