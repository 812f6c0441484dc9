"""The end of a search: its choice, why, and what is left in the journal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tfxfer.config.decided import DecidedFit
from tfxfer.config.recipes import setting_changes
from tfxfer.planning.portfolio import Portfolio
from tfxfer.planning.ways.way import Way
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.history import Epochs
from tfxfer.runs.journal import BestWeights
from tfxfer.runs.search.average import AverageRecord
from tfxfer.runs.search.journals import TrialJournal
from tfxfer.runs.search.record import SearchRecord
from tfxfer.system.run_layout import RunDirectory
from tfxfer.training.classifier_pair import Trainable
from tfxfer.training.frozen.activations import ActivationSource
from tfxfer.training.search.averages import AveragedTrials, Averaging
from tfxfer.training.search.choosing import choose, optimism
from tfxfer.training.search.state import SearchState
from tfxfer.training.search.trial import Laboratory


@dataclass(frozen=True)
class Conclusion:
    """The conclusion of a search.

    Attributes:
        laboratory: What the trials share.
        portfolio: The portfolio.
        run: The run; its `trials.csv` is written.
        state: The state of the search, which is over.
        new_journal: Returns the journal of a trial that starts at a checkpoint.
    """

    laboratory: Laboratory
    portfolio: Portfolio
    run: RunDirectory
    state: SearchState
    new_journal: Callable[[Way, Checkpoint], TrialJournal]

    def reach(self) -> ActivationSource:
        """Notes the choice, says why, and leaves its weights and epochs in the journal.

        Returns:
            The source of the chosen classifier's outputs.
        """
        given, state = self.laboratory.given, self.state
        journal, classifiers = given.journal, given.classifiers
        choice = choose(self.portfolio, state.trials, self.laboratory.score_name)
        way = self.portfolio.head_alone if choice.way is None else choice.way
        averaged = self._averaged(choice.way)
        self._note(way, choice.reason, averaged)
        if state.kept is not None and state.kept_epochs is not None:
            journal.best = BestWeights("model", state.kept)
            chosen = Epochs(classifiers.trained.objective.rank)
            chosen.restore(state.kept_epochs)
            journal.history.adopt(chosen)
        trained = way
        if averaged is not None:
            trained = averaged.way
            journal.notes.average = averaged.record
            journal.say(f"average: {averaged.record.sentence}")
            if averaged.kept is not None:
                journal.best = BestWeights("model", list(averaged.kept.found.weights))
        source = self.laboratory.source(self.portfolio.ways[0] if choice.way is None else trained)
        source.release("train")
        classifiers.set_trainable(Trainable.of(trained.finetune))
        given.note_trained()
        return source

    def _averaged(self, way: Way | None) -> AveragedTrials | None:
        """Returns what averaging gave; None if it is not asked for, or the head alone is kept."""
        state, is_asked = self.state, self.portfolio.is_thorough
        if way is None or state.kept is None or not (is_asked or way.finetune.average != "none"):
            return None
        journal = self.new_journal(way, Checkpoint({}))
        weights = state.pool or {way.name: state.kept}
        return Averaging(self.laboratory, journal, self.portfolio, state.trials, weights).of(way)

    def _note(self, way: Way, reason: str, averaged: AveragedTrials | None) -> None:
        """Notes the choice, and says it."""
        given, state = self.laboratory.given, self.state
        average = None if averaged is None else averaged.record
        trials = [*state.trials, *(averaged.trials if averaged else [])]
        record = SearchRecord(
            way.name,
            len(state.trials) - 1,
            sum(trial.epochs for trial in state.trials),
            reason,
            chosen_changes(given.config, way, average),
            optimism(trials, given.config.seed),
            tuple(state.skipped),
            has_other_seed=way.seed != 0,
        )
        given.journal.notes.search = record
        state.write_rows(self.run, self.portfolio, way.name)
        for line in (record.sentence, record.missing):
            if line:
                given.journal.say(f"search: {line}")


def chosen_changes(config: DecidedFit, way: Way, average: AverageRecord | None) -> dict[str, Any]:
    """Returns the settings that a search changes, by dotted keys.

    They repeat its result, unless that is an average of trials or has another seed.

    Args:
        config: The settings before the search.
        way: The way that is chosen.
        average: What averaging gave; None if nothing was averaged.
    """
    changes = setting_changes(config, way.applied(config))
    changes.pop("effort", None)
    if average is not None:
        kept = average.kind if average.members else "none"
        if kept != config.finetune.average:
            changes["finetune.average"] = kept
    return changes
