"""The search phase: several ways to fine-tune are trained, and validation chooses one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfxfer.config.recipes import setting_changes
from tfxfer.planning.portfolio import Portfolio, Way
from tfxfer.planning.wording import counted
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.history import Epochs
from tfxfer.runs.journal import BestWeights, Notes, PhaseSize
from tfxfer.runs.search.journals import TrialJournal
from tfxfer.runs.search.record import SearchRecord
from tfxfer.runs.search.trials import write_trials
from tfxfer.system.run_layout import RunDirectory
from tfxfer.training.activations import ActivationSource
from tfxfer.training.classifier_pair import Trainable
from tfxfer.training.epochs.best_weights import say_what_is_best
from tfxfer.training.epochs.state import generator_states
from tfxfer.training.phases import Materials
from tfxfer.training.search.averages import AveragedTrials, average_trials, evaluated_way
from tfxfer.training.search.choosing import Trial, choose, leader, next_way, optimism
from tfxfer.training.search.telling import line_of, row_of
from tfxfer.training.search.trial import Laboratory, Start, trials_as_state, trials_of_state

# The arrays of a checkpoint with the best weights of a trial, by its place.
_POOL = "search_pool_"


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
    ways, average = portfolio.all_ways, given.journal.notes.average
    way = next((way for way in ways if record and way.name == record.way), ways[0])
    if average is not None and average.of == "trial":
        way = evaluated_way(portfolio, way, average.members)
    return given.source(Trainable.of(way.finetune))


@dataclass
class _Search:
    """A search in progress.

    Attributes:
        kept: The best weights of the trial that leads; None if that is the head alone.
        kept_epochs: The epochs of that trial.
        pool: For a soup, the best weights of each trial that has any, by way.
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
    pool: dict[str, list[np.ndarray]]

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
        pool = {
            trial.way: arrays[f"{_POOL}{place}"]
            for place, trial in enumerate(trials)
            if f"{_POOL}{place}" in arrays
        }
        return cls(given, portfolio, run, laboratory, trials, kept, epochs, is_left_out, pool)

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
        say_what_is_best(self.given.journal, self.given.classifiers.trained.objective)
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
            say(f"search: trial {place}, {way.name}")
        journal = self._new_journal(way, checkpoint)
        trial = self.laboratory.run(way, journal, checkpoint, self.trials[0])
        self.trials.append(trial)
        if journal.best is not None and way.finetune.average == "soup":
            self.pool[way.name] = journal.best.arrays
        if leader(self.trials) is trial and journal.best is not None:
            self.kept, self.kept_epochs = journal.best.arrays, journal.history.as_json()
        self._save({}, {})
        self._write_rows()
        say(line_of(trial))

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
        for place, trial in enumerate(self.trials):
            if trial.way in self.pool:
                ours[f"{_POOL}{place}"] = self.pool[trial.way]
        known = {"trials": facts, "left_out": self.is_left_out, "kept_epochs": self.kept_epochs}
        return self.given.journal.write({**known, **state}, {**ours, **arrays})

    def _conclude(self) -> ActivationSource:
        """Notes the choice, says why, and leaves its weights and epochs in the journal."""
        journal, given = self.given.journal, self.given
        choice = choose(self.portfolio, self.trials)
        way = self.portfolio.head_alone if choice.way is None else choice.way
        changes = setting_changes(given.config, way.applied(given.config))
        changes.pop("effort", None)
        averaged = self._averaged(choice.way)
        if averaged is not None and averaged.kept is None:
            changes["finetune.average"] = "none"  # the settings then repeat the result
        journal.notes.search = SearchRecord(
            way.name,
            len(self.trials) - 1,
            sum(trial.epochs for trial in self.trials),
            choice.reason,
            changes,
            optimism([*self.trials, *(averaged.trial() if averaged else [])], given.config.seed),
        )
        self._write_rows(way.name)
        journal.say(f"search: {journal.notes.search.sentence}")
        if self.kept is not None and self.kept_epochs is not None:
            journal.best = BestWeights("model", self.kept)
            chosen = Epochs(given.classifiers.trained.objective.rank)
            chosen.restore(self.kept_epochs)
            journal.history.adopt(chosen)
        trained = way if averaged is None else self._adopt_average(averaged, way)
        source = self.laboratory.source(self.portfolio.ways[0] if choice.way is None else trained)
        given.classifiers.set_trainable(Trainable.of(trained.finetune))
        given.note_trained()
        return source

    def _averaged(self, way: Way | None) -> AveragedTrials | None:
        """Returns what averaging gave; None if it is not asked for, or the head alone is kept."""
        if way is None or way.finetune.average == "none" or self.kept is None:
            return None
        journal = self._new_journal(way, Checkpoint({}))
        weights = self.pool or {way.name: self.kept}
        return average_trials(self.laboratory, journal, way, self.trials, weights, self.portfolio)

    def _adopt_average(self, averaged: AveragedTrials, way: Way) -> Way:
        """Notes an average and keeps its weights, if they are better than those of the way.

        Returns:
            The way that trained all that differs between what is averaged.
        """
        journal = self.given.journal
        journal.notes.average = averaged.record
        journal.say(f"average: {averaged.record.sentence}")
        if averaged.kept is None:
            return way
        journal.best = BestWeights("model", list(averaged.kept.found.weights))
        return evaluated_way(self.portfolio, way, averaged.kept.members)

    def _write_rows(self, chosen: str = "") -> None:
        """Writes `trials.csv`.

        Args:
            chosen: Name of the way that is chosen; empty before the choice.
        """
        ways = {way.name: way for way in self.portfolio.all_ways}
        rows = [
            row_of(
                trial, ways[trial.way], "" if not chosen else "yes" if trial.way == chosen else "no"
            )
            for trial in self.trials
        ]
        write_trials(self.run, rows)
