"""The start that `fit` and `pretrain` share: a locked run with its images open."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from tfxfer.config.schema import FitConfig
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.readability import Unreadable
from tfxfer.data.image.screening import open_images
from tfxfer.data.record import describe_skipped, record_data
from tfxfer.models.classifier import Classifier
from tfxfer.planning.plan import Plan, PretrainPlan
from tfxfer.runs.failures import describing_failures
from tfxfer.runs.journal import Journal
from tfxfer.runs.lock import locked
from tfxfer.runs.metrics_record import BestEpoch, DataRecord, FitMetrics, Parameters
from tfxfer.system.processes.agreeing import check_same
from tfxfer.system.processes.team import is_first
from tfxfer.system.timing.clock import Clock
from tfxfer.training.epochs.session import Session, start_or_resume

AnyPlan = TypeVar("AnyPlan", Plan, PretrainPlan)


@dataclass(frozen=True)
class PreparedRun(Generic[AnyPlan]):
    """A run that this process has started or resumed.

    Attributes:
        plan: The plan of the run.
        classifier: The classifier with its initial weights.
        images: The readable images of each split, by name.
        skipped: The images left out because they are unreadable.
        fingerprint: Digest of the data.
        journal: Journal of the run.
        clock: Clock of the call.
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
    """Locks the run of a plan and turns failures inside into messages that say what to do.

    Args:
        plan: The plan whose run is locked.
        command: "fit" or "pretrain".

    Raises:
        UsageError: Another process is working on the run.
        RunError: The directory cannot be created, or memory or disk are full.
        InterruptionError: A signal was received; the message says how to resume.
    """
    with describing_failures(plan.run, plan.config, command), locked(plan.run):
        yield


def prepare_run(
    plan: AnyPlan, classifier: Classifier, session: Session, asked: FitConfig | None = None
) -> PreparedRun[AnyPlan]:
    """Opens the images, finds the last checkpoint of the run, and writes its settings.

    Args:
        plan: The plan; its run is locked.
        classifier: The classifier of the plan with its initial weights.
        session: The call.
        asked: The settings that the user gave; written only when the run is first started.

    Raises:
        DataError: An image is unreadable.
        UsageError: Another process has other data or weights.
        RunError: The run was started on other data or weights, or cannot be written.
    """
    run, source = plan.run, plan.source
    images, skipped = open_images(source.splits, plan.config)
    for line in describe_skipped(run, skipped):
        session.say(line)
    fingerprint = source.fingerprint()
    facts = {"data": fingerprint, "weights": classifier.digest()}
    check_same({f"digest of the {what}": digest for what, digest in facts.items()})
    journal = start_or_resume(plan, session, facts, classifier.objective.rank, asked)
    if is_first():
        record_data(run, source, images, skipped)
    return PreparedRun(plan, classifier, images, skipped, fingerprint, journal, session.clock)


def metrics_of_run(run: PreparedRun[Plan]) -> FitMetrics:
    """Returns what the metrics of a run say besides its scores."""
    opened, notes, best = run.plan.source, run.journal.notes, run.journal.history.best
    return FitMetrics(
        best=BestEpoch(best.phase, best.epoch) if best else None,
        data=DataRecord(opened.name, run.fingerprint, list(opened.notes)),
        num_classes=len(opened.class_names),
        parameters=Parameters(run.classifier.num_parameters(), notes.num_trained),
        skipped=dict(Counter(one.split for one in run.skipped)),
        penalty=notes.penalty,
        start_penalty=notes.start_penalty,
        search=notes.search,
        average=notes.average,
    )
