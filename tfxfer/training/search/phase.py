"""The search phase: a way to fine-tune is chosen by successive halving on validation loss."""

import math
from dataclasses import dataclass

import numpy as np

from tfxfer.config.recipes import setting_changes
from tfxfer.planning.description import counted, describe_changes
from tfxfer.planning.portfolio import Portfolio, Way
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.journal import PhaseSize
from tfxfer.runs.search.record import SearchRecord
from tfxfer.runs.search.trials import TrialRow, write_trials
from tfxfer.system.run_layout import RunDirectory
from tfxfer.training.epochs.state import generator_states
from tfxfer.training.phases import Materials
from tfxfer.training.search.halving import Choice, Trial, next_trial, survivors
from tfxfer.training.search.trial import Laboratory, Start, trials_as_state, trials_of_state


def search(
    given: Materials, portfolio: Portfolio, run: RunDirectory, start: list[np.ndarray] | None
) -> list[np.ndarray] | None:
    """Chooses a way to fine-tune, unless the run is past this phase.

    The choice is in `journal.notes.search`. The classifiers and their random generators are left as
    the head phase left them, so that the finetune phase is that of a run without a search.

    Args:
        given: Materials of the fit, with the best weights so far in the journal.
        portfolio: The ways among which to choose.
        run: The run; its `trials.csv` is written.
        start: Initial weights of the head in each trial; None takes the best ones.

    Returns:
        Initial weights of the head for the finetune phase; None takes the best ones.

    Raises:
        InterruptionError: A signal was received; finished trials are in the checkpoint.
    """
    journal = given.journal
    if journal.is_past("search"):
        return None  # the checkpoint of the finetune phase has them
    arrays = {"generators": generator_states(given.classifiers.trained.model)}
    if start is not None:
        arrays["start"] = start
    checkpoint = journal.begin("search", arrays)
    _Search.resumed(given, portfolio, run, checkpoint).finish()
    return checkpoint.arrays.get("start")


