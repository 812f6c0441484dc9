"""A call that trains: what it has besides its settings, and what it returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import keras

from tfxfer.config.decided import DecidedTraining
from tfxfer.config.recipes import changed_to_toml, to_toml
from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.runs.directory import start_run
from tfxfer.runs.history import Rank
from tfxfer.runs.journal import Journal
from tfxfer.runs.metrics_record import read_metrics
from tfxfer.runs.places import note_places
from tfxfer.runs.versions import where_exported
from tfxfer.system.names import in_shell
from tfxfer.system.processes.team import is_first
from tfxfer.system.progress import Say
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.system.timing.clock import Clock


@dataclass(frozen=True)
class Session:
    """What a call has besides its settings.

    Attributes:
        interruptions: Signals received so far.
        say: Called with each progress message.
        callbacks: Keras callbacks, called in each phase that is trained by gradient steps.
        clock: Started with the call.
    """

    interruptions: Interruptions
    say: Say
    callbacks: Sequence[keras.callbacks.Callback] = ()
    clock: Clock = field(default_factory=Clock)


@dataclass(frozen=True)
class FitResult:
    """The results of a fit.

    Attributes:
        run: Directory of the run.
        model: The `.keras` file: RGB in [0, 255], or texts, in; probabilities out.
        export: Version directory of the SavedModel.
        metrics: Content of `metrics.json`.
    """

    run: Path
    model: Path
    export: Path
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class PretrainResult:
    """The results of a pretraining.

    Attributes:
        run: Directory of the run.
        backbone: The `.keras` file with the trained backbone.
        metrics: Content of `metrics.json`.
    """

    run: Path
    backbone: Path
    metrics: Mapping[str, Any]


class Classified(Protocol):
    """Data with classes."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes."""


class Planned(Protocol):
    """What a run of any kind has been decided to be."""

    @property
    def config(self) -> DecidedTraining:
        """All settings, decided."""

    @property
    def run(self) -> RunDirectory:
        """Where the results go."""

    @property
    def source(self) -> Classified:
        """The data."""


def start_or_resume(
    plan: Planned, session: Session, facts: Mapping[str, str], rank: Rank, asked: FitConfig | None
) -> Journal:
    """Finds the last checkpoint of a run, if it has one, and writes its settings.

    Of several processes the first writes them.

    Args:
        plan: The plan; its run is locked.
        session: The call.
        facts: Digests that must be those with which the run was started.
        rank: Sort key of an epoch.
        asked: The settings that the user gave; written only when the run is first started.

    Raises:
        RunError: The run was started on other data or weights, or cannot be written.
    """
    signals, say, callbacks = session.interruptions, session.say, session.callbacks
    journal = Journal(plan.run, plan.config, facts, signals, say, callbacks, rank=rank)
    session.clock.add_earlier(journal.budget.used_before)
    if is_first():
        asked_toml = None if asked is None else changed_to_toml(asked)
        start_run(plan.run, to_toml(plan.config), plan.source.class_names, asked_toml)
        note_places(plan.run, plan.config)
    return journal


def finished_fit(run: RunDirectory, export_dir: str, say: Say) -> FitResult:
    """Says that a run is finished already, and returns its results.

    Args:
        run: The run.
        export_dir: Folder of the exports, valid in the working directory.
        say: Called with the message.

    Raises:
        UsageError: The run was never exported.
    """
    say(f"The run '{run.path}' is already finished. To train again, use another --run.")
    metrics = read_metrics(run)
    if metrics.export is None:
        raise UsageError(
            f"The run '{run.path}' is finished, but was never exported. Export it with "
            f"`tfxfer export {in_shell(run.path)}`."
        )
    export = where_exported(metrics.export, export_dir)
    return FitResult(run.path, run.model, export, metrics.as_json())
