"""What is said and written of a trial: its line and its row."""

import math
from collections.abc import Sequence

from tfxfer.planning.description import describe_changes
from tfxfer.planning.portfolio import Portfolio
from tfxfer.planning.ways.way import Way
from tfxfer.runs.search.trials import TrialRow
from tfxfer.training.search.choosing import Trial, leader


def row_of(trial: Trial, way: Way, kept: str) -> TrialRow:
    """Returns the row of a trial.

    Args:
        trial: The trial.
        way: Its way.
        kept: "yes", "no", or empty before the choice.
    """
    return TrialRow(
        way=trial.way,
        unfreeze=way.finetune.unfreeze,
        learning_rate=way.finetune.learning_rate if trial.epochs else 0.0,
        augmentation=", ".join(describe_changes(way.augment)) if trial.epochs else "",
        epochs=trial.epochs,
        best_epoch=trial.best_epoch,
        validation_loss=round(trial.loss, 6),
        standard_error=round(trial.error, 6),
        accuracy=round(trial.accuracy, 6),
        seconds=trial.seconds,
        kept=kept,
    )


def line_of(trial: Trial, score: str = "accuracy") -> str:
    """Returns the line on a finished trial.

    Args:
        trial: The trial.
        score: What its accuracy is called.
    """
    if not math.isfinite(trial.loss):
        return f"search: '{trial.way}' diverged"
    if not trial.best_epoch:
        return f"search: no epoch of '{trial.way}' is better than the head alone"
    if score != "accuracy":  # of a number, which has no temperature
        return (
            f"search: '{trial.way}' has a validation loss of {trial.loss:.4f} and a {score} of "
            f"{trial.accuracy:.4f} (epoch {trial.best_epoch})"
        )
    return (
        f"search: '{trial.way}' has a validation loss of {trial.loss:.4f} after temperature "
        f"scaling and an accuracy of {trial.accuracy:.4f} (epoch {trial.best_epoch})"
    )


def line_of_untried(portfolio: Portfolio, trials: Sequence[Trial]) -> str:
    """Returns the line on the deeper way, if it was not worth a trial; empty otherwise.

    Args:
        portfolio: The portfolio.
        trials: The trials, the head alone first.
    """
    best = leader(trials)
    if not portfolio.deeper or len(trials) != 1 + len(portfolio.ways) or best.is_at_ceiling:
        return ""
    if best.loss >= portfolio.much_to_gain:
        return ""  # there was no time
    return (
        f"search: skipped '{portfolio.deeper[0].name}': the loss of '{best.way}', the best so far, "
        f"is {best.loss:.4f}, not above {portfolio.much_to_gain:g}"
    )
