"""Fits that let heads decide before training, without export and report, which take longer."""

from functools import partial

from tfxfer.planning.plan import make_plan
from tfxfer.ranking.decisions.augmenting import with_augmentation
from tfxfer.ranking.decisions.recording import recorded
from tfxfer.system.isolation import isolated
from tfxfer.system.signals import Interruptions
from tfxfer.training.transfer import train


def trained_as_decided(config, kind, say=lambda _: None):
    """Trains; returns the run and its decision of a kind, None where nothing was in question."""
    plan = make_plan(config)
    with Interruptions() as interruptions:
        decide = partial(with_augmentation, asked=config, say=say)
        isolated(train)(plan, interruptions, say, decide=decide)
    return plan.run, recorded(plan.run, kind.FILE, kind.of_json)
