"""How much pretraining helped: a pretrained network against the same one trained from scratch."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from tfxfer.config.decided import DecidedFit, reopened
from tfxfer.config.schema import FinetuneConfig, FitConfig, HeadConfig
from tfxfer.planning.plan import Plan, make_plan
from tfxfer.runs.metrics_record import (
    ComparisonRecord,
    FitMetrics,
    evaluation_split,
    read_metrics,
)
from tfxfer.runs.scores.summary import Summary
from tfxfer.system.progress import Say
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.training.transfer import Trained, train

# Two standard errors: the 95% interval of a normal distribution.
_STANDARD_ERRORS = 2.0

_WITHOUT_FOLDS: dict[str, Any] = {"folds": 0, "folds_finetune": False}


def transfer_config(asked: FitConfig, num_train: int) -> FitConfig:
    """Returns the settings for a fit on fewer training images; open settings stay open.

    Args:
        asked: The settings that the user gave; those left open are decided again, without a search.
        num_train: Number of training images.
    """
    return dataclasses.replace(
        asked,
        train_examples=num_train,
        run=None,
        compare_examples=None,
        effort="quick",
        find_rate=False,
        **_WITHOUT_FOLDS,
    )


def scratch_config(decided: DecidedFit) -> FitConfig:
    """Returns the settings that train the same network on the same data from random weights.

    There is no head phase: a head on random features teaches nothing. Of its settings only the
    architecture of the head is kept. The finetune phase keeps nothing but its length
    (`compare_epochs`, or as many passes over the images as the pretrained network): optimizer,
    learning rate, warm-up, decay, clipping, patience, `unfreeze` and `batch_norm` are decided again
    for random weights, since values that suit pretrained weights would cripple random ones. All
    other settings, such as augmentation and batch size, are those of the pretrained network.

    Args:
        decided: The settings of the pretrained network, all decided.
    """
    return reopened(
        decided,
        weights="none",
        effort="quick",
        find_rate=False,
        run=None,
        compare_scratch=False,
        compare_examples=None,
        compare_epochs=None,
        **_WITHOUT_FOLDS,
        head=HeadConfig(
            epochs=0,
            pooling=decided.head.pooling,
            stages=decided.head.stages,
            hidden_units=decided.head.hidden_units,
            dropout=decided.head.dropout,
        ),
        finetune=_scratch_finetune(decided),
    )


def _scratch_finetune(decided: DecidedFit) -> FinetuneConfig:
    """Returns the finetune phase from random weights: its epochs, everything else open.

    By default the epochs cost as much as both phases of the pretrained network: one pass over the
    images for the head phase, and one per epoch of the finetune phase. One pass alone would teach
    random weights nothing: compared with a fit that trains only the head, the epochs are left
    open too, and decided for random weights.
    """
    if decided.compare_epochs:
        return FinetuneConfig(epochs=decided.compare_epochs)
    if decided.finetune.epochs:
        return FinetuneConfig(epochs=decided.finetune.epochs + 1)
    return FinetuneConfig()


@dataclass(frozen=True)
class Comparison:
    """The scores of the two networks.

    Attributes:
        num_train: Number of training images, the same for both.
        epochs: Epochs of the network trained from scratch.
        split: Split on which they are compared.
        pretrained: Scores of the pretrained network on it.
        scratch: Scores of the network trained from scratch.
    """

    num_train: int
    epochs: int
    split: str
    pretrained: Summary
    scratch: Summary

    @property
    def gain(self) -> float:
        """Accuracy of the pretrained network minus that of the other, in [-1, 1]."""
        return self.pretrained.accuracy - self.scratch.accuracy

    @property
    def margin(self) -> float:
        """95% margin of error of the gain: two standard errors on these images."""
        num_examples = self.scratch.num_examples
        if not num_examples:
            return math.inf
        shares = [scores.accuracy for scores in (self.pretrained, self.scratch)]
        variance = sum(share * (1 - share) / num_examples for share in shares)
        return _STANDARD_ERRORS * math.sqrt(variance)

    @property
    def verdict(self) -> Literal["helped", "made no difference", "hurt"]:
        """Whether the gain exceeds its margin of error, and in which direction."""
        if abs(self.gain) <= self.margin:
            return "made no difference"
        return "helped" if self.gain > 0 else "hurt"

    def record(self) -> ComparisonRecord:
        """Returns the comparison as `metrics.json` stores it."""
        return ComparisonRecord(
            num_train=self.num_train,
            epochs=self.epochs,
            split=self.split,
            pretrained=self.pretrained,
            scratch=self.scratch,
            gain=round(self.gain, 6),
            margin=round(self.margin, 6),
            verdict=self.verdict,
        )

    def describe(self) -> str:
        """Returns the scores and the verdict as text."""
        points, margin = 100 * self.gain, 100 * self.margin
        gain = f"{points:+.1f} percentage points, 95% margin of error {margin:.1f}"
        verdict = {
            "helped": f"Pretraining helped: {gain}.",
            "hurt": f"Pretraining hurt: {gain}. Try --weights none, or another backbone.",
            "made no difference": f"Pretraining made no significant difference: {gain}.",
        }
        return "\n".join(
            [
                "",
                f"How much pretraining helped ({self.num_train:,} training images, "
                f"{self.split} accuracy on {self.scratch.num_examples:,} images):",
                f"  pretrained    {self.pretrained.accuracy:.4f}",
                f"  from scratch  {self.scratch.accuracy:.4f} after {self.epochs} epochs",
                verdict[self.verdict],
            ]
        )


def compare_with_scratch(
    asked: FitConfig, trained: Trained, interruptions: Interruptions, say: Say
) -> Comparison:
    """Trains the same network from random weights and compares the two.

    If `compare_examples` limits the training images, or the model was trained on validation, too,
    the pretrained network is trained again on as many. Both runs are stored inside the run's
    directory; neither is exported.

    Args:
        asked: The settings that the user gave.
        trained: The finished fit.
        interruptions: Signals received so far.
        say: Called with each progress message.

    Raises:
        InterruptionError: A signal was received; resuming the fit resumes the comparison.
        RunError: Training failed.
    """
    transfer = plan = trained.plan
    out_of_fold = trained.out_of_fold
    num_train = len(plan.source.splits["train"]) if out_of_fold is None else out_of_fold.num_train
    limit = plan.config.compare_examples or num_train
    near = plan.source.near_copies
    pretrained = trained.metrics
    if limit < num_train or out_of_fold is not None:
        transfer = _part_of_run(plan, make_plan(transfer_config(asked, limit), near), "transfer")
        say(f"\ncomparison: pretrained, {limit:,} training images")
        pretrained = _scores(transfer, interruptions, say)
    scratch = _part_of_run(plan, make_plan(scratch_config(transfer.config), near), "scratch")
    num_train = len(scratch.source.splits["train"])
    epochs = scratch.config.finetune.epochs
    say(f"\ncomparison: from scratch, {num_train:,} training images, {epochs} epochs")
    split = evaluation_split(pretrained.splits)
    return Comparison(
        num_train=num_train,
        epochs=epochs,
        split=split,
        pretrained=pretrained.splits[split],
        scratch=_scores(scratch, interruptions, say).splits[split],
    )


def _part_of_run(whole: Plan, plan: Plan, name: str) -> Plan:
    """Returns a plan whose run is a subdirectory of another run."""
    run = RunDirectory(whole.run.path / name)
    return dataclasses.replace(plan, run=run, config=dataclasses.replace(plan.config, run=name))


def _scores(plan: Plan, interruptions: Interruptions, say: Say) -> FitMetrics:
    """Returns the metrics of one side of the comparison, trained unless it is finished."""
    if plan.run.is_finished:  # the comparison was interrupted after it
        return read_metrics(plan.run)
    return train(plan, interruptions, say).metrics
