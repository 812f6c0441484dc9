"""Keras callbacks of a phase: history, early stopping, checkpoints, progress lines."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tfxfer.errors import DivergenceError
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.runs.history import Epoch, Epochs
from tfxfer.runs.search.journals import PhaseJournal
from tfxfer.system.progress import Pace, Progress, readable_seconds
from tfxfer.system.timing.spans import Moment
from tfxfer.system.timing.timeline import add_to_timeline
from tfxfer.training.epochs.state import training_state
from tfxfer.training.logistic_regression import Iteration, Solution

# A training loss this many times that of random guessing has diverged.
_TIMES_A_GUESS = 10


@dataclass(frozen=True)
class Course:
    """Length of a phase, and where it is resumed.

    Attributes:
        phase: "head", "finetune" or "pretrain".
        epochs: Number of epochs of the phase.
        guess_loss: Loss of random guessing; far above it, training has diverged.
        patience: Epochs without improvement before early stopping; 0 disables it.
        wait: Epochs without improvement before the phase was interrupted.
        first_step: Steps of the resumed epoch that were taken before.
        objective: What is trained for; it names and shows the metric.
    """

    phase: str
    epochs: int
    guess_loss: float
    patience: int = 0
    wait: int = 0
    first_step: int = 0
    objective: Objective = SOFTMAX


class PhaseRecorder(keras.callbacks.Callback):
    """Evaluates and records each epoch, keeps the best weights, and stops early.

    Adds "val_loss", "val_accuracy" and "learning_rate" to the epoch's logs, for the callbacks that
    come after it.

    Args:
        history: History of the run, or of a trial.
        course: Length of the phase.
        validate: Returns the current loss and accuracy on validation.
        keep_best: Called after each epoch that is the best of the run so far.
        say: Called with each progress message.
    """

    def __init__(
        self,
        history: Epochs,
        course: Course,
        validate: Callable[[], tuple[float, float]],
        keep_best: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.wait = course.wait
        self._history = history
        self._course = course
        self._phase = course.phase
        self._largest_loss = _TIMES_A_GUESS * course.guess_loss
        self._validate = validate
        self._keep_best = keep_best
        self._say = say
        self._before = course.first_step
        self._epoch = 0
        self._is_first = True  # epoch of this process
        self._epoch_start = Moment.now()
        self._pace = Pace(self._epoch_start.seconds)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Starts timing the epoch."""
        self._epoch_start = Moment.now()
        self._epoch = epoch
        self._steps = self._before + self.params["steps"]
        if self._is_first:
            self._pace.begin(self._epoch_start.seconds, epoch + self._before / self._steps)
        self._progress = Progress(f"{self._phase} epoch {epoch + 1}, step", self._steps)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Shows the progress within the epoch.

        Raises:
            DivergenceError: The loss became NaN or infinite.
        """
        step = self._before + batch + 1
        self._progress.update(step)
        if self._is_first and batch == 0:
            add_to_timeline("first step, with compilation", self._epoch_start, Moment.now())
        if self._is_first and batch == 0 and step < self._steps:
            self._pace.begin(time.perf_counter(), self._epoch + step / self._steps)
        # It is the mean over the epoch so far: once it is NaN, it stays NaN.
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            self._progress.clear()
            what = "NaN" if math.isnan(loss) else "infinite"
            raise self._diverged(f"became {what} in step {step} of epoch")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Evaluates and records the epoch.

        Raises:
            DivergenceError: The loss is far above that of random guessing.
        """
        self._progress.clear()
        values = {} if logs is None else logs
        loss = float(values["loss"])
        if loss > self._largest_loss:
            guess = self._course.guess_loss
            raise self._diverged(f"is {loss:.4g} in epoch", f" (random guessing: {guess:.3g})")
        record = self._evaluated(epoch + 1, loss, float(values["accuracy"]))
        values |= {
            "val_loss": record.validation_loss,
            "val_accuracy": record.validation_accuracy,
            "learning_rate": record.learning_rate,
        }
        self._before = 0
        best = self._history.add(record)
        if best:
            self._keep_best()
        self.wait = 0 if best else self.wait + 1
        ended = Moment.now()
        add_to_timeline(f"{self._phase} epoch {epoch + 1}", self._epoch_start, ended)
        now = ended.seconds
        left = self._pace.left(now, epoch + 1, self._course.epochs)
        if self._is_first:
            self._is_first = False
            self._pace.begin(now, epoch + 1)
        self._say(_line(record, self._course, best, left))
        if (
            self._course.patience
            and self.wait >= self._course.patience
            and epoch + 1 < self._course.epochs
        ):
            self._say(
                f"{self._phase}: early stopping, no better validation result within the patience "
                f"of {self._course.patience} epoch{'' if self._course.patience == 1 else 's'}"
            )
            self.model.stop_training = True

    def _evaluated(self, number: int, train_loss: float, train_accuracy: float) -> Epoch:
        """Returns the record of an epoch, with the model's scores on validation."""
        validation_loss, validation_accuracy = self._validate()
        return Epoch(
            phase=self._phase,
            epoch=number,
            learning_rate=float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            seconds=round(time.perf_counter() - self._epoch_start.seconds, 3),
        )

    def _diverged(self, what: str, than: str = "") -> DivergenceError:
        options = "--" if self._phase == "pretrain" else f"--{self._phase}-"
        return DivergenceError(
            f"The training loss {what} {self._epoch + 1} of the {self._phase} phase{than}. Try a "
            f"lower {options}learning-rate, or clip gradients with {options}clip-norm 1."
        )


