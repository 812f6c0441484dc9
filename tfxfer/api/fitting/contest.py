"""`fit --backbone auto --effort thorough`: the best two backbones are fine-tuned, one is kept.

A ranking compares frozen backbones, and fine-tuning may change the order of the first two.
"""

import dataclasses
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import keras

from tfxfer.config.recipes import to_toml
from tfxfer.config.schema import AUTO, FitConfig
from tfxfer.errors import InterruptionError
from tfxfer.planning.plan import Plan, make_plan
from tfxfer.ranking.decisions.augmenting import with_augmentation
from tfxfer.ranking.result import Ranking
from tfxfer.runs.metrics_record import read_metrics
from tfxfer.runs.places import settings_to_resume
from tfxfer.runs.scores.summary import Summary
from tfxfer.system.digests import key_of
from tfxfer.system.progress import Say
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.training.preparation import holding
from tfxfer.training.transfer import train

# Share of the time budget that each of them is fine-tuned in; the search has the rest.
_SHARE = 0.15

# What these fits leave out: they are compared on validation, and nothing else is asked of them.
_LEFT_OUT = (
    *("run", "unknown", "unknown_rate", "coverage", "folds", "folds_finetune"),
    *("find_rate", "calibrate"),
    *("compare_scratch", "compare_examples", "compare_epochs"),
)


def with_better_of_two(
    asked: FitConfig,
    config: FitConfig,
    ranking: Ranking | None,
    interruptions: Interruptions,
    say: Say,
) -> tuple[FitConfig, Ranking | None]:
    """Returns the settings of a thorough search with the better of a ranking's first two.

    Each is fine-tuned once, as `effort quick` does, in a run of its own; the one with the lower
    validation loss is kept. Repeating the command of an interrupted fit resumes these runs.

    Args:
        asked: The settings that the user gave.
        config: The same with the best backbone of the ranking.
        ranking: The ranking, if there was one.
        interruptions: Signals received so far.
        say: Called with each progress message.

    Raises:
        InterruptionError: A signal was received.
        RunError: Data, weights or training failed; the message says what.
    """
    if asked.backbone != AUTO or asked.effort != "thorough" or config.max_minutes is None:
        return config, ranking
    if ranking is None:  # a run that has its backbone, and its budget
        before = settings_to_resume(RunDirectory(Path(asked.runs_dir, str(asked.run))), FitConfig)
        return dataclasses.replace(config, max_minutes=before.max_minutes), None
    names = [one.backbone for one in ranking.backbones[:2]]
    if len(names) < 2:
        return config, ranking
    minutes, found = _SHARE * config.max_minutes, {}
    for name in names:
        say(f"\nauto: {name} is fine-tuned once\n")
        one = dataclasses.replace(config, backbone=name, effort="quick", max_minutes=minutes)
        found[name] = _scores(one, interruptions, say)
    best = min(names, key=lambda name: _loss(found[name]))
    say(f"\nauto: {_sentence(found, best)}\n")
    left = config.max_minutes - minutes * len(names)
    return (
        dataclasses.replace(config, backbone=best, max_minutes=left),
        dataclasses.replace(ranking, fine_tuned=_sentence(found, best)),
    )


def _plan(config: FitConfig) -> Plan:
    """Returns the plan of a fit in a directory that its settings and data decide."""
    defaults = {name: getattr(FitConfig(), name) for name in _LEFT_OUT}
    plan = make_plan(dataclasses.replace(config, **defaults))
    settings = dataclasses.replace(plan.config, run=None)
    key = key_of({"settings": to_toml(settings), "data": plan.source.fingerprint()})
    run = RunDirectory(plan.run.path.parent / f"auto-{key[:8]}")
    settings = dataclasses.replace(settings, run=run.path.name)
    return dataclasses.replace(plan, run=run, config=settings)


def _scores(asked: FitConfig, interruptions: Interruptions, say: Say) -> Summary:
    """Returns the validation scores of a fit, which is trained unless it is finished."""
    plan = _plan(asked)
    if plan.run.is_finished:
        return read_metrics(plan.run).splits["validation"]
    decide = partial(with_augmentation, asked=asked, say=say)
    try:
        with holding(plan, "fit"):
            found = train(plan, interruptions, say, decide=decide).metrics.splits["validation"]
    except InterruptionError as error:
        raise InterruptionError(
            error.number,
            "Interrupted while the best two backbones are compared. Repeat the command to resume.",
        ) from None
    keras.backend.clear_session()  # the next may be as large as the memory
    return found


def _loss(scores: Summary) -> float:
    return math.inf if scores.loss is None else scores.loss


def _sentence(found: Mapping[str, Summary], best: str) -> str:
    """Returns which backbone is kept, and why."""
    losses = ", ".join(f"{name} {_loss(one):.4f}" for name, one in found.items())
    return f"Fine-tuned once, {best} has the lower validation loss ({losses})."
