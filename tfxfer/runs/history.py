"""The history of a run, epoch by epoch: history.csv, TensorBoard, the best epoch."""

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
from tfxfer.system.processes.team import is_first
from tfxfer.system.run_layout import RunDirectory

# Sort key of an epoch from its validation loss and metric; the weights of the greatest are kept.
Rank = Callable[[float, float], tuple[float, ...]]

# Epochs on cached features take milliseconds, as does flushing a file to disk.
_SAVE_SECONDS = 1.0


@dataclass(frozen=True)
class Epoch:
    """One row of `history.csv`. Losses are cross-entropy with label smoothing.

    Training scores use the sample weights. Validation scores weigh all examples equally or, with
    balanced class weights, all classes; see `weighting.evaluation_weights`.

    Attributes:
        phase: "head", "finetune" or "pretrain".
        epoch: Number within the phase, from 1.
        learning_rate: Learning rate after the epoch; 1 for L-BFGS, its full step.
        train_loss: Mean over the batches of the epoch, as the weights changed.
        train_accuracy: Mean over the batches of the epoch, as the weights changed.
        validation_loss: Loss on validation after the epoch; NaN without validation images.
        validation_accuracy: Accuracy on validation after the epoch, in [0, 1]; likewise.
        seconds: Duration of training and validation.
    """

    phase: str
    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float

    @property
    def is_validated(self) -> bool:
        """Whether there were validation images."""
        return not math.isnan(self.validation_loss)


class Epochs:
    """Epochs, and the best of them.

    Attributes:
        epochs: The epochs so far.
        best: The best epoch so far, which may be one from before; None if there is none.
    """

    def __init__(self, rank: Rank, best: Epoch | None = None) -> None:
        """Starts without epochs.

        Args:
            rank: Sort key of an epoch; the greatest is the best.
            best: The epoch that others must surpass.
        """
        self._rank: Rank | None = rank
        self.epochs: list[Epoch] = []
        self.best = best

    def restore(self, earlier: Mapping[str, Any]) -> None:
        """Adds the epochs that `as_json` returned."""
        for values in earlier["epochs"]:
            self._append(Epoch(**values))
        if earlier["best"] is not None:
            self.best = self.epochs[earlier["best"]]

    def as_json(self) -> dict[str, Any]:
        """Returns the epochs so far and the index of the best one, JSON-serializable.

        The index is None if none of them is the best.
        """
        best = self.epochs.index(self.best) if self.best in self.epochs else None
        return {"epochs": [dataclasses.asdict(epoch) for epoch in self.epochs], "best": best}

    def replace(self, others: Mapping[str, Any]) -> None:
        """Has the epochs that `as_json` returned in place of its own."""
        self.epochs.clear()
        Epochs.restore(self, others)

    def keep_last(self) -> None:
        """Makes the last epoch the best: without validation images there is no other choice."""
        self._rank = None

    def add(self, epoch: Epoch, kept: bool = True) -> bool:
        """Adds an epoch and returns whether it is the best so far.

        Args:
            epoch: The epoch.
            kept: Whether its weights are available; otherwise it cannot be the best.
        """
        self._append(epoch)
        if kept and self._is_best(epoch):
            self.best = epoch
            return True
        return False

    def _is_best(self, epoch: Epoch) -> bool:
        rank, best = self._rank, self.best
        if rank is None or best is None:
            return True
        mine, others = (rank(one.validation_loss, one.validation_accuracy) for one in (epoch, best))
        return mine > others

    def _append(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)


class History(Epochs):
    """The epochs of a run over all its phases, written as they finish.

    Of several processes the first writes them.
    """

    def __init__(
        self, run: RunDirectory, rank: Rank, earlier: Mapping[str, Any] | None = None
    ) -> None:
        """Starts or resumes a history.

        Args:
            run: The run. Its files lose epochs that are not in `earlier`: a resumed run repeats
                them.
            rank: Sort key of an epoch; the greatest is the best.
            earlier: The history up to the checkpoint, from `as_json`; None starts a new one.
        """
        super().__init__(rank)
        self._run = run
        self._saved = -math.inf
        self._is_written = is_first()
        self._writers = {}
        if self._is_written:
            shutil.rmtree(run.events, ignore_errors=True)
            self._writers = {
                split: tf.summary.create_file_writer(str(run.events / split))
                for split in ("train", "validation")
            }
        if earlier is not None:
            self.restore(earlier)
            self.save()

    def add(self, epoch: Epoch, kept: bool = True) -> bool:
        """Adds an epoch and returns whether it is the best so far; see `Epochs.add`.

        The files are written at most once a second, and by `save`.
        """
        is_best = super().add(epoch, kept)
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self.save()
        return is_best

    def adopt(self, others: Epochs) -> None:
        """Adds the epochs of a trial; its best epoch is that of the run.

        Args:
            others: Epochs that began with the best one of this history.
        """
        for epoch in others.epochs:
            self._append(epoch)
        self.best = others.best
        self.save()

    def save(self) -> None:
        """Writes the epochs so far."""
        if not self._is_written:
            return
        self._saved = time.monotonic()
        names = [field.name for field in dataclasses.fields(Epoch)]
        # The file is small: rewriting it each time keeps it complete.
        with replacing(self._run.history) as temporary, temporary.open("w", newline="") as file:
            rows = csv.DictWriter(file, names, lineterminator="\n")
            rows.writeheader()
            rows.writerows(map(dataclasses.asdict, self.epochs))
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """Writes the remaining epochs and closes the TensorBoard files."""
        self.save()
        for writer in self._writers.values():
            writer.close()

    def _append(self, epoch: Epoch) -> None:
        super()._append(epoch)
        for split, writer in self._writers.items():
            if split == "validation" and not epoch.is_validated:
                continue
            with writer.as_default(step=len(self.epochs)):
                tf.summary.scalar("loss", getattr(epoch, f"{split}_loss"))
                tf.summary.scalar("accuracy", getattr(epoch, f"{split}_accuracy"))
                if split == "train":
                    tf.summary.scalar("learning_rate", epoch.learning_rate)


def read_history(run: RunDirectory) -> list[Epoch]:
    """Reads the epochs of a run from `history.csv`.

    Args:
        run: The run.

    Raises:
        UsageError: The file is missing or corrupt.
    """
    kinds: dict[str, Any] = {field.name: field.type for field in dataclasses.fields(Epoch)}
    try:
        with run.history.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [Epoch(**{name: kind(row[name]) for name, kind in kinds.items()}) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"Cannot read the history '{run.history}': {error}.") from None
