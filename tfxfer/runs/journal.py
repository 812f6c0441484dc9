"""Where a run is: written down as it goes on, found again after an interruption."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import keras
import numpy as np
import tensorflow as tf

from tfxfer.config.schema import RunConfig
from tfxfer.errors import RunError
from tfxfer.runs.budget import Budget
from tfxfer.runs.checkpoints import Checkpoint, Checkpoints
from tfxfer.runs.history import History, Rank
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.version import __version__

# What stands in a checkpoint; to be raised whenever an older one would be misunderstood.
FORMAT = 1

# The phase that a run is in once its weights are final.
TRAINED = "trained"

# At the end of an epoch nothing is written before so many times as much time has passed as writing
# takes: it then costs 5% at the most, also where an epoch takes milliseconds.
_TIMES_AS_LONG = 20

# What a run depends on beside its settings, as messages call it.
_FACTS = {
    "format": "the form of its checkpoints",
    "backend": "the Keras backend",
    "weights": "the backbone's initial weights",
    "data": "the data",
}

_VERSIONS = ("tfxfer", "keras", "tensorflow")


@dataclass(frozen=True)
class BestWeights:
    """The weights of the best epoch so far.

    Attributes:
        part: What they are of: the "head" while it is trained on features, else the whole "model".
        arrays: As `get_weights` of it returns them.
    """

    part: Literal["head", "model"]
    arrays: list[np.ndarray]

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint) -> Self | None:
        """Returns those that a checkpoint holds, if any."""
        arrays = checkpoint.arrays.get("best")
        if not arrays:
            return None
        part: Literal["head", "model"] | None = checkpoint.state.get("best_of")
        if part is None:
            # Older checkpoints do not say; only a backbone has kernels that go over images.
            part = "model" if any(array.ndim > 2 for array in arrays) else "head"
        return cls(part, arrays)


@dataclass(frozen=True)
class PhaseSize:
    """How long a phase is.

    Attributes:
        epochs: At the most.
        steps: In an epoch.
    """

    epochs: int
    steps: int


@dataclass
class Notes:
    """What later phases and the results need of earlier phases.

    Attributes:
        num_trained: Parameters that were trained; of several phases, the most.
        penalty: Of the head that was solved, None where none was.
        sizes: What of a phase fits into the time, by its name, where the time is limited.
    """

    num_trained: int = 0
    penalty: float | None = None
    sizes: dict[str, PhaseSize] = field(default_factory=dict)

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns the notes that `as_json` was given."""
        sizes = {name: PhaseSize(*size) for name, size in content.get("sizes", {}).items()}
        return cls(content.get("num_trained", 0), content.get("penalty"), sizes)

    def as_json(self) -> dict[str, Any]:
        """Returns what is noted, as JSON can write it."""
        content: dict[str, Any] = {}
        if self.num_trained:
            content["num_trained"] = self.num_trained
        if self.penalty is not None:
            content["penalty"] = self.penalty
        if self.sizes:
            content["sizes"] = {name: [s.epochs, s.steps] for name, s in self.sizes.items()}
        return content


