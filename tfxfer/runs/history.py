"""What happened, epoch by epoch: history.csv, TensorBoard, a line on the screen, the best epoch."""

import csv
import dataclasses
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfxfer.errors import UsageError
from tfxfer.system.files import replacing
from tfxfer.system.run_layout import RunDirectory

# Of the loss and the metric of an epoch on validation: of what is greater the weights are kept.
Rank = Callable[[float, float], tuple[float, ...]]

# Epochs on kept features take milliseconds, and a file that is flushed to the disk as long.
_SAVE_SECONDS = 1.0


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


class History:
    """The epochs of a run over all its phases, written down as they happen."""

    def __init__(
        self, run: RunDirectory, rank: Rank, earlier: Mapping[str, Any] | None = None
    ) -> None:
        """Begins a history, or goes on with one.

        Args:
            run: Where it is written down; what is there of epochs that are not in `earlier`, which
                a run that goes on repeats, is forgotten.
            rank: Tells the best epoch.
            earlier: What `as_json` returned.
        """
        self._run = run
        self._rank = rank
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
        if kept and (self.best is None or self._rank_of(epoch) > self._rank_of(self.best)):
            self.best = epoch
            return True
        return False

    def _rank_of(self, epoch: Epoch) -> tuple[float, ...]:
        return self._rank(epoch.validation_loss, epoch.validation_accuracy)

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
