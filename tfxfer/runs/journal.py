"""The state of a run: saved in checkpoints as it proceeds, restored when it is resumed."""

import dataclasses
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
from tfxfer.runs.search.average import AverageRecord
from tfxfer.runs.search.record import SearchRecord
from tfxfer.system.processes.team import is_first
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.version import __version__

# Version of the checkpoint format; raise it when older checkpoints would be misread.
FORMAT = 1

# The phase of a run whose weights are final.
TRAINED = "trained"

# After an epoch a checkpoint is saved only if this many times its own duration has passed since the
# last one: checkpoints then cost at most 5%, even if epochs take milliseconds.
_TIMES_AS_LONG = 20

# What a run depends on besides its settings, and the name in messages.
_FACTS = {
    "format": "the checkpoint format",
    "backend": "the Keras backend",
    "weights": "the backbone's initial weights",
    "data": "the data",
}

_VERSIONS = ("tfxfer", "keras", "tensorflow")


@dataclass(frozen=True)
class BestWeights:
    """The weights of the best epoch so far.

    Attributes:
        part: "head" while it is trained on features, otherwise the whole "model".
        arrays: The weights, as `get_weights` returns them.
    """

    part: Literal["head", "model"]
    arrays: list[np.ndarray]

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint) -> Self | None:
        """Returns the best weights in a checkpoint, if any."""
        arrays = checkpoint.arrays.get("best")
        if not arrays:
            return None
        part: Literal["head", "model"] | None = checkpoint.state.get("best_of")
        if part is None:
            # Older checkpoints do not say; only a backbone has convolution kernels.
            part = "model" if any(array.ndim > 2 for array in arrays) else "head"
        return cls(part, arrays)


@dataclass(frozen=True)
class PhaseSize:
    """The length of a phase.

    Attributes:
        epochs: Maximum number of epochs.
        steps: Steps per epoch.
    """

    epochs: int
    steps: int


