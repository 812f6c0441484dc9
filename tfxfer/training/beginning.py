"""The beginning that a fit and a pretraining share: a run that is ours, with its data open."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import keras

from tfxfer.config.recipes import changed_to_toml, to_toml
from tfxfer.config.schema import FitConfig
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.readability import Unreadable
from tfxfer.data.image.screening import open_images
from tfxfer.data.record import describe_skipped, record_data
from tfxfer.models.classifier import Classifier
from tfxfer.planning.plan import Plan, PretrainPlan
from tfxfer.runs.directory import start_run
from tfxfer.runs.failures import naming_trouble
from tfxfer.runs.journal import Journal
from tfxfer.runs.lock import locked
from tfxfer.runs.places import note_places
from tfxfer.system.progress import Clock, Say
from tfxfer.system.signals import Interruptions

AnyPlan = TypeVar("AnyPlan", Plan, PretrainPlan)


@dataclass(frozen=True)
class Session:
    """What a call brings along, beside its settings.

    Attributes:
        interruptions: What ends the work early.
        say: Takes each line for the person who watches.
        callbacks: Keras' own, which are told of each epoch that is trained by steps.
        clock: Runs from here on.
    """

    interruptions: Interruptions
    say: Say
    callbacks: Sequence[keras.callbacks.Callback] = ()
    clock: Clock = field(default_factory=Clock)


@dataclass(frozen=True)
class BegunRun(Generic[AnyPlan]):
    """A run that this process has begun, or goes on with.

    Attributes:
        plan: What is done.
        classifier: With the weights that it begins with.
        images: What is used of the data, by the names of the splits.
        skipped: What of the data is not used because it cannot be read.
        fingerprint: Of the data.
        journal: Of the run.
        clock: Of the call.
    """

    plan: AnyPlan
    classifier: Classifier
    images: dict[str, Images]
    skipped: list[Unreadable]
    fingerprint: str
    journal: Journal
    clock: Clock


@contextlib.contextmanager
def holding(plan: Plan | PretrainPlan, command: str) -> Iterator[None]:
    """Keeps other processes out of the run of a plan, and names what ends it.

    Args:
        plan: Whose run is held.
        command: "fit" or "pretrain".

    Raises:
        UsageError: Another process has the run.
        RunError: The directory cannot be made, or the memory or the disk is full.
        InterruptionError: A signal came; the message says how to go on.
    """
    with naming_trouble(plan.run, plan.config, command), locked(plan.run):
        yield


def begin_run(
    plan: AnyPlan, classifier: Classifier, session: Session, asked: FitConfig | None = None
) -> BegunRun[AnyPlan]:
    """Opens the images, finds where the run is, and writes down what it is of.

    Args:
        plan: What is done; its run is held.
        classifier: That of the plan, with the weights that it begins with.
        session: Of the call.
        asked: What the user asked for; written down as it was when the run was begun.

    Raises:
        DataError: An image cannot be read.
        RunError: The run was begun on something else, or cannot be written.
    """
    run, source = plan.run, plan.source
    images, skipped = open_images(source.splits, plan.config)
    for line in describe_skipped(run, skipped):
        session.say(line)
    fingerprint = source.fingerprint()
    facts = {"data": fingerprint, "weights": classifier.digest()}
    journal = Journal(
        run,
        plan.config,
        facts,
        session.interruptions,
        session.say,
        session.callbacks,
        rank=classifier.objective.rank,
    )
    asked_toml = None if asked is None else changed_to_toml(asked)
    start_run(run, to_toml(plan.config), source.class_names, asked_toml)
    note_places(run, plan.config)
    record_data(run, source, images, skipped)
    return BegunRun(plan, classifier, images, skipped, fingerprint, journal, session.clock)
