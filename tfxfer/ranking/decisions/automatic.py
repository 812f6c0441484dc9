"""What a fit lets a ranking decide: its backbone, and whether the head reads all stages."""

import contextlib
import dataclasses
import math
import pathlib
from typing import Any

from tfxfer.config.schema import AUTO, FitConfig
from tfxfer.errors import RunError, UsageError
from tfxfer.planning.plan import Plan
from tfxfer.planning.preflight import check_asked
from tfxfer.ranking.candidates import Limits, choose_candidates
from tfxfer.ranking.decisions.recording import recorded
from tfxfer.ranking.folding.heads import head_scores, labeled_images
from tfxfer.ranking.images import Pool
from tfxfer.ranking.judging.head_scores import HeadScores
from tfxfer.ranking.ranking import (
    NUM_FOLDS,
    describe_ranking,
    rank_backbones,
    saying_how_to_resume,
)
from tfxfer.ranking.result import Ranking
from tfxfer.runs.metrics_record import read_metrics
from tfxfer.runs.places import settings_to_resume
from tfxfer.system.files import write_json
from tfxfer.system.progress import Say
from tfxfer.system.run_layout import STAGES, RunDirectory
from tfxfer.training.classifier_pair import ClassifierPair
from tfxfer.training.epochs.session import Session
from tfxfer.training.transfer import PreparedFit, train

# The word for every stage, in `head.stages`.
ALL = "all"

# Above this cross-entropy, early stages are tried; that of `portfolio` for deeper fine-tuning.
_MUCH_TO_GAIN = 0.25

# Share of the time budget that a head on the last stage, and one on all, is fine-tuned in.
_SHARE_OF_PART = 0.1

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


def with_best_stages(fitting: PreparedFit, session: Session) -> PreparedFit:
    """Returns a fit whose head reads all stages, if a thorough search finds that better.

    Two linear heads on features are cross-validated on training and validation images, before
    anything is trained. If the head on the last stage leaves much to gain, and that on all stages
    is significantly more accurate, both are fine-tuned once: fine-tuning can make up for what the
    last stage has lost. The lower validation loss decides.

    Args:
        fitting: A fit that was started or resumed.
        session: The call.

    Raises:
        InterruptionError: A signal was received.
        RunError: What a resumed run has recorded cannot be read.
    """
    plan, is_resumed = fitting.run.plan, fitting.run.journal.found is not None
    if not _may_read_all(plan):
        return fitting
    if not is_resumed:
        with contextlib.suppress(UsageError):  # too few images, or too many for the memory
            write_json(plan.run.decision(STAGES), _compared(fitting, session))
    stages = recorded_stages(plan.run)
    return _reading_all(fitting) if stages == ALL else fitting


def recorded_stages(run: RunDirectory) -> str | None:
    """Returns what stages the head of a run reads, as was decided; None where it was not.

    Raises:
        RunError: It was decided, but the record cannot be read.
    """
    stages = recorded(run, STAGES, lambda content: str(content["stages"]))
    record = run.decision(STAGES)
    if stages is None and record.exists():
        raise RunError(
            f"'{record}', which says what stages the head of this run reads, cannot be read. The "
            "run cannot be resumed; start another one with --run NAME."
        )
    return stages


def _may_read_all(plan: Plan) -> bool:
    """Returns whether a search may decide what the head reads: the user left it open."""
    config, source = plan.config, plan.source
    head = config.head
    return (
        plan.portfolio is not None
        and config.effort == "thorough"
        and head.stages is None
        and head.optimizer == "lbfgs"
        and head.pooling != "flatten"
        and not (config.ordered or source.special)
    )


def _compared(fitting: PreparedFit, session: Session) -> dict[str, Any]:
    """Returns the scores of heads on the last stage and on all, and which one is to be used."""
    labeled = labeled_images(fitting.materials, NUM_FOLDS)
    last = head_scores(fitting.materials, labeled)
    found: dict[str, Any] = {"stages": None, "last": _as_json(last)}
    if last.log_loss <= _MUCH_TO_GAIN:
        return found
    reading_all = _reading_all(fitting)
    together = head_scores(reading_all.materials, labeled)
    found["all"] = _as_json(together)
    is_better = last.is_worse_than(together, labeled)
    outcome = "both are fine-tuned once" if is_better else "not a significant gain"
    session.say(
        f"head: accuracy in {NUM_FOLDS}-fold cross-validation {last.metric:.4f} on the last "
        f"stage, {together.metric:.4f} on all stages: {outcome}\n"
    )
    if not is_better:
        return found
    losses = {
        name: _loss_of_part(one.run.plan, f"stages-{name}", session)
        for name, one in (("last", fitting), (ALL, reading_all))
    }
    best = min(losses, key=lambda name: losses[name])
    session.say(
        f"\nhead: reads {'all stages' if best == ALL else 'the last stage'}; validation loss after "
        f"fine-tuning {losses['last']:.4f} on the last stage, {losses[ALL]:.4f} on all stages\n"
    )
    return found | {"fine_tuned": losses, "stages": ALL if best == ALL else None}


def _loss_of_part(plan: Plan, name: str, session: Session) -> float:
    """Returns the validation loss of a single fine-tuning, in a run inside the run of a plan."""
    minutes = plan.config.max_minutes
    changes = {
        **{"run": name, "effort": "quick", "find_rate": False, "folds": 0},
        "folds_finetune": False,
        "max_minutes": None if minutes is None else _SHARE_OF_PART * minutes,
    }
    run, config = RunDirectory(plan.run.path / name), plan.config.with_settings(changes)
    part = dataclasses.replace(plan, run=run, config=config, portfolio=None)
    if not run.is_finished:  # else the comparison was interrupted after it
        session.say(f"\nhead: {name}\n")
        train(part, session.interruptions, session.say)
    loss = read_metrics(run).splits["validation"].loss
    return math.inf if loss is None else loss


def _as_json(scores: HeadScores) -> dict[str, Any]:
    return {
        "accuracy": round(scores.metric, 6),
        "interval": [round(limit, 6) for limit in scores.interval],
        "log_loss": round(scores.log_loss, 6),
    }


def _reading_all(fitting: PreparedFit) -> PreparedFit:
    """Returns the same fit with a new classifier, whose head reads all stages.

    Raises:
        UsageError: The backbone has no other stages that can be read.
    """
    plan = fitting.run.plan
    plan = dataclasses.replace(plan, config=plan.config.with_settings({"head": {"stages": ALL}}))
    classifier = plan.build_classifier(plan.config.weights)
    pair = ClassifierPair.of(plan, classifier)
    return PreparedFit(
        dataclasses.replace(fitting.run, plan=plan, classifier=classifier),
        dataclasses.replace(fitting.materials, config=plan.config, classifiers=pair),
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
