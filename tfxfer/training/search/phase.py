"""The search phase: several ways to fine-tune are trained, and validation chooses one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfxfer.planning.portfolio import Portfolio
from tfxfer.planning.ways.way import Way
from tfxfer.planning.wording import counted
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.history import Epochs
from tfxfer.runs.journal import BestWeights, Notes, PhaseSize
from tfxfer.runs.search.journals import TrialJournal
from tfxfer.runs.search.record import SearchRecord
from tfxfer.system.run_layout import RunDirectory
from tfxfer.training.classifier_pair import Trainable
from tfxfer.training.epochs.best_weights import say_what_is_best
from tfxfer.training.epochs.state import generator_states
from tfxfer.training.frozen.activations import ActivationSource
from tfxfer.training.phases import Materials
from tfxfer.training.search.averages import evaluated_way
from tfxfer.training.search.choosing import next_way
from tfxfer.training.search.conclusion import Conclusion
from tfxfer.training.search.state import SearchState
from tfxfer.training.search.telling import line_of, line_of_untried
from tfxfer.training.search.timing import expected_seconds, reserved_seconds
from tfxfer.training.search.trial import Laboratory, Start


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
    if average is not None and average.trials:
        stages = given.classifiers.trained.stages
        way = evaluated_way(portfolio, way, average.trials, stages)
    return given.source(Trainable.of(way.finetune))


@dataclass
class _Search:
    """A search in progress."""

    given: Materials
    portfolio: Portfolio
    run: RunDirectory
    laboratory: Laboratory
    state: SearchState

    @classmethod
    def resumed(
        cls, given: Materials, portfolio: Portfolio, run: RunDirectory, checkpoint: Checkpoint
    ) -> "_Search":
        """Returns the search of a checkpoint, without trials if it has just begun."""
        arrays = checkpoint.arrays
        model, best = given.classifiers.trained.model, given.journal.best
        weights = model.get_weights() if best is None else best.arrays
        generators = arrays.get("search_generators", [])
        laboratory = Laboratory(given, Start(weights, arrays.get("search_start"), generators))
        state = SearchState.of_checkpoint(checkpoint)
        if len(state.trials) > 1:
            number = counted(len(state.trials) - 1, "trial")
            given.journal.say(f"resuming the search after {number}")
        return cls(given, portfolio, run, laboratory, state)

    def finish(self, checkpoint: Checkpoint) -> SearchOutcome:
        """Tries one way after the other, and keeps the best.

        Args:
            checkpoint: Where the search starts or resumes, maybe within a trial.
        """
        if not self.state.trials:
            self._begin()
        start = self.laboratory.start.head
        if self.state.is_left_out:
            self._leave_out()
            return SearchOutcome(None, start)
        say_what_is_best(
            self.given.journal, self.given.classifiers.trained.objective, of_trial=True
        )
        way = self._next(checkpoint)
        while way is not None:
            self._try(way, checkpoint)
            checkpoint = Checkpoint({})
            way = self._next(checkpoint)
        if self.portfolio.is_thorough:
            self._save({}, {})  # what is skipped
        elif line := line_of_untried(self.portfolio, self.state.trials):
            self.given.journal.say(line)
        conclusion = Conclusion(
            self.laboratory, self.portfolio, self.run, self.state, self._new_journal
        )
        return SearchOutcome(conclusion.reach(), start)

    def _begin(self) -> None:
        """Scores the head alone, and leaves the search out if it does not fit the time budget."""
        portfolio, journal, state = self.portfolio, self.given.journal, self.state
        state.trials.append(self.laboratory.head_alone(portfolio.ways[0]))
        if journal.budget.is_limited and next_way(portfolio, state.trials):
            # The way that trains the most takes the longest. A thorough search tries what fits.
            longest = (*portfolio.ways, *portfolio.deeper)[-1]
            way = portfolio.default if portfolio.is_thorough else longest
            epochs = way.finetune.epochs if portfolio.is_thorough else portfolio.epochs
            training = self.laboratory.training(way, self._new_journal(way, Checkpoint({})))
            enough = PhaseSize(epochs, training.batches.steps)
            state.is_left_out = training.affordable(epochs) != enough
        self._save({}, {})
        state.write_rows(self.run, portfolio)

    def _leave_out(self) -> None:
        """Says that the default is trained instead, and restores the state before the search."""
        journal = self.given.journal
        self.laboratory.restore()
        journal.notes.search = SearchRecord(
            self.portfolio.default.name, 0, 0, "the time budget has no room for it"
        )
        journal.say(f"search: {journal.notes.search.sentence}")

    def _next(self, checkpoint: Checkpoint) -> Way | None:
        """Returns the way to try or to resume; None if the search is over."""
        budget, state = self.given.journal.budget, self.state
        way = next_way(self.portfolio, state.trials, state.skipped)
        if not self.portfolio.is_thorough:
            return None if budget.is_exhausted else way
        while way is not None and checkpoint.state.get("way") != way.name:
            if self._fits(way):
                return way
            state.skipped.append(way.name)
            way = next_way(self.portfolio, state.trials, state.skipped)
        return way

    def _fits(self, way: Way) -> bool:
        """Tells whether there is time for a trial; the default was timed before."""
        trials, images = self.state.trials, self.given.images
        if len(trials) == 1:
            return True
        validating, training = (len(images[name]) for name in ("validation", "train"))
        reserved = reserved_seconds(trials, validating / (validating + training))
        needed = expected_seconds(way, self.portfolio, trials) + reserved
        return needed <= self.given.journal.budget.left()

    def _try(self, way: Way, checkpoint: Checkpoint) -> None:
        """Trains a way, or what remains of it, and keeps its weights if it leads."""
        say, state = self.given.journal.say, self.state
        is_resumed = checkpoint.state.get("way") == way.name
        if not is_resumed:
            checkpoint = Checkpoint({"epoch": 0, "step": 0, "waited": 0})
            say(f"search: trial {len(state.trials)}, '{way.name}'")
        journal = self._new_journal(way, checkpoint)
        trial = self.laboratory.run(way, journal, checkpoint, state.trials[0])
        thorough = self.portfolio.is_thorough
        if thorough and len(state.trials) > 1 and self.given.journal.budget.is_exhausted:
            # Shortened by the time that happened to be left: nobody could repeat it.
            state.skipped.append(way.name)
            say(f"search: no time to finish {way.name}, so it does not count")
            return
        is_pooled = way.finetune.average == "soup"
        is_pooled |= thorough and way.finetune.average == "none"
        state.add(trial, journal, is_pooled=is_pooled)
        self._save({}, {})
        state.write_rows(self.run, self.portfolio)
        say(line_of(trial, self.laboratory.score_name))

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
        notes = Notes.of_json(state.get("trial_notes", {}))
        if self.portfolio.is_thorough:  # there is time for all of it, or it is not begun
            steps = math.ceil(len(given.images["train"]) / given.config.batch_size)
            notes.sizes["finetune"] = PhaseSize(way.finetune.epochs, steps)
        journal = TrialJournal(
            given.journal,
            epochs,
            save,
            None if best is None else BestWeights("model", best),
            notes,
        )
        return journal

    def _save(self, state: Mapping[str, Any], arrays: Mapping[str, list[np.ndarray]]) -> Checkpoint:
        """Saves a checkpoint with all trials so far, and the state of the current one."""
        start = self.laboratory.start
        known, ours = self.state.as_checkpoint()
        ours["search_generators"] = start.generators
        if start.head is not None:
            ours["search_start"] = start.head
        return self.given.journal.write({**known, **state}, {**ours, **arrays})
