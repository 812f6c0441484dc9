"""What a phase needs from a journal, and the journal of a trial, which is a phase of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras
import numpy as np

from tfxfer.runs.budget import Budget
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.history import Epochs
from tfxfer.runs.journal import BestWeights, Journal, Notes
from tfxfer.system.signals import Interruptions


class PhaseJournal(Protocol):
    """What a phase that is trained by gradient steps reads and writes; see `Journal`."""

    best: BestWeights | None
    notes: Notes

    @property
    def history(self) -> Epochs:
        """The epochs so far."""

    @property
    def budget(self) -> Budget:
        """Time budget of the run."""

    @property
    def interruptions(self) -> Interruptions:
        """Signals received so far."""

    @property
    def say(self) -> Callable[[str], None]:
        """Called with each progress message."""

    @property
    def callbacks(self) -> Sequence[keras.callbacks.Callback]:
        """Keras callbacks of the caller."""

    @property
    def is_due(self) -> bool:
        """Whether a checkpoint within the epoch is due."""

    @property
    def is_due_after_epoch(self) -> bool:
        """Whether a checkpoint after the epoch is due."""

    def write(self, state: Mapping[str, Any], arrays: Mapping[str, list[np.ndarray]]) -> Checkpoint:
        """Saves a checkpoint and returns it."""


@dataclass
class TrialJournal:
    """The journal of a trial: its epochs and its best weights are not those of the run.

    Attributes:
        parent: Journal of the run.
        history: The epochs of the trial; they must surpass the best one of the run.
        save: Saves a checkpoint of the search with the state and arrays of the trial.
        best: The weights of its best epoch; None if none has surpassed the best one of the run.
        notes: Notes of the trial.
    """

    parent: Journal
    history: Epochs
    save: Callable[[Mapping[str, Any], Mapping[str, list[np.ndarray]]], Checkpoint]
    best: BestWeights | None = None
    notes: Notes = field(default_factory=Notes)

    @property
    def budget(self) -> Budget:
        """Time budget of the run."""
        return self.parent.budget

    @property
    def interruptions(self) -> Interruptions:
        """Signals received so far."""
        return self.parent.interruptions

    @property
    def say(self) -> Callable[[str], None]:
        """Called with each progress message."""
        return self.parent.say

    @property
    def callbacks(self) -> Sequence[keras.callbacks.Callback]:
        """Keras callbacks of the caller."""
        return self.parent.callbacks

    @property
    def is_due(self) -> bool:
        """Whether a checkpoint within the epoch is due."""
        return self.parent.is_due

    @property
    def is_due_after_epoch(self) -> bool:
        """Whether a checkpoint after the epoch is due."""
        return self.parent.is_due_after_epoch

    def write(self, state: Mapping[str, Any], arrays: Mapping[str, list[np.ndarray]]) -> Checkpoint:
        """Saves a checkpoint of the search and returns it."""
        return self.save(state, arrays)
