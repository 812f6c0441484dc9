"""The plan of a fit before its decisions: what a dry run says of them."""

import dataclasses

from tfxfer.config.schema import FitConfig
from tfxfer.planning.plan import Plan, make_plan
from tfxfer.ranking.decisions.augmenting import open_questions, with_recorded
from tfxfer.ranking.decisions.framing import COMPARED, noted, recorded_fit, share_in_question


def plan_in_words(asked: FitConfig) -> Plan:
    """Returns the plan of a dry run, whose notes say what was decided, or is still open.

    Nothing is computed: an interrupted run keeps its decisions.

    Args:
        asked: The settings that the user gave.
    """
    asked = recorded_fit(asked)
    plan = _framed(asked)
    if plan.run.is_interrupted:
        return with_recorded(plan)
    for kind in open_questions(plan, asked):
        plan = plan.with_note(kind.OPEN)
    return plan


def _framed(asked: FitConfig) -> Plan:
    """Returns a plan whose notes say how images are fitted, or that this is open."""
    plan = make_plan(asked)
    kept = share_in_question(plan, asked)
    if kept is None:
        return noted(plan)
    for fit in COMPARED:
        decided = make_plan(dataclasses.replace(asked, fit_images=fit))
        if decided.run.is_interrupted:
            return noted(decided)
    return plan.with_note(
        f"a crop would keep {kept:.0%} of an image on average: before training, heads on cropped "
        "and stretched images decide"
    )