class Journal:
    """The checkpoints of a run, with all that the run has decided and found so far.

    A run is its phases, one after the other, and `TRAINED` after them. Before each phase there is a
    checkpoint, and within it there are more, so that at any moment the run can be ended and begun
    again: `found` is then where it was.

    Attributes:
        history: The epochs so far.
        best: The weights of the best epoch so far, None before the first.
        notes: What later phases and the results need of earlier ones.
        phase: That it is in.
        found: The last checkpoint of the interrupted run, or None where it begins.
        budget: What time the run has.
        interruptions: What signals have come.
        say: Takes each line for the person who watches.
        callbacks: Of others, who are told of each batch and epoch that is trained by steps.
    """

    def __init__(
        self,
        run: RunDirectory,
        config: RunConfig,
        facts: Mapping[str, str],
        interruptions: Interruptions,
        say: Callable[[str], None],
        callbacks: Sequence[keras.callbacks.Callback] = (),
        *,
        rank: Rank,
    ) -> None:
        """Finds out where a run is.

        Args:
            run: Its directory.
            config: Its settings; `checkpoint_minutes` and `max_minutes` are read.
            facts: What decides the run beside the settings: "data" and "weights", as digests.
            interruptions: What signals have come.
            say: Takes each line for the person who watches.
            callbacks: Of others, who are told of each batch and epoch that is trained by steps.
            rank: Tells the best epoch.

        Raises:
            RunError: The run was begun with other facts.
        """
        self.interruptions = interruptions
        self.say = say
        self.callbacks = callbacks
        self.notes = Notes()
        self.best: BestWeights | None = None
        self.phase = ""
        self._files = Checkpoints(run.checkpoints)
        self._interval = 60 * config.checkpoint_minutes
        self._written, self._cost = time.monotonic(), 0.0
        self._facts = {
            "format": FORMAT,
            "backend": keras.backend.backend(),
            **facts,
            **dict(zip(_VERSIONS, _versions(), strict=True)),
        }
        self.found, damaged = self._files.read()
        for path in damaged:
            say(f"the checkpoint '{path}' is damaged: it was removed, the one before it serves")
        used, earlier = 0.0, None
        if self.found:
            state = self.found.state
            self._check_facts(run, state["facts"])
            used, earlier = state["seconds"], state["history"]
            self.notes = Notes.of_json(state["notes"])
            self.best = BestWeights.of_checkpoint(self.found)
        self.budget = Budget(config.max_minutes, used)
        self.history = History(run, rank, earlier)

    def is_past(self, phase: str) -> bool:
        """Tells whether the interrupted run had left a phase, given that it has reached it."""
        return self.found is not None and self.found.state["phase"] != phase

    def begin(self, phase: str, arrays: Mapping[str, list[np.ndarray]] | None = None) -> Checkpoint:
        """Enters a phase, and returns the checkpoint that it begins at or goes on from.

        Args:
            phase: Its name.
            arrays: What it begins with, beside `best`.
        """
        self.phase = phase
        if self.found is not None:
            found, self.found = self.found, None
            return found
        return self.write({"epoch": 0, "step": 0, "waited": 0}, arrays or {})

    def write(self, state: Mapping[str, Any], arrays: Mapping[str, list[np.ndarray]]) -> Checkpoint:
        """Writes down where the run is.

        Args:
            state: Within the phase.
            arrays: Likewise.
        """
        start = time.monotonic()
        best = self.best
        checkpoint = Checkpoint(
            {
                **state,
                "phase": self.phase,
                "facts": self._facts,
                "seconds": self.budget.used(),
                "history": self.history.as_json(),
                "notes": self.notes.as_json(),
                "best_of": None if best is None else best.part,
            },
            {**arrays, **({} if best is None else {"best": best.arrays})},
        )
        self._files.write(checkpoint)
        self._written = time.monotonic()
        self._cost = self._written - start
        return checkpoint

    def put_best(self, model: keras.Model) -> None:
        """Gives a model the best weights so far; before the first it keeps its own."""
        if self.best is not None:
            model.set_weights(self.best.arrays)

    def close(self) -> None:
        """Forgets the checkpoints: the run has come to its end."""
        self._files.remove()

    @property
    def is_due(self) -> bool:
        """Whether it is time for a checkpoint within an epoch."""
        return bool(self._interval) and time.monotonic() - self._written >= self._interval

    @property
    def is_due_after_epoch(self) -> bool:
        """Whether it is time for a checkpoint where an epoch ends."""
        return time.monotonic() - self._written >= _TIMES_AS_LONG * self._cost

    def _check_facts(self, run: RunDirectory, theirs: Mapping[str, Any]) -> None:
        """Raises a RunError where the run was begun with other facts, warns of other versions."""
        for name, what in _FACTS.items():
            was, now = theirs.get(name), self._facts[name]
            if was == now:
                continue
            if name == "format":
                change = f"differs between tfxfer {theirs.get('tfxfer')} and this version"
            elif name == "backend":
                change = f"was {was!r} when it was begun, now {now!r}"
            else:
                change = "changed since it was begun"
            moved = ", say where it is now (--data)" if name == "data" else ""
            raise RunError(
                f"Cannot resume '{run.path}': {what} {change}. Bring back what it was{moved}, or "
                "choose another --run to begin anew."
            )
        others = [
            f"{name} {theirs.get(name)}"
            for name in _VERSIONS
            if theirs.get(name) != self._facts[name]
        ]
        if others:
            self.say(
                f"note: this run was begun with {', '.join(others)}; it may end a little "
                "differently than it would have there"
            )


def _versions() -> tuple[str, str, str]:
    return __version__, keras.__version__, tf.__version__
