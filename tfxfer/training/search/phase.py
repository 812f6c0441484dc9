"""The search phase: several ways to fine-tune are trained, and validation chooses one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfxfer.config.recipes import setting_changes
from tfxfer.planning.description import describe_changes
from tfxfer.planning.portfolio import Portfolio, Way
from tfxfer.planning.wording import counted
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.history import Epochs
from tfxfer.runs.journal import BestWeights, Notes, PhaseSize
from tfxfer.runs.search.journals import TrialJournal
from tfxfer.runs.search.record import SearchRecord
from tfxfer.runs.search.trials import TrialRow, write_trials
from tfxfer.system.run_layout import RunDirectory
from tfxfer.training.activations import ActivationSource
from tfxfer.training.classifier_pair import Trainable
from tfxfer.training.epochs.state import generator_states
from tfxfer.training.phases import Materials
from tfxfer.training.search.choosing import Trial, choose, leader, next_way, optimism
from tfxfer.training.search.trial import Laboratory, Start, trials_as_state, trials_of_state


@dataclass(frozen=True)
class SearchOutcome:
    """Result of the search phase, besides the best weights.

    Attributes:
        source: The source of the classifier's outputs on each split; None if the search was left
            out, so that the default is still to be trained.
        start: Initial weights of the head for that finetune phase; None takes the best ones.
    """

    source: ActivationSource | None
    start: list[np.ndarray] | None


def search(
    given: Materials, portfolio: Portfolio, run: RunDirectory, start: list[np.ndarray] | None
) -> SearchOutcome:
    """Fine-tunes in several ways and keeps the best one, unless the run is past this phase.

    Each trial is the finetune phase of a run with the settings of its way. The choice is in
    `journal.notes.search`, its weights are in `journal.best`, its epochs in `journal.history`.

    Args:
        given: Materials of the fit, with the weights of the head phase in the journal.
        portfolio: The ways among which to choose.
        run: The run; its `trials.csv` is written.
        start: Initial weights of the head in each trial; None takes those of the head phase.

    Raises:
        InterruptionError: A signal was received; a checkpoint was saved.
    """
    journal = given.journal
    if journal.is_past("search"):
        record = journal.notes.search
        is_left_out = record is not None and record.is_left_out
        # The checkpoint of the finetune phase has the initial weights of the head.
        return SearchOutcome(None if is_left_out else _source_of_choice(given, portfolio), None)
    arrays = {"search_generators": generator_states(given.classifiers.trained.model)}
    if start is not None:
        arrays["search_start"] = start
    checkpoint = journal.begin("search", arrays)
    return _Search.resumed(given, portfolio, run, checkpoint).finish(checkpoint)


def _source_of_choice(given: Materials, portfolio: Portfolio) -> ActivationSource:
    """Returns the source of a finished search's classifier, and sets what it trained."""
    record = given.journal.notes.search
    ways = portfolio.all_ways
    way = next((way for way in ways if record and way.name == record.way), ways[0])
    return given.source(Trainable.of(way.finetune))


