"""`--fit-images auto`: whether images are cropped or stretched, by what a head makes of both.

A crop to the center keeps the proportions, which suits photographs of one thing in the middle. It
also cuts off both ends of an oblong image, which may be what its class is told by: scratches on a
strip, an animal at the edge of a wide frame.
"""

import dataclasses
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tfxfer.config.frame import FitImages, sides
from tfxfer.config.schema import FitConfig
from tfxfer.data.contents import Integers
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.data.source import Source
from tfxfer.data.sources.sizes import shares_kept
from tfxfer.errors import DataError, UsageError
from tfxfer.planning.plan import Plan
from tfxfer.ranking.cross_validation import out_of_fold
from tfxfer.ranking.decisions.recording import recorded
from tfxfer.ranking.images import Pool
from tfxfer.ranking.judging.head_scores import HeadScores
from tfxfer.ranking.judging.losses import Losses, is_above_noise, losses_of
from tfxfer.ranking.ranking import NUM_FOLDS, saying_how_to_resume
from tfxfer.runs.places import settings_to_resume
from tfxfer.system.processes.team import current
from tfxfer.system.progress import Say
from tfxfer.system.run_layout import FRAMING, RunDirectory

# A crop is in question where it keeps less than this share of at least a tenth of the images. It
# keeps 0.75 of a photograph of 4:3 and 0.67 of one of 3:2, 0.56 of 16:9. Photographs lost by
# stretching; see benchmarks/README.md.
_KEPT, _PART = 0.6, 0.1

# Images are stretched where that lowers the loss of the head by more than a tenth, and by more than
# noise. On pictures of metal strips it was 28 to 44%; on
# photographs it rose. Below the last number, in nats, cropped images are classified already.
_CLEARLY, _SOLVED = 0.9, 0.01

COMPARED: tuple[FitImages, ...] = ("crop", "stretch")

# Most images that are compared: features of so many take seconds.
_MOST = {"train": 2_000, "validation": 500}


