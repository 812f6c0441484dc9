"""What transfer was worth: a pretrained network against the same one from random weights."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

from tfxfer.config.decided import DecidedFit, reopened
from tfxfer.config.schema import FinetuneConfig, FitConfig, HeadConfig
from tfxfer.planning.plan import Plan, make_plan
from tfxfer.runs.metrics_record import (
    ComparisonRecord,
    FitMetrics,
    Summary,
    judging_split,
    read_metrics,
)
from tfxfer.system.progress import Say
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.training.transfer import Trained, train

# Two standard errors, the 95% interval of a normal distribution.
_STANDARD_ERRORS = 2.0


def transfer_config(asked: FitConfig, num_train: int) -> FitConfig:
    """Returns the settings that fit fewer training images; what was open is decided for them.

    Args:
        asked: What the user asked for, open settings included.
        num_train: How many training images.
    """
    return dataclasses.replace(asked, train_examples=num_train, run=None, compare_examples=None)


def scratch_config(decided: DecidedFit) -> FitConfig:
    """Returns the settings that train the same network on the same data from random weights.

    It has `compare_epochs` or, where that is open, as many passes over the images as the pretrained
    one. Rates, decay and clipping are those that the recipe has for random weights; all else is as
    decided.

    Args:
        decided: The settings of the pretrained network, all decided.
    """
    return reopened(
        decided,
        weights="none",
        run=None,
        compare_scratch=False,
        compare_examples=None,
        compare_epochs=None,
        head=HeadConfig(
            epochs=0,
            pooling=decided.head.pooling,
            hidden_units=decided.head.hidden_units,
            dropout=decided.head.dropout,
        ),
        finetune=_scratch_finetune(decided),
    )


def _scratch_finetune(decided: DecidedFit) -> FinetuneConfig:
    """Returns the finetune phase from random weights: its epochs, and all else open.

    Unless they are given, the epochs cost what the pretrained network's two phases do: the head
    phase one pass of the images through the network, the finetune phase one an epoch. One pass
    alone would teach random weights nothing: against a fit that trains only the head the epochs
    stay open, too, for the recipe to decide.
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
        num_train: Training images that both had.
        epochs: Epochs from random weights.
        split: The split on which they are compared.
        pretrained: How good the pretrained network is on it.
        scratch: How good the other is.
    """

    num_train: int
    epochs: int
    split: str
    pretrained: Summary
    scratch: Summary

    @property
    def gain(self) -> float:
        """The accuracy of the pretrained network less that of the other."""
        return self.pretrained.accuracy - self.scratch.accuracy

    @property
    def margin(self) -> float:
        """The difference that chance explains: two standard errors of the gain on these images."""
        num_examples = self.scratch.num_examples
        if not num_examples:
            return math.inf
        shares = [scores.accuracy for scores in (self.pretrained, self.scratch)]
        variance = sum(share * (1 - share) / num_examples for share in shares)
        return _STANDARD_ERRORS * math.sqrt(variance)

    @property
    def verdict(self) -> Literal["helped", "made no difference", "hurt"]:
        """What pretraining did, as far as the images of the split can tell."""
        if abs(self.gain) <= self.margin:
            return "made no difference"
        return "helped" if self.gain > 0 else "hurt"

    def record(self) -> ComparisonRecord:
        """Returns what is kept of the comparison."""
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
        """Returns the answer as a person reads it."""
        lines = [
            "",
            f"What transfer was worth ({self.num_train:,} training images, "
            f"{self.split} accuracy on {self.scratch.num_examples:,} images):",
            f"  pretrained    {self.pretrained.accuracy:.4f}",
            f"  from scratch  {self.scratch.accuracy:.4f} after {self.epochs} epochs",
        ]
        points, margin = 100 * self.gain, 100 * self.margin
        if self.verdict == "helped":
            lines.append(
                f"Pretraining helped: {points:+.1f} points, more than the {margin:.1f} that chance "
                "explains."
            )
        elif self.verdict == "hurt":
            lines.append(
                f"Pretraining did not help, it hurt: {points:+.1f} points, more than the "
                f"{margin:.1f} that chance explains. Try --weights none, or another backbone."
            )
        else:
            lines.append(
                f"Pretraining made no difference that these images show: {points:+.1f} points, "
                f"where chance explains {margin:.1f}."
            )
        return "\n".join(lines)


def compare_with_scratch(
    asked: FitConfig, trained: Trained, interruptions: Interruptions, say: Say
) -> Comparison:
    """Trains the same network from random weights, too, and compares the two.

    Where the comparison is on fewer training images, the pretrained network is trained on them too.
    The runs lie in the run's directory; nothing of them is exported.
    """
    transfer = plan = trained.plan
    num_train = len(plan.source.splits["train"])
    limit = plan.config.compare_examples or num_train
    pretrained = trained.metrics
    if limit < num_train:
        transfer = _part_of_run(plan, make_plan(transfer_config(asked, limit)), "transfer")
        say(f"\ncomparison: pretrained, on {limit:,} training images")
        pretrained = _scores(transfer, interruptions, say)
    scratch = _part_of_run(plan, make_plan(scratch_config(transfer.config)), "scratch")
    num_train = len(scratch.source.splits["train"])
    epochs = scratch.config.finetune.epochs
    say(f"\ncomparison: from random weights, on {num_train:,} images, {epochs} epochs")
    split = judging_split(pretrained.splits)
    return Comparison(
        num_train=num_train,
        epochs=epochs,
        split=split,
        pretrained=pretrained.splits[split],
        scratch=_scores(scratch, interruptions, say).splits[split],
    )


def _part_of_run(whole: Plan, plan: Plan, name: str) -> Plan:
    """Returns a plan whose run lies inside that of another."""
    run = RunDirectory(whole.run.path / name)
    return dataclasses.replace(plan, run=run, config=dataclasses.replace(plan.config, run=name))


def _scores(plan: Plan, interruptions: Interruptions, say: Say) -> FitMetrics:
    """Returns the metrics of a run that a comparison needs; it is trained unless it was before."""
    if plan.run.is_finished:  # the comparison was interrupted after it
        return read_metrics(plan.run)
    return train(plan, interruptions, say).metrics
