"""What fits on some of the images, those of folds or a single one, decide about that on all."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from tfxfer.config.decided import DecidedFit
from tfxfer.config.schema import NEUTRAL_FINETUNING
from tfxfer.planning.plan import Plan
from tfxfer.planning.wording import counted
from tfxfer.ranking.folding.final import middle
from tfxfer.runs.history import Epoch, read_history
from tfxfer.runs.metrics_record import FitMetrics, read_metrics
from tfxfer.system.run_layout import RunDirectory


@dataclass(frozen=True)
class FoldFit:
    """A finished fit of a fold.

    Attributes:
        metrics: Its metrics.
        epochs: Its epochs.
    """

    metrics: FitMetrics
    epochs: Sequence[Epoch]

    @classmethod
    def of(cls, run: RunDirectory) -> Self:
        """Returns the fit of a run."""
        return cls(read_metrics(run), read_history(run))

    @property
    def way(self) -> str:
        """Name of the way that its search chose; empty without a search."""
        search = self.metrics.search
        return "" if search is None or search.is_left_out else search.way

    @property
    def finetune_epochs(self) -> int:
        """Epochs of fine-tuning up to the best one; 0 where the head alone was best."""
        best = self.metrics.best
        return best.epoch if best is not None and best.phase == "finetune" else 0

    @property
    def penalty(self) -> float | None:
        """L2 penalty of the head that it ended with or was fine-tuned from; None for others."""
        start, penalty = self.metrics.start_penalty, self.metrics.penalty
        return start if start is not None and self.finetune_epochs else penalty

    @property
    def loss(self) -> float:
        """Validation loss."""
        loss = self.metrics.splits["validation"].loss
        return math.inf if loss is None else loss

    def head_epochs(self, plan: Plan) -> int:
        """Epochs of a head trained by gradient steps, up to the best one."""
        rank, own = plan.objective.rank, [one for one in self.epochs if one.phase == "head"]
        ranks = [rank(one.validation_loss, one.validation_accuracy) for one in own]
        return ranks.index(max(ranks)) + 1


def settings_of_final(fits: Sequence[FoldFit], plan: Plan) -> DecidedFit:
    """Returns the settings of the fit on all images.

    The way to fine-tune is that which most folds chose; on ties, the one with the lower mean of
    their validation losses. Number of epochs and L2 penalty are medians over these folds. The
    learning rate falls to its end within these epochs, as it does in a fit.

    Args:
        fits: The fits of the folds.
        plan: The plan of the whole.
    """
    own, config = _of_most_common_way(fits), plan.config
    search = own[0].metrics.search
    # Without validation images no epoch is chosen, and no average of epochs.
    changes: dict[str, Any] = {"effort": "quick", "find_rate": False}
    epochs = middle([fit.finetune_epochs for fit in own])
    changes["finetune"] = {"epochs": epochs, "patience": 0, "average": "none"}
    if not epochs:
        changes["finetune"] |= NEUTRAL_FINETUNING
    elif epochs == 1:
        changes["finetune"]["gradual"] = False
    penalties = [fit.penalty for fit in own if fit.penalty is not None]
    if penalties:
        changes["head"] = {"penalty": middle(penalties)}
    elif config.head.epochs:
        changes["head"] = {"epochs": middle([fit.head_epochs(plan) for fit in own])}
    if search is not None:
        config = config.with_settings(search.nested_changes())
    return config.with_settings(changes)


def describe_final(fits: Sequence[FoldFit], config: DecidedFit, num_images: int) -> str:
    """Returns how the model is trained on all images, and why so.

    Args:
        fits: The fits of the folds, or the one that validation judged.
        config: The settings of the final fit.
        num_images: How many images it is trained on.
    """
    own, parts = _of_most_common_way(fits), []
    is_of_folds, epochs = len(fits) > 1, config.finetune.epochs
    best = ", ".join(str(fit.finetune_epochs) for fit in own)
    chosen = f"in {len(own)} of {len(fits)} folds" if is_of_folds else "on validation"
    best_epoch = f"the median of the folds' best: {best}" if is_of_folds else "the best epoch"
    best_head = f"the median of the folds' best epochs of fine-tuning: {best}"
    if own[0].way:
        parts.append(f"'{own[0].way}' (chosen {chosen})")
    if epochs:
        parts.append(f"{counted(epochs, 'epoch')} of fine-tuning ({best_epoch})")
    else:
        parts.append(f"the head alone ({best_head if is_of_folds else 'the best'})")
    if config.head.penalty is not None:
        median = " (median)" if is_of_folds else ""
        parts.append(f"head with L2 penalty {config.head.penalty:g}{median}")
    return f"{', '.join(parts)}, on all {num_images:,} images"


def _of_most_common_way(fits: Sequence[FoldFit]) -> list[FoldFit]:
    """Returns the fits of the way that most of them chose."""
    counts = Counter(fit.way for fit in fits)

    def rank(way: str) -> tuple[float, float]:
        losses = [fit.loss for fit in fits if fit.way == way]
        return counts[way], -sum(losses) / len(losses)

    best = max(counts, key=rank)
    return [fit for fit in fits if fit.way == best]