@dataclass
class _Search:
    """A search in progress."""

    given: Materials
    portfolio: Portfolio
    run: RunDirectory
    laboratory: Laboratory
    trials: list[Trial]
    is_left_out: bool

    @classmethod
    def resumed(
        cls, given: Materials, portfolio: Portfolio, run: RunDirectory, checkpoint: Checkpoint
    ) -> "_Search":
        """Returns the search of a checkpoint, without trials if it has just begun."""
        arrays, model = checkpoint.arrays, given.classifiers.trained.model
        best = given.journal.best
        weights = model.get_weights() if best is None else best.arrays
        generators = arrays.get("generators", [])
        laboratory = Laboratory(given, Start(weights, arrays.get("start"), generators))
        trials = trials_of_state(checkpoint.state, arrays)
        if trials:
            given.journal.say(f"resuming the search after {counted(len(trials) - 1, 'trial')}")
        return cls(
            given, portfolio, run, laboratory, trials, checkpoint.state.get("left_out", False)
        )

    def finish(self) -> None:
        """Tries one way after the other until one is chosen, and notes it."""
        journal = self.given.journal
        if not self.trials:
            self._begin()
        coming: tuple[Way, int] | Choice = next_trial(self.portfolio, self.trials)
        while not isinstance(coming, Choice) and not self._is_out_of_time():
            way, rung = coming
            if rung > max(trial.rung for trial in self.trials) > 0:
                self._tell_dropped()
            trial = self.laboratory.run(way, rung, self.portfolio.rungs[rung - 1])
            self.trials.append(trial)
            self._save()
            journal.say(_line(trial))
            coming = next_trial(self.portfolio, self.trials)
        if not isinstance(coming, Choice):
            coming = Choice(None, "the time budget has no room for a search")
        self._conclude(coming)

    def _begin(self) -> None:
        """Scores the head alone, and leaves the search out if it does not fit the time budget."""
        portfolio, journal = self.portfolio, self.given.journal
        self.trials.append(self.laboratory.head_alone(portfolio.ways[0]))
        waiting = not isinstance(next_trial(portfolio, self.trials), Choice)
        if waiting and journal.budget.is_limited:
            # The last way trains the most, so its steps take the longest. The search gets at most
            # half of the time that is left.
            longest = max(portfolio.ways, key=lambda way: way.finetune.unfreeze == "all")
            training = self.laboratory.training(longest, 2 * portfolio.epochs)
            enough = PhaseSize(2 * portfolio.epochs, training.batches.steps)
            self.is_left_out = training.affordable() != enough
        self._save()
        if waiting and not self.is_left_out:
            journal.say(f"{_line(self.trials[0])}  not fine-tuned")

    def _is_out_of_time(self) -> bool:
        return self.is_left_out or self.given.journal.budget.is_exhausted

    def _save(self) -> None:
        """Saves a checkpoint with all trials so far."""
        start = self.laboratory.start
        facts, losses = trials_as_state(self.trials)
        arrays = {"generators": start.generators, "losses": losses}
        if start.head is not None:
            arrays["start"] = start.head
        journal = self.given.journal
        journal.write({"trials": facts, "left_out": self.is_left_out}, arrays)
        self._write_rows(None)

    def _tell_dropped(self) -> None:
        """Says which ways were dropped after the first rung."""
        kept = survivors(self.portfolio, self.trials)
        dropped = [way.name for way in self.portfolio.ways if way.name not in kept]
        self.given.journal.say(f"search: kept {'; '.join(kept)}. Dropped {'; '.join(dropped)}.")

    def _conclude(self, choice: Choice) -> None:
        """Notes the choice, says why, and restores the state before the search."""
        journal, config = self.given.journal, self.given.config
        self.laboratory.restore()
        way = self.portfolio.head_alone if choice.way is None else choice.way
        changes = {} if choice.way is None else setting_changes(config, way.applied(config))
        changes.pop("effort", None)
        epochs = sum(trial.epochs for trial in self.trials)
        journal.notes.search = SearchRecord(
            way.name, len(self.trials) - 1, epochs, choice.reason, changes
        )
        self._write_rows(way)
        journal.say(f"search: {journal.notes.search.sentence}")

    def _write_rows(self, chosen: Way | None) -> None:
        """Writes `trials.csv`."""
        ways = {way.name: way for way in (self.portfolio.head_alone, *self.portfolio.ways)}
        has_second = any(trial.rung == 2 for trial in self.trials)
        again = {trial.way for trial in self.trials if trial.rung == 2}
        rows = []
        for trial in self.trials:
            way, kept = ways[trial.way], ""
            if trial.rung == 1 and has_second:
                names = survivors(self.portfolio, self.trials)
                kept = "yes" if trial.way in names else "no"
            if chosen is not None and (trial.rung != 1 or trial.way not in again):
                kept = "yes" if trial.way == chosen.name else kept or "no"
            rows.append(_row(trial, way, kept))
        write_trials(self.run, rows)


def _row(trial: Trial, way: Way, kept: str) -> TrialRow:
    return TrialRow(
        way=trial.way,
        unfreeze=way.finetune.unfreeze,
        learning_rate=way.finetune.learning_rate if trial.rung else 0.0,
        augmentation=", ".join(describe_changes(way.augment)) if trial.rung else "",
        rung=trial.rung,
        epochs=trial.epochs,
        validation_loss=round(trial.loss, 6),
        standard_error=round(trial.error, 6),
        accuracy=round(trial.accuracy, 6),
        seconds=trial.seconds,
        kept=kept,
    )


def _line(trial: Trial) -> str:
    """Returns the progress line of a trial."""
    loss = f"{trial.loss:6.4f}" if math.isfinite(trial.loss) else "diverged"
    columns = [
        f"search    {trial.way:40s}",
        f"{counted(trial.epochs, 'epoch'):9s}",
        f"val_loss {loss}",
        f"val_accuracy {trial.accuracy:.4f}",
    ]
    return "  ".join(columns)
