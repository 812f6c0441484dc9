"""How long a trial will take, from the trials before it.

Pure functions.
"""

from collections.abc import Sequence

from tfxfer.planning.portfolio import Portfolio
from tfxfer.planning.ways.cost import step_cost
from tfxfer.planning.ways.way import Way
from tfxfer.training.epochs.trainer import EXPORT_SECONDS
from tfxfer.training.search.choosing import Trial

# Reserved for the unforeseen: tracing a new step, and other work of the machine.
_MARGIN = 1.2

# Passes over validation at the end: a soup of five with what it starts from, nine interpolations
# with what they start from, and two for the evaluation.
_PASSES = 18


def expected_seconds(way: Way, portfolio: Portfolio, trials: Sequence[Trial]) -> float:
    """Returns how long a trial is expected to take.

    An epoch takes as long as in the slowest trial that trained the same part on the same kind of
    images. If there is none, it is estimated from all others by what they trained; 0 if no trial
    had an epoch.

    Args:
        way: The way to try.
        portfolio: The portfolio.
        trials: The trials so far.
    """
    ways = {one.name: one for one in portfolio.all_ways}
    known = [(ways[one.way], one.seconds / one.epochs) for one in trials if one.epochs]
    same = [seconds for one, seconds in known if _kind(one) == _kind(way)]
    last = portfolio.default.finetune.unfreeze
    scaled = [seconds / step_cost(one, last) * step_cost(way, last) for one, seconds in known]
    return way.finetune.epochs * max(same or scaled, default=0.0) * _MARGIN


def reserved_seconds(trials: Sequence[Trial], share: float) -> float:
    """Returns the time that is needed after the last trial, for averages, evaluation and export.

    Args:
        trials: The trials so far.
        share: That of validation in the images of an epoch, in [0, 1].
    """
    slowest = max((one.seconds / one.epochs for one in trials if one.epochs), default=0.0)
    return _PASSES * share * slowest + EXPORT_SECONDS


def _kind(way: Way) -> tuple[str, str, bool, bool]:
    return (
        way.finetune.unfreeze,
        way.finetune.batch_norm,
        way.is_plain,
        bool(way.augment.mixup or way.augment.cutmix),
    )
