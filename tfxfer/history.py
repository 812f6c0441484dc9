"""What happened, epoch by epoch: history.csv, TensorBoard, a line on the screen, the best epoch."""

import csv
import dataclasses
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tfxfer.errors import DivergenceError, UsageError
from tfxfer.linear import Solution
from tfxfer.progress import Pace, Progress, readable_seconds
from tfxfer.run_directory import RunDirectory, replacing

# Epochs on kept features take milliseconds, and a file that is flushed to the disk as long.
_SAVE_SECONDS = 1.0

# A training loss of so many times that of a guess is not that of a network that learns.
_TIMES_A_GUESS = 10


@dataclass(frozen=True)
class Epoch:
    """One row of `history.csv`; losses are the training loss's, label smoothing included.

    Training's numbers are under the weights that its examples have. Those of validation count each
    example the same or, with balanced class weights, each class: see `weighting.judging_weights`.

    Attributes:
        phase: "head", "finetune" or "pretrain".
        epoch: Number within the phase, from 1.
        learning_rate: Where the schedule stands after the epoch; 1 for lbfgs, its full step.
        train_accuracy: Over the epoch's own batches, as the weights changed.
        seconds: Training and validation together.
    """

    phase: str
    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float

    def better_than(self, other: "Epoch | None") -> bool:
        """Tells which is kept: higher validation accuracy, then lower validation loss."""
        if other is None:
            return True
        return (self.validation_accuracy, -self.validation_loss) > (
            other.validation_accuracy,
            -other.validation_loss,
        )


class History:
    """The epochs of a run over all its phases, written down as they happen."""

    def __init__(self, run: RunDirectory, earlier: Mapping[str, Any] | None = None) -> None:
        """Begins a history, or goes on with one.

        Args:
            run: Where it is written down; what is there of epochs that are not in `earlier`, which
                a run that goes on repeats, is forgotten.
            earlier: What `as_json` returned.
        """
        self._run = run
        self._saved = -math.inf
        shutil.rmtree(run.events, ignore_errors=True)
        self._writers = {
            split: tf.summary.create_file_writer(str(run.events / split))
            for split in ("train", "validation")
        }
        self.epochs: list[Epoch] = []
        self.best: Epoch | None = None
        if earlier is None:
            return
        for values in earlier["epochs"]:
            self._take_down(Epoch(**values))
        if earlier["best"] is not None:
            self.best = self.epochs[earlier["best"]]
        self.save()

    def as_json(self) -> dict[str, Any]:
        """Returns the epochs so far, and which is the best, as JSON can write them."""
        best = self.epochs.index(self.best) if self.best else None
        return {"epochs": [dataclasses.asdict(epoch) for epoch in self.epochs], "best": best}

    def add(self, epoch: Epoch, kept: bool = True) -> bool:
        """Takes an epoch down and tells whether it is the best so far.

        It is on the disk after `save`, or when the next epoch is added a second later or more.

        Args:
            epoch: What happened.
            kept: Whether its weights are there to be kept; without them it cannot be the best.
        """
        self._take_down(epoch)
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self.save()
        if kept and epoch.better_than(self.best):
            self.best = epoch
            return True
        return False

    def save(self) -> None:
        """Writes down the epochs so far."""
        self._saved = time.monotonic()
        names = [field.name for field in dataclasses.fields(Epoch)]
        # The file is written anew each time: it is small, and so it is whole at any moment.
        with replacing(self._run.history) as temporary, temporary.open("w", newline="") as file:
            rows = csv.DictWriter(file, names, lineterminator="\n")
            rows.writeheader()
            rows.writerows(map(dataclasses.asdict, self.epochs))
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """Writes down what is not yet, and ends the TensorBoard files."""
        self.save()
        for writer in self._writers.values():
            writer.close()

    def _take_down(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        for split, writer in self._writers.items():
            with writer.as_default(step=len(self.epochs)):
                tf.summary.scalar("loss", getattr(epoch, f"{split}_loss"))
                tf.summary.scalar("accuracy", getattr(epoch, f"{split}_accuracy"))
                if split == "train":
                    tf.summary.scalar("learning_rate", epoch.learning_rate)


def read_history(run: RunDirectory) -> list[Epoch]:
    """Returns the epochs of a run, as `History` wrote them down.

    Raises:
        UsageError: There is no such file, or it is damaged.
    """
    kinds: dict[str, Any] = {field.name: field.type for field in dataclasses.fields(Epoch)}
    try:
        with run.history.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [Epoch(**{name: kind(row[name]) for name, kind in kinds.items()}) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"Cannot read '{run.history}', which the fit leaves: {error}.") from None


class PhaseRecorder(keras.callbacks.Callback):
    """Follows one phase: records each epoch, keeps the best weights, stops when told to.

    Callbacks behind it find in an epoch's logs, beside training's "loss" and "accuracy", also
    "val_loss", "val_accuracy" and "learning_rate", by the names that Keras gives them.

    Args:
        history: Where epochs are written down.
        phase: "head", "finetune" or "pretrain".
        epochs: How many the phase has.
        num_classes: How many logits; a loss far above that of a guess is no training any more.
        validate: Returns loss and accuracy on validation, as the model is now.
        keep_best: Called after each epoch that is the best of the run so far.
        patience: Epochs without a new best after which the phase stops; 0 never stops it.
        say: Prints a line.
        waited: Epochs without a new best, of a phase that is gone on with.
        first_step: Steps that were taken before, of the epoch that is gone on with.
    """

    def __init__(
        self,
        history: History,
        phase: str,
        epochs: int,
        num_classes: int,
        validate: Callable[[], tuple[float, float]],
        keep_best: Callable[[], None],
        patience: int,
        say: Callable[[str], None],
        *,
        waited: int = 0,
        first_step: int = 0,
    ) -> None:
        super().__init__()
        self.waited = waited
        self._history = history
        self._phase = phase
        self._epochs = epochs
        self._largest_loss = _TIMES_A_GUESS * math.log(num_classes)
        self._validate = validate
        self._keep_best = keep_best
        self._patience = patience
        self._say = say
        self._before = first_step
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
            guess = self._largest_loss / _TIMES_A_GUESS
            raise self._diverged(f"is {loss:.4g} in epoch", f", where guessing gives {guess:.3g}")
        validation_loss, validation_accuracy = self._validate()
        record = Epoch(
            phase=self._phase,
            epoch=epoch + 1,
            learning_rate=float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            train_loss=loss,
            train_accuracy=float(values["accuracy"]),
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            seconds=round(time.perf_counter() - self._epoch_start, 3),
        )
        values |= {
            "val_loss": validation_loss,
            "val_accuracy": validation_accuracy,
            "learning_rate": record.learning_rate,
        }
        self._before = 0
        best = self._history.add(record)
        if best:
            self._keep_best()
        self.waited = 0 if best else self.waited + 1
        now = time.perf_counter()
        left = self._pace.left(now, epoch + 1, self._epochs)
        if self._is_first:
            self._is_first = False
            self._pace.begin(now, epoch + 1)
        self._say(_line(record, self._epochs, best, left))
        if self._patience and self.waited >= self._patience and epoch + 1 < self._epochs:
            self._say(
                f"{self._phase}: stopped, no better validation result in {self.waited} epochs"
            )
            self.model.stop_training = True

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
