"""What happens at the end of each epoch."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from tfxfer.errors import DivergenceError
from tfxfer.runs.history import Epoch, History
from tfxfer.runs.journal import Journal
from tfxfer.system.progress import Pace, Progress, readable_seconds
from tfxfer.training.epochs.state import training_state
from tfxfer.training.logistic_regression import Solution

# A training loss of so many times that of a guess is not that of a network that learns.
_TIMES_A_GUESS = 10


@dataclass(frozen=True)
class Course:
    """How far a phase goes, and how far it had got before.

    Attributes:
        phase: "head", "finetune" or "pretrain".
        epochs: How many the phase has.
        guess_loss: The loss of a guess; one far above it is no training any more.
        patience: Epochs without a new best after which the phase stops; 0 never stops it.
        waited: Epochs without a new best, of a phase that is gone on with.
        first_step: Steps that were taken before, of the epoch that is gone on with.
    """

    phase: str
    epochs: int
    guess_loss: float
    patience: int = 0
    waited: int = 0
    first_step: int = 0


class PhaseRecorder(keras.callbacks.Callback):
    """Follows one phase: records each epoch, keeps the best weights, stops when told to.

    Callbacks behind it find in an epoch's logs, beside training's "loss" and "accuracy", also
    "val_loss", "val_accuracy" and "learning_rate", by the names that Keras gives them.

    Args:
        history: Where epochs are written down.
        course: Of the phase.
        validate: Returns loss and accuracy on validation, as the model is now.
        keep_best: Called after each epoch that is the best of the run so far.
        say: Prints a line.
    """

    def __init__(
        self,
        history: History,
        course: Course,
        validate: Callable[[], tuple[float, float]],
        keep_best: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.waited = course.waited
        self._history = history
        self._course = course
        self._phase = course.phase
        self._largest_loss = _TIMES_A_GUESS * course.guess_loss
        self._validate = validate
        self._keep_best = keep_best
        self._say = say
        self._before = course.first_step
        self._epoch = 0
        self._is_first = True  # of the epochs that are run here
        self._epoch_start = time.perf_counter()
        self._pace = Pace(self._epoch_start)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Starts the epoch's clock."""
        self._epoch_start = time.perf_counter()
        self._epoch = epoch
        self._steps = self._before + self.params["steps"]
        if self._is_first:
            self._pace.begin(self._epoch_start, epoch + self._before / self._steps)
        self._progress = Progress(f"{self._phase} epoch {epoch + 1}, step", self._steps)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Shows how far the epoch is.

        Raises:
            DivergenceError: The loss is not a number any more.
        """
        step = self._before + batch + 1
        self._progress.update(step)
        if self._is_first and batch == 0 and step < self._steps:
            self._pace.begin(time.perf_counter(), self._epoch + step / self._steps)
        # It is the mean over the epoch so far: once it is no number, it stays so.
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            self._progress.clear()
            raise self._diverged(f"became {loss} in step {step} of epoch", "")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Records the epoch.

        Raises:
            DivergenceError: The loss is far above that of a guess.
        """
        self._progress.clear()
        values = {} if logs is None else logs
        loss = float(values["loss"])
        if loss > self._largest_loss:
            guess = self._course.guess_loss
            raise self._diverged(f"is {loss:.4g} in epoch", f", where guessing gives {guess:.3g}")
        record = self._judged(epoch + 1, loss, float(values["accuracy"]))
        values |= {
            "val_loss": record.validation_loss,
            "val_accuracy": record.validation_accuracy,
            "learning_rate": record.learning_rate,
        }
        self._before = 0
        best = self._history.add(record)
        if best:
            self._keep_best()
        self.waited = 0 if best else self.waited + 1
        now = time.perf_counter()
        left = self._pace.left(now, epoch + 1, self._course.epochs)
        if self._is_first:
            self._is_first = False
            self._pace.begin(now, epoch + 1)
        self._say(_line(record, self._course.epochs, best, left))
        if (
            self._course.patience
            and self.waited >= self._course.patience
            and epoch + 1 < self._course.epochs
        ):
            self._say(
                f"{self._phase}: stopped, no better validation result in {self.waited} epochs"
            )
            self.model.stop_training = True

    def _judged(self, number: int, train_loss: float, train_accuracy: float) -> Epoch:
        """Returns an epoch of training with how the model does on validation after it."""
        validation_loss, validation_accuracy = self._validate()
        return Epoch(
            phase=self._phase,
            epoch=number,
            learning_rate=float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            seconds=round(time.perf_counter() - self._epoch_start, 3),
        )

    def _diverged(self, what: str, than: str) -> DivergenceError:
        options = "--" if self._phase == "pretrain" else f"--{self._phase}-"
        return DivergenceError(
            f"The training loss {what} {self._epoch + 1} of the {self._phase} phase{than}. Try a "
            f"lower {options}learning-rate, or clip gradients with {options}clip-norm 1."
        )


def _line(epoch: Epoch, epochs: int, best: bool, seconds_left: float) -> str:
    width = len(str(epochs))
    return (
        f"{epoch.phase:8s} {epoch.epoch:{width}d}/{epochs}"
        f"  loss {epoch.train_loss:.4f}  accuracy {epoch.train_accuracy:.4f}"
        f"  validation loss {epoch.validation_loss:.4f}"
        f"  accuracy {epoch.validation_accuracy:.4f} {'*' if best else ' '}"
        f"  {readable_seconds(seconds_left)} left"
    )


def solution_line(solution: Solution, best: bool) -> str:
    """Returns the line on the head under one penalty, as a person reads it."""
    scores = solution.scores
    return (
        f"head     penalty {solution.penalty:<6g}"
        f"  loss {scores.train_loss:.4f}  accuracy {scores.train_accuracy:.4f}"
        f"  validation loss {scores.validation_loss:.4f}"
        f"  accuracy {scores.validation_accuracy:.4f} {'*' if best else ' '}"
        f"  {len(solution.passes)} pass{'' if len(solution.passes) == 1 else 'es'}"
    )


class Checkpointing(keras.callbacks.Callback):
    """Takes down a phase as it is trained, and ends it where a signal or the budget says so.

    Args:
        journal: Of the run.
        first_step: Of the epoch that is gone on with: steps that were taken before.
        waited: Returns how many epochs have passed since the best one.
    """

    def __init__(self, journal: Journal, first_step: int, waited: Callable[[], int]) -> None:
        super().__init__()
        self._journal = journal
        self._before = first_step
        self._waited = waited
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Notes the epoch's number."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Takes down the step if a signal has come or it is time, but for an epoch's last step.

        Raises:
            InterruptionError: A signal has come.
        """
        journal = self._journal
        step = self._before + batch + 1
        if batch + 1 == self.params["steps"]:
            return
        if journal.interruptions.received is not None or journal.is_due:
            self._write(self._epoch, step)
        journal.interruptions.check()
        if journal.budget.is_over:
            journal.say(
                f"the time is over: epoch {self._epoch + 1} ends at step {step}, and the training "
                "with it"
            )
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Takes down the epoch, unless epochs are shorter than that takes.

        Raises:
            InterruptionError: A signal has come.
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
        if journal.budget.is_over:
            self.model.stop_training = True

    def _write(self, epoch: int, step: int) -> None:
        state = {"epoch": epoch, "step": step, "waited": self._waited()}
        self._journal.write(state, training_state(self.model))