@dataclass
class _Search:
    """A search in progress.

    Attributes:
        kept: The best weights of the trial that leads; None if that is the head alone.
        kept_epochs: The epochs of that trial.
        is_left_out: Whether the time budget has no room for the search.
    """

    given: Materials
    portfolio: Portfolio
    run: RunDirectory
    laboratory: Laboratory
    trials: list[Trial]
    kept: list[np.ndarray] | None
    kept_epochs: Mapping[str, Any] | None
    is_left_out: bool

    @classmethod
    def resumed(
        cls, given: Materials, portfolio: Portfolio, run: RunDirectory, checkpoint: Checkpoint
    ) -> "_Search":
        """Returns the search of a checkpoint, without trials if it has just begun."""
        arrays, state = checkpoint.arrays, checkpoint.state
        model, best = given.classifiers.trained.model, given.journal.best
        weights = model.get_weights() if best is None else best.arrays
        generators = arrays.get("search_generators", [])
        laboratory = Laboratory(given, Start(weights, arrays.get("search_start"), generators))
        trials = trials_of_state(state, arrays)
        if len(trials) > 1:
            given.journal.say(f"resuming the search after {counted(len(trials) - 1, 'trial')}")
        is_left_out = state.get("left_out", False)
        kept, epochs = arrays.get("kept"), state.get("kept_epochs")
        return cls(given, portfolio, run, laboratory, trials, kept, epochs, is_left_out)

    def finish(self, checkpoint: Checkpoint) -> SearchOutcome:
        """Tries one way after the other, and keeps the best.

        Args:
            checkpoint: Where the search starts or resumes, maybe within a trial.
        """
        if not self.trials:
            self._begin()
        start = self.laboratory.start.head
        if self.is_left_out:
            self._leave_out()
            return SearchOutcome(None, start)
        way = next_way(self.portfolio, self.trials)
        while way is not None and not self.given.journal.budget.is_exhausted:
            self._try(way, checkpoint)
            checkpoint = Checkpoint({})
            way = next_way(self.portfolio, self.trials)
        return SearchOutcome(self._conclude(), start)

    def _begin(self) -> None:
        """Scores the head alone, and leaves the search out if it does not fit the time budget."""
        portfolio, journal = self.portfolio, self.given.journal
        head = self.laboratory.head_alone(portfolio.ways[0])
        self.trials.append(head)
        if journal.budget.is_limited and next_way(portfolio, self.trials):
            # The way that trains the most takes the longest.
            longest = (*portfolio.ways, *portfolio.deeper)[-1]
            training = self.laboratory.training(longest, self._new_journal(longest, Checkpoint({})))
            enough = PhaseSize(portfolio.epochs, training.batches.steps)
            self.is_left_out = training.affordable(portfolio.epochs) != enough
        self._save({}, {})
        self._write_rows()

    def _leave_out(self) -> None:
        """Says that the default is trained instead, and restores the state before the search."""
        journal = self.given.journal
        self.laboratory.restore()
        journal.notes.search = SearchRecord(
            self.portfolio.default.name, 0, 0, "the time budget has no room for it"
        )
        journal.say(f"search: {journal.notes.search.sentence}")

    def _try(self, way: Way, checkpoint: Checkpoint) -> None:
        """Trains a way, or what remains of it, and keeps its weights if it leads."""
        say, place = self.given.journal.say, len(self.trials)
        is_resumed = checkpoint.state.get("way") == way.name
        if not is_resumed:
            checkpoint = Checkpoint({"epoch": 0, "step": 0, "waited": 0})
            say(f"search: way {place}, {way.name}")
        journal = self._new_journal(way, checkpoint)
        trial = self.laboratory.run(way, journal, checkpoint, self.trials[0])
        self.trials.append(trial)
        if leader(self.trials) is trial and journal.best is not None:
            self.kept, self.kept_epochs = journal.best.arrays, journal.history.as_json()
        self._save({}, {})
        self._write_rows()
        say(_line(trial))

    def _new_journal(self, way: Way, checkpoint: Checkpoint) -> TrialJournal:
        """Returns the journal of a trial that starts or resumes."""
        given, state = self.given, checkpoint.state
        epochs = Epochs(given.classifiers.trained.objective.rank, given.journal.history.best)
        if "trial_epochs" in state:
            epochs.restore(state["trial_epochs"])

        def save(state: Mapping[str, Any], arrays: Mapping[str, list[np.ndarray]]) -> Checkpoint:
            more = {
                "way": way.name,
                "trial_epochs": journal.history.as_json(),
                "trial_notes": journal.notes.as_json(),
            }
            best = {} if journal.best is None else {"trial_best": journal.best.arrays}
            return self._save({**state, **more}, {**arrays, **best})

        best = checkpoint.arrays.get("trial_best")
        journal = TrialJournal(
            given.journal,
            epochs,
            save,
            None if best is None else BestWeights("model", best),
            Notes.of_json(state.get("trial_notes", {})),
        )
        return journal

    def _save(self, state: Mapping[str, Any], arrays: Mapping[str, list[np.ndarray]]) -> Checkpoint:
        """Saves a checkpoint with all trials so far, and the state of the current one."""
        start = self.laboratory.start
        facts, arrays_of_trials = trials_as_state(self.trials)
        ours = {"search_generators": start.generators, **arrays_of_trials}
        if start.head is not None:
            ours["search_start"] = start.head
        if self.kept is not None:
            ours["kept"] = self.kept
        known = {"trials": facts, "left_out": self.is_left_out, "kept_epochs": self.kept_epochs}
        return self.given.journal.write({**known, **state}, {**ours, **arrays})

    def _conclude(self) -> ActivationSource:
        """Notes the choice, says why, and leaves its weights and epochs in the journal."""
        journal, given = self.given.journal, self.given
        choice = choose(self.portfolio, self.trials)
        way = self.portfolio.head_alone if choice.way is None else choice.way
        changes = setting_changes(given.config, way.applied(given.config))
        changes.pop("effort", None)
        epochs = sum(trial.epochs for trial in self.trials)
        journal.notes.search = SearchRecord(
            way.name,
            len(self.trials) - 1,
            epochs,
            choice.reason,
            changes,
            optimism(self.trials, given.config.seed),
        )
        self._write_rows(way.name)
        journal.say(f"search: {journal.notes.search.sentence}")
        if self.kept is not None and self.kept_epochs is not None:
            journal.best = BestWeights("model", self.kept)
            chosen = Epochs(given.classifiers.trained.objective.rank)
            chosen.restore(self.kept_epochs)
            journal.history.adopt(chosen)
        source = self.laboratory.source(choice.way or self.portfolio.ways[0])
        given.classifiers.set_trainable(Trainable.of(way.finetune))
        given.note_trained()
        return source

    def _write_rows(self, chosen: str = "") -> None:
        """Writes `trials.csv`.

        Args:
            chosen: Name of the way that is chosen; empty before the choice.
        """
        ways = {way.name: way for way in self.portfolio.all_ways}
        rows = [
            _row(
                trial, ways[trial.way], "" if not chosen else "yes" if trial.way == chosen else "no"
            )
            for trial in self.trials
        ]
        write_trials(self.run, rows)


def _row(trial: Trial, way: Way, kept: str) -> TrialRow:
    return TrialRow(
        way=trial.way,
        unfreeze=way.finetune.unfreeze,
        learning_rate=way.finetune.learning_rate if trial.epochs else 0.0,
        augmentation=", ".join(describe_changes(way.augment)) if trial.epochs else "",
        epochs=trial.epochs,
        best_epoch=trial.best_epoch,
        validation_loss=round(trial.loss, 6),
        standard_error=round(trial.error, 6),
        accuracy=round(trial.accuracy, 6),
        seconds=trial.seconds,
        kept=kept,
    )


def _line(trial: Trial) -> str:
    """Returns the line on a finished trial."""
    if not math.isfinite(trial.loss):
        return f"search: {trial.way} diverged"
    if not trial.best_epoch:
        return f"search: no epoch of {trial.way} is better than the head alone"
    return (
        f"search: {trial.way} has a validation loss of {trial.loss:.4f} after temperature scaling "
        f"and an accuracy of {trial.accuracy:.4f} (epoch {trial.best_epoch})"
    )
