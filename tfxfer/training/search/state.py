"""The state of a search: its trials, and the weights of those that may be kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from tfxfer.planning.portfolio import Portfolio
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.search.journals import TrialJournal
from tfxfer.runs.search.trials import write_trials
from tfxfer.system.run_layout import RunDirectory
from tfxfer.training.search.choosing import Trial, leader
from tfxfer.training.search.telling import row_of
from tfxfer.training.search.trial import trials_as_state, trials_of_state

# The arrays of a checkpoint with the best weights of a trial, by its place.
_POOL = "search_pool_"

# Trials that a soup may be made of. Each costs memory for a copy of the weights.
_SOUP_TRIALS = 5


@dataclass
class SearchState:
    """The state of a search.

    Attributes:
        trials: The trials, the head alone first.
        kept: The best weights of the trial that leads; None if that is the head alone.
        kept_epochs: The epochs of that trial.
        is_left_out: Whether the time budget has no room for the search.
        skipped: Names of the ways for which a thorough search had no time.
        pool: For a soup, the weights of the best trials that have any, by way.
    """

    trials: list[Trial] = field(default_factory=list)
    kept: list[np.ndarray] | None = None
    kept_epochs: Mapping[str, Any] | None = None
    is_left_out: bool = False
    skipped: list[str] = field(default_factory=list)
    pool: dict[str, list[np.ndarray]] = field(default_factory=dict)

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint) -> Self:
        """Returns the state in a checkpoint, without trials if the search has just begun."""
        arrays, state = checkpoint.arrays, checkpoint.state
        trials = trials_of_state(state, arrays)
        pool = {
            trial.way: arrays[f"{_POOL}{place}"]
            for place, trial in enumerate(trials)
            if f"{_POOL}{place}" in arrays
        }
        return cls(
            trials,
            arrays.get("kept"),
            state.get("kept_epochs"),
            state.get("left_out", False),
            list(state.get("skipped", [])),
            pool,
        )

    def as_checkpoint(self) -> tuple[dict[str, Any], dict[str, list[np.ndarray]]]:
        """Returns what a checkpoint has of it: what is JSON-serializable, and the arrays."""
        facts, arrays = trials_as_state(self.trials)
        if self.kept is not None:
            arrays["kept"] = self.kept
        for place, trial in enumerate(self.trials):
            if trial.way in self.pool:
                arrays[f"{_POOL}{place}"] = self.pool[trial.way]
        known = {
            "trials": facts,
            "left_out": self.is_left_out,
            "kept_epochs": self.kept_epochs,
            "skipped": self.skipped,
        }
        return known, arrays

    def add(self, trial: Trial, journal: TrialJournal, *, is_pooled: bool) -> None:
        """Adds a trial, and keeps its weights if it leads.

        Args:
            trial: The trial.
            journal: Its journal, which has the weights of its best epoch.
            is_pooled: Whether its weights are for a soup.
        """
        self.trials.append(trial)
        if journal.best is None:
            return
        best = leader(self.trials)
        if best is trial:
            self.kept, self.kept_epochs = journal.best.arrays, journal.history.as_json()
        if not is_pooled:
            return
        self.pool[trial.way] = journal.best.arrays
        pooled = sorted(
            (one for one in self.trials if one.way in self.pool), key=lambda one: one.loss
        )
        members = {best.way, *(one.way for one in pooled[:_SOUP_TRIALS])}
        self.pool = {way: weights for way, weights in self.pool.items() if way in members}

    def write_rows(self, run: RunDirectory, portfolio: Portfolio, chosen: str = "") -> None:
        """Writes `trials.csv`.

        Args:
            run: The run.
            portfolio: The portfolio.
            chosen: Name of the way that is chosen; empty before the choice.
        """
        ways = {way.name: way for way in portfolio.all_ways}
        rows = [
            row_of(
                trial, ways[trial.way], "" if not chosen else "yes" if trial.way == chosen else "no"
            )
            for trial in self.trials
        ]
        write_trials(run, rows)
