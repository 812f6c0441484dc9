"""How training images are changed, as far as heads decide it before anything is trained."""

from collections.abc import Callable
from typing import Any

from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.planning.plan import Plan
from tfxfer.ranking.decisions.heads import Heads
from tfxfer.ranking.decisions.mirroring import Mirroring
from tfxfer.ranking.decisions.recording import recorded
from tfxfer.ranking.decisions.warping import Warping
from tfxfer.system.files import write_json
from tfxfer.system.processes.team import current
from tfxfer.system.progress import Say
from tfxfer.training.transfer import PreparedFit

Decision = Mirroring | Warping
Kind = type[Mirroring] | type[Warping]

# In the order in which they are made.
_KINDS: tuple[Kind, ...] = (Mirroring, Warping)


def with_augmentation(fitting: PreparedFit, asked: FitConfig, say: Say) -> PreparedFit:
    """Returns a fit that augments images as heads decide, where the user left that open.

    Args:
        fitting: A fit that was started or resumed, before its head phase.
        asked: The settings that the user gave.
        say: Called with each progress message.

    Raises:
        InterruptionError: A signal was received.
    """
    before = fitting.run.plan
    if fitting.run.journal.found is not None:  # the decisions are those of before
        plan = with_recorded(before)
    else:
        plan = _decided(fitting, asked, say)
    return fitting if plan is before else fitting.with_plan(plan)


def with_recorded(plan: Plan) -> Plan:
    """Returns a plan as the decisions have it that its interrupted run has recorded."""
    for kind in _KINDS:
        of_json: Callable[[Any], Decision] = kind.of_json
        found = recorded(plan.run, kind.FILE, of_json)
        plan = plan if found is None else found.applied(plan)
    return plan


def open_questions(plan: Plan, asked: FitConfig) -> list[Kind]:
    """Returns the kinds of decisions that heads make before training.

    Args:
        plan: The plan of a fit.
        asked: The settings that the user gave.
    """
    config = plan.config
    trains_on_changed = config.finetune.epochs or config.head.augmented_views
    can_decide = (
        bool(trains_on_changed)
        and config.weights != "none"
        and config.head.pooling != "flatten"
        and "validation" in plan.source.splits
        and current().count == 1
    )
    return [kind for kind in _KINDS if kind.is_open(plan, asked)] if can_decide else []


def _decided(fitting: PreparedFit, asked: FitConfig, say: Say) -> Plan:
    """Returns the plan of a new fit as heads have it, which its run records."""
    plan = fitting.run.plan
    kinds = open_questions(plan, asked)
    if not kinds:
        return plan
    try:
        heads = Heads.of(fitting)
    except UsageError:  # too few images
        return plan
    for kind in kinds:
        found = kind.of(heads, plan)
        write_json(plan.run.decision(kind.FILE), found.as_json())
        changed = found.applied(plan)
        if changed is not plan:
            say(f"{found.sentence[0].upper()}{found.sentence[1:]}.\n")
        plan = changed
    return plan