@dataclass(frozen=True)
class Framing:
    """How images are fitted into the model's input, and why.

    Attributes:
        fit: "crop" or "stretch".
        kept: Mean share of an image's area that a crop keeps.
        losses: Cross-validated loss of the head by how images are fitted.
        loss: What it is called.
    """

    fit: FitImages
    kept: float
    losses: Mapping[FitImages, float]
    loss: str = "log loss"

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns what `as_json` wrote."""
        return cls(content["fit_images"], content["kept"], content["losses"], content["loss"])

    def as_json(self) -> dict[str, Any]:
        """Returns its content in `framing.json`."""
        losses = {fit: round(loss, 6) for fit, loss in self.losses.items()}
        kept = round(self.kept, 4)
        return {"fit_images": self.fit, "kept": kept, "losses": losses, "loss": self.loss}

    @property
    def sentence(self) -> str:
        """The decision in words.

        Examples:
            >>> Framing("stretch", 0.55, {"crop": 0.41, "stretch": 0.28}).sentence
            'images are stretched: a crop would keep 55% of an image on average, and the log loss \
of a cross-validated head is 0.2800 in place of 0.4100'
        """
        crop, stretch = (f"{self.losses[fit]:.4f}" for fit in COMPARED)
        share, loss = f"{self.kept:.0%} of an image on average", f"{self.loss} of a cross-validated"
        if self.fit == "crop":
            return (
                f"images are cropped, which keeps {share}: the {loss} head is {crop}, and "
                f"{stretch} where they are stretched, which is not clearly better"
            )
        return (
            f"images are stretched: a crop would keep {share}, and the {loss} head is {stretch} in "
            f"place of {crop}"
        )


def framing_of(plan: Plan, asked: FitConfig, say: Say) -> Framing | None:
    """Returns how images are best fitted; None where that is not in question.

    The decision of a run that the user named is kept. Features are cached, and the head phase uses
    those of the better fit again.

    Args:
        plan: The plan of a fit that crops.
        asked: The settings that the user gave.
        say: Called with each progress message.

    Raises:
        InterruptionError: A signal was received.
    """
    kept = share_in_question(plan, asked)
    if kept is None:
        return None
    say(
        f"A crop would keep {kept:.0%} of an image on average: heads on cropped and stretched "
        "images decide."
    )
    heads: dict[FitImages, _Head] = {}
    try:
        with saying_how_to_resume():
            for fit in COMPARED:
                heads[fit] = _Head.of(plan, asked.with_settings({"fit_images": fit}))
    except UsageError:  # for folds
        say("There are too few images to compare: they are cropped.\n")
        return None
    except DataError:  # some are unreadable: the fit opens all images, and names all of those
        return None
    found = Framing(
        "stretch" if heads["crop"].is_clearly_worse_than(heads["stretch"]) else "crop",
        kept,
        {fit: head.loss for fit, head in heads.items()},
        "Huber loss" if plan.source.has_numbers else "log loss",
    )
    say(f"{found.sentence[0].upper()}{found.sentence[1:]}.\n")
    return found


def share_in_question(plan: Plan, asked: FitConfig) -> float | None:
    """Returns the share of an image that a crop keeps; None if that is settled, or enough."""
    if asked.fit_images != "auto" or plan.config.weights == "none" or current().count > 1:
        return None
    kept = shares_kept(plan.source.splits["train"], *sides(plan.config.input_size))
    return float(kept.mean()) if np.mean(kept < _KEPT) >= _PART else None


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class _Head:
    """A cross-validated head on the images of a plan.

    Attributes:
        loss: Mean loss of a label.
        losses: Loss of each image, (num_examples,).
        units: What each cannot be separated from; see `Labeled`.
    """

    loss: float
    losses: Losses
    units: Integers

    @classmethod
    def of(cls, plan: Plan, asked: FitConfig) -> Self:
        """Returns the head on images that are fitted as asked."""
        asked = dataclasses.replace(asked, target=plan.config.target)
        pool = Pool(asked, NUM_FOLDS, _some_of(plan.source))
        with naming_unreadable_images(*pool.source.splits.values()):
            features = pool.features_of(plan.backbone, plan.config.weights)
        labeled = pool.labeled  # without what is unreadable
        outputs = out_of_fold(features, labeled)
        losses = losses_of(outputs, labeled.labels, labeled.objective)
        return cls(HeadScores.of(outputs, labeled).log_loss, losses, labeled.units)

    def is_clearly_worse_than(self, other: Self) -> bool:
        """Tells whether the loss is higher by more than a tenth, and than noise."""
        if self.loss < _SOLVED or other.loss > _CLEARLY * self.loss:
            return False
        return is_above_noise(self.losses - other.losses, self.units)


def _some_of(source: Source) -> Source:
    """Returns a source with as many training and validation images as are compared."""
    splits = dict(source.splits)
    for name, most in _MOST.items():
        if (count := len(splits[name])) > most:
            splits[name] = splits[name].select(np.linspace(0, count - 1, most).astype(np.int64))
    return dataclasses.replace(source, splits=splits)


def recorded_fit(asked: FitConfig) -> FitConfig:
    """Returns settings that fit images as the interrupted run does that the user named, if any."""
    if asked.fit_images != "auto" or asked.run is None:
        return asked
    run = RunDirectory(pathlib.Path(asked.runs_dir, asked.run))
    if not run.is_interrupted:
        return asked
    return dataclasses.replace(asked, fit_images=settings_to_resume(run, FitConfig).fit_images)


def noted(plan: Plan, framing: Framing | None = None) -> Plan:
    """Returns a plan whose notes say how images are fitted, if that was decided.

    Args:
        plan: The plan of a fit.
        framing: What was decided; None takes what the run has recorded, if anything.
    """
    if framing is None:
        framing = recorded(plan.run, FRAMING, Framing.of_json)
    return plan if framing is None else plan.with_note(framing.sentence)