@dataclass
class Notes:
    """What later phases and the metrics need from earlier phases.

    Attributes:
        num_trained: Number of trained parameters, the maximum over phases.
        penalty: L2 penalty of the head fitted by L-BFGS; None for other optimizers.
        start_penalty: L2 penalty of the head that the finetune phase starts from, if it is another.
        sizes: Length of each phase within the time budget, by name; empty without a budget.
        search: The way to fine-tune that was chosen, once a search is finished.
        average: What became of the average of the weights, once it was tried.
    """

    num_trained: int = 0
    penalty: float | None = None
    sizes: dict[str, PhaseSize] = field(default_factory=dict)
    search: SearchRecord | None = None
    start_penalty: float | None = None
    average: AverageRecord | None = None

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns the notes that `as_json` wrote."""
        sizes = {name: PhaseSize(*size) for name, size in content.get("sizes", {}).items()}
        found = content.get("search")
        search = None if found is None else SearchRecord.of_json(found)
        found = content.get("average")
        average = None if found is None else AverageRecord.of_json(found)
        penalty, start = content.get("penalty"), content.get("start_penalty")
        return cls(content.get("num_trained", 0), penalty, sizes, search, start, average)

    def as_json(self) -> dict[str, Any]:
        """Returns the notes, JSON-serializable."""
        content: dict[str, Any] = {}
        if self.num_trained:
            content["num_trained"] = self.num_trained
        if self.penalty is not None:
            content["penalty"] = self.penalty
        if self.start_penalty is not None:
            content["start_penalty"] = self.start_penalty
        if self.sizes:
            content["sizes"] = {name: [s.epochs, s.steps] for name, s in self.sizes.items()}
        if self.search is not None:
            content["search"] = dataclasses.asdict(self.search)
        if self.average is not None:
            content["average"] = dataclasses.asdict(self.average)
        return content


class Journal:
    """The state of a run, and its checkpoints.

    A run goes through its phases and ends in `TRAINED`. A checkpoint is saved before each phase and
    several within it, so the run can be interrupted at any moment and resumed.

    Attributes:
        history: The epochs so far.
        best: The weights of the best epoch so far, None before the first.
        notes: What later phases and the metrics need from earlier ones.
        phase: Current phase.
        found: The last checkpoint of an interrupted run; None in a new run.
        budget: Time budget of the run.
        interruptions: Signals received so far.
        say: Called with each progress message.
        callbacks: Keras callbacks of the caller, for phases trained by gradient steps.
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
        """Reads the last checkpoint of a run, if there is one.

        Args:
            run: The run.
            config: Settings of the run; `checkpoint_minutes` and `max_minutes` are read.
            facts: Digests of "data" and "weights", which determine the run besides its settings.
            interruptions: Signals received so far.
            say: Called with each progress message.
            callbacks: Keras callbacks of the caller, for phases trained by gradient steps.
            rank: Sort key of an epoch; the greatest is the best.

        Raises:
            RunError: The run was started with other data, weights, backend or checkpoint format.
        """
        self.interruptions = interruptions
        self.say = say
        self.callbacks = callbacks
        self.notes = Notes()
        self.best: BestWeights | None = None
        self.phase = ""
        self._files = Checkpoints(run.checkpoints)
        self._interval = 60 * config.checkpoint_minutes if is_first() else 0  # others write none
        self._written, self._cost = time.monotonic(), 0.0
        self._facts = {
            "format": FORMAT,
            "backend": keras.backend.backend(),
            **facts,
            **dict(zip(_VERSIONS, _versions(), strict=True)),
        }
        self.found, corrupt = self._files.read()
        instead = "falling back to the previous checkpoint" if self.found else "starting over"
        for path in corrupt:
            say(f"the checkpoint '{path}' is corrupt and was removed; {instead}")
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
        """Tells whether the interrupted run had finished a phase, given that it reached it."""
        return self.found is not None and self.found.state["phase"] != phase

    def begin(self, phase: str, arrays: Mapping[str, list[np.ndarray]] | None = None) -> Checkpoint:
        """Starts or resumes a phase, and returns its checkpoint.

        Args:
            phase: Name of the phase.
            arrays: Initial arrays of the phase, besides `best`.
        """
        self.phase = phase
        if self.found is not None:
            found, self.found = self.found, None
            return found
        return self.write({"epoch": 0, "step": 0, "waited": 0}, arrays or {})

    def write(self, state: Mapping[str, Any], arrays: Mapping[str, list[np.ndarray]]) -> Checkpoint:
        """Saves a checkpoint and returns it.

        Args:
            state: JSON-serializable state of the phase.
            arrays: Arrays of the phase, besides `best`.

        Raises:
            RunError: It cannot be written.
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

    def restore_best(self, model: keras.Model) -> None:
        """Loads the best weights so far into a model; without any it keeps its own."""
        if self.best is not None:
            model.set_weights(self.best.arrays)

    def close(self) -> None:
        """Removes the checkpoints of a finished run."""
        self._files.remove()

    @property
    def is_due(self) -> bool:
        """Whether a checkpoint within the epoch is due."""
        return bool(self._interval) and time.monotonic() - self._written >= self._interval

    @property
    def is_due_after_epoch(self) -> bool:
        """Whether a checkpoint after the epoch is due."""
        return is_first() and time.monotonic() - self._written >= _TIMES_AS_LONG * self._cost

    def _check_facts(self, run: RunDirectory, theirs: Mapping[str, Any]) -> None:
        """Raises a RunError if the run was started with other facts; warns of other versions."""
        for name, what in _FACTS.items():
            was, now = theirs.get(name), self._facts[name]
            if was == now:
                continue
            if name == "format":
                change = f"differs between tfxfer {theirs.get('tfxfer')} and this version"
            elif name == "backend":
                change = f"was {was!r}, now {now!r}"
            else:
                change = "changed since the run was started"
            moved = ", pass its new location with --data" if name == "data" else ""
            raise RunError(
                f"Cannot resume '{run.path}': {what} {change}. Restore the original{moved}, or "
                "choose another --run to start over."
            )
        others = [
            f"{name} {theirs.get(name)}"
            for name in _VERSIONS
            if theirs.get(name) != self._facts[name]
        ]
        if others:
            self.say(
                f"note: this run was started with {', '.join(others)}; results may differ slightly "
                "from those versions"
            )


def _versions() -> tuple[str, str, str]:
    return __version__, keras.__version__, tf.__version__
