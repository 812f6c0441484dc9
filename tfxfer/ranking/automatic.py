"""`fit --backbone auto`: the backbone is the best of a ranking."""

import dataclasses
import pathlib

from tfxfer.config.schema import AUTO, FitConfig
from tfxfer.planning.preflight import check_asked
from tfxfer.ranking.candidates import Limits, choose_candidates
from tfxfer.ranking.images import Pool
from tfxfer.ranking.ranking import (
    NUM_FOLDS,
    describe_ranking,
    rank_backbones,
    saying_how_to_resume,
)
from tfxfer.ranking.result import Ranking
from tfxfer.runs.places import settings_to_resume
from tfxfer.system.progress import Say
from tfxfer.system.run_layout import RunDirectory

# Share of the time budget for the ranking; training has the rest.
_SHARE = 0.2


def with_best_backbone(asked: FitConfig, say: Say) -> tuple[FitConfig, Ranking | None]:
    """Returns settings with a backbone, and the ranking if there was one.

    Scores do not depend on the time of day: repeating the command of an interrupted run chooses the
    same backbone again, from cached features. A run that was named keeps its backbone.

    Args:
        asked: The settings that the user gave.
        say: Called with each progress message.

    Raises:
        UsageError: A setting needs a backbone with a name, or there are too few images.
        DataError: The data cannot be used.
    """
    if asked.backbone != AUTO:
        return asked, None
    check_asked(asked)
    config, limits = _divided(asked)
    before = _backbone_of_run(asked)
    if before is not None:
        return dataclasses.replace(config, backbone=before), None
    with saying_how_to_resume():
        ranking = rank_backbones(config, choose_candidates([], limits), limits, say)
    say(f"\n{ranking.describe()}\n")
    return dataclasses.replace(config, backbone=ranking.best.backbone), ranking


def describe_automatic(asked: FitConfig) -> str:
    """Returns the plan of a fit whose backbone is still to be chosen, as text.

    Args:
        asked: The settings that the user gave, with backbone "auto".

    Raises:
        UsageError: A setting needs a backbone with a name, or there are too few images.
        DataError: The data cannot be used.
    """
    check_asked(asked)
    config, limits = _divided(asked)
    lines = describe_ranking(Pool(config, NUM_FOLDS), choose_candidates([], limits), limits)
    return "\n".join(
        [
            *lines,
            "",
            "The best of them is then trained. The plan of its training depends on the backbone: "
            "give its name with --backbone to see it.",
        ]
    )


def _divided(asked: FitConfig) -> tuple[FitConfig, Limits]:
    """Returns the settings with the time budget of training, and the limits of the ranking."""
    if asked.max_minutes is None:
        return asked, Limits()
    training = dataclasses.replace(asked, max_minutes=(1 - _SHARE) * asked.max_minutes)
    return training, Limits(max_minutes=_SHARE * asked.max_minutes)


def _backbone_of_run(asked: FitConfig) -> str | None:
    """Returns the backbone of the run that the user named, if it exists."""
    if asked.run is None:
        return None
    run = RunDirectory(pathlib.Path(asked.runs_dir, asked.run))
    return settings_to_resume(run, FitConfig).backbone if run.config.is_file() else None