def _line(epoch: Epoch, course: Course, best: bool, seconds_left: float) -> str:
    epochs, shown = course.epochs, _columns(epoch, course.objective)
    number = f"epoch {epoch.epoch:{len(str(epochs))}d}/{epochs}"
    best = best and epoch.is_validated
    left = f"{readable_seconds(seconds_left)} until epoch {epochs}" if epoch.epoch < epochs else ""
    return _row(epoch.phase, number, shown, best, left)


def solution_line(
    solution: Solution,
    best: bool,
    start: Solution | None = None,
    objective: Objective = SOFTMAX,
) -> str:
    """Returns the progress line of the head fitted with one L2 penalty.

    Args:
        solution: The head.
        best: Whether its validation loss is the lowest so far.
        start: Where the fit started, if not from zero.
        objective: What it was fitted for.
    """
    count = len(solution.iterations)
    if start is not None and np.array_equal(solution.kernel, start.kernel):
        count = 0  # it started at the solution, whose scores are the one iteration
    iterations = (
        f"{count} iteration{'' if count == 1 else 's'}" if count else "0 iterations (converged)"
    )
    if objective.is_number:
        iterations = ""  # it was solved in closed form
    shown = _columns(solution.scores, objective)
    return _row("head", f"L2={solution.penalty:g}", shown, best, iterations)


def _columns(scores: Epoch | Iteration, objective: Objective) -> list[str]:
    """Returns the losses and the metric, as they are shown."""
    name, shown = objective.metric_name, objective.shown
    trained = [f"loss {scores.train_loss:6.4f}", f"{name} {shown(scores.train_accuracy)}"]
    if math.isnan(scores.validation_loss):
        return trained
    return [
        *trained,
        f"val_loss {scores.validation_loss:6.4f}",
        f"val_{name} {shown(scores.validation_accuracy)}",
    ]


def _row(phase: str, place: str, scores: list[str], best: bool, rest: str) -> str:
    """Returns a progress line whose columns are aligned with those of all phases."""
    columns = [f"{phase:8s}", f"{place:11s}", *scores, "best" if best else "    ", rest]
    return "  ".join(columns).rstrip()


class Checkpointing(keras.callbacks.Callback):
    """Saves checkpoints of a phase, and ends it on a signal or when the time budget is exhausted.

    Args:
        journal: Journal of the run.
        first_step: Steps of the resumed epoch that were taken before.
        wait: Returns the number of epochs since the best one.
        more: Returns what a checkpoint holds besides the state of model and optimizer.
    """

    def __init__(
        self,
        journal: PhaseJournal,
        first_step: int,
        wait: Callable[[], int],
        more: Callable[[], Mapping[str, list[np.ndarray]]] = dict,
    ) -> None:
        super().__init__()
        self._journal = journal
        self._before = first_step
        self._wait = wait
        self._more = more
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Remembers the number of the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Saves a checkpoint if a signal was received or one is due, except on the last step.

        Raises:
            InterruptionError: A signal was received.
        """
        journal = self._journal
        step = self._before + batch + 1
        if batch + 1 == self.params["steps"]:
            return
        if journal.interruptions.received is not None or journal.is_due:
            self._write(self._epoch, step)
        journal.interruptions.check()
        if journal.budget.is_exhausted:
            journal.say(
                f"time budget exhausted: training ends at step {step} of epoch {self._epoch + 1}"
            )
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Saves a checkpoint, unless that takes longer than the epochs do.

        Raises:
            InterruptionError: A signal was received.
        """
        self._before = 0
        journal = self._journal
        if (
            journal.interruptions.received is not None
            or journal.is_due
            or journal.is_due_after_epoch
        ):
            self._write(epoch + 1, 0)
        journal.interruptions.check()
        if journal.budget.is_exhausted:
            self.model.stop_training = True

    def _write(self, epoch: int, step: int) -> None:
        state = {"epoch": epoch, "step": step, "waited": self._wait()}
        self._journal.write(state, {**training_state(self.model), **self._more()})
