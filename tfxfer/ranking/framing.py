"""`--fit-images auto`: whether images are cropped or stretched, by what a head makes of both.

A crop to the center keeps the proportions, which suits photographs of one thing in the middle. It
also cuts off both ends of an oblong image, which may be what its class is told by: scratches on a
strip, an animal at the edge of a wide frame.
"""

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tfxfer.config.frame import FitImages, sides
from tfxfer.config.schema import FitConfig
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.data.sources.sizes import shares_kept
from tfxfer.errors import UsageError
from tfxfer.models.classifier import build_classifier
from tfxfer.planning.plan import Plan
from tfxfer.ranking.cross_validation import out_of_fold
from tfxfer.ranking.images import Pool
from tfxfer.ranking.judging.head_scores import HeadScores
from tfxfer.ranking.ranking import NUM_FOLDS, saying_how_to_resume
from tfxfer.runs.places import settings_to_resume
from tfxfer.system.processes.team import current
from tfxfer.system.progress import Say
from tfxfer.system.run_layout import RunDirectory
from tfxfer.training.features import FeatureFunction

# A crop is in question where it keeps less than this share of at least a tenth of the images. It
# keeps 0.75 of a photograph of 4:3 and 0.67 of one of 3:2, 0.56 of 16:9. Photographs lost by
# stretching; see benchmarks/README.md.
_KEPT, _PART = 0.6, 0.1

# Images are stretched where that lowers the log loss of the head by more than a tenth. It was 16 to
# 31% on strips of metal; on photographs and square images it rose.
_CLEARLY = 0.9

# Most images that are compared: features of so many take seconds.
_MOST = {"train": 2_000, "validation": 500}


@dataclass(frozen=True)
class Framing:
    """How images are fitted into the model's input, and why.

    Attributes:
        fit: "crop" or "stretch".
        kept: Mean share of an image's area that a crop keeps.
        losses: Cross-validated log loss of the head, in nats, by how images are fitted.
    """

    fit: FitImages
    kept: float
    losses: Mapping[str, float]

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns what `as_json` wrote."""
        return cls(content["fit_images"], content["kept"], content["log_loss"])

    def as_json(self) -> dict[str, Any]:
        """Returns its content in `framing.json`."""
        losses = {fit: round(loss, 6) for fit, loss in self.losses.items()}
        return {"fit_images": self.fit, "kept": round(self.kept, 4), "log_loss": losses}

    @property
    def sentence(self) -> str:
        """The decision in words.

        Examples:
            >>> Framing("stretch", 0.55, {"crop": 0.41, "stretch": 0.28}).sentence
            'images are stretched: a crop would keep 55% of an image on average, and the log loss \
of a cross-validated head is 0.2800 in place of 0.4100'
        """
        crop, stretch = (f"{self.losses[fit]:.4f}" for fit in ("crop", "stretch"))
        if self.fit == "crop":
            return (
                f"images are cropped, which keeps {self.kept:.0%} of an image on average: the log "
                f"loss of a cross-validated head is {crop}, and {stretch} where they are stretched"
            )
        return (
            f"images are stretched: a crop would keep {self.kept:.0%} of an image on average, and "
            f"the log loss of a cross-validated head is {stretch} in place of {crop}"
        )


def announced(plan: Plan, asked: FitConfig) -> Plan:
    """Returns the plan of a dry run, whose notes say if how images are fitted is still open.

    Args:
        plan: The plan of a fit that crops.
        asked: The settings that the user gave.
    """
    kept = _share_in_question(plan, asked)
    if kept is None:
        return plan
    return _with_note(
        plan,
        f"a crop would keep {kept:.0%} of an image on average: before training, heads on cropped "
        "and stretched images decide",
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
        DataError: An image is unreadable.
        InterruptionError: A signal was received.
    """
    kept = _share_in_question(plan, asked)
    if kept is None:
        return None
    say(
        f"A crop would keep {kept:.0%} of an image on average: heads on cropped and stretched "
        "images decide."
    )
    losses: dict[str, float] = {}
    with contextlib.suppress(UsageError), saying_how_to_resume():  # too few images for folds
        for fit in ("crop", "stretch"):
            losses[fit] = _loss(plan, dataclasses.replace(asked, fit_images=fit))
        clearly = losses["stretch"] < _CLEARLY * losses["crop"]
        found = Framing("stretch" if clearly else "crop", kept, losses)
        say(f"{found.sentence[0].upper()}{found.sentence[1:]}.\n")
        return found
    say("There are too few images to compare: they are cropped.\n")
    return None


def _share_in_question(plan: Plan, asked: FitConfig) -> float | None:
    """Returns the share of an image that a crop keeps; None if that is settled, or enough."""
    if asked.fit_images != "auto" or plan.config.weights == "none" or current().count > 1:
        return None
    kept = shares_kept(plan.source.splits["train"], *sides(plan.config.input_size))
    return float(kept.mean()) if np.mean(kept < _KEPT) >= _PART else None


def _loss(plan: Plan, asked: FitConfig) -> float:
    """Returns the cross-validated log loss of the head on images that are fitted as asked."""
    splits = plan.source.splits
    limits = {f"{name}_examples": most for name, most in _MOST.items() if len(splits[name]) > most}
    pool = Pool(asked.with_settings(limits), NUM_FOLDS)
    config = pool.decided(plan.backbone, plan.config.weights)
    num_classes, objective = pool.labeled.num_classes, pool.labeled.objective
    classifier = build_classifier(
        plan.backbone, config, config.head, config.weights, num_classes, objective
    )
    function = FeatureFunction.of(classifier.features, config, classifier.reading.name)
    with naming_unreadable_images(*pool.source.splits.values()):
        features = pool.features(function, config)
    return HeadScores.of(out_of_fold(features, pool.labeled), pool.labeled).log_loss


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
    if framing is None and plan.run.framing.is_file():
        framing = Framing.of_json(json.loads(plan.run.framing.read_text("utf-8")))
    return plan if framing is None else _with_note(plan, framing.sentence)


def _with_note(plan: Plan, note: str) -> Plan:
    source = dataclasses.replace(plan.source, notes=(*plan.source.notes, note))
    return dataclasses.replace(plan, source=source)
