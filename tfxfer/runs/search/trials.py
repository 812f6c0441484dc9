"""The trials of a search, as `trials.csv` holds them."""

import csv
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfxfer.errors import UsageError
from tfxfer.system.files import replacing
from tfxfer.system.run_layout import RunDirectory


@dataclass(frozen=True)
class TrialRow:
    """One row of `trials.csv`.

    Attributes:
        way: Name of the way to fine-tune.
        unfreeze: What it trains: "all", "none" for the head alone, or the first trainable stage.
        learning_rate: Peak learning rate; 0 for the head alone.
        augmentation: The random changes to training images.
        epochs: Epochs of the trial; 0 for the head alone.
        best_epoch: Its best epoch; 0 if none is better than the head alone, whose scores follow.
        validation_loss: Validation loss of its best epoch, after temperature scaling.
        standard_error: Standard error of that loss.
        accuracy: Validation accuracy of that epoch, in [0, 1].
        seconds: Duration.
        kept: "yes" if it was chosen, "no" if not, empty until then.
    """

    way: str
    unfreeze: str
    learning_rate: float
    augmentation: str
    epochs: int
    best_epoch: int
    validation_loss: float
    standard_error: float
    accuracy: float
    seconds: float
    kept: str


def write_trials(run: RunDirectory, rows: Sequence[TrialRow]) -> None:
    """Writes the trials of a run so far.

    Raises:
        RunError: The file cannot be written.
    """
    names = [one.name for one in dataclasses.fields(TrialRow)]
    with replacing(run.trials) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(dataclasses.asdict, rows))


def read_trials(run: RunDirectory) -> list[TrialRow]:
    """Reads the trials of a run; an empty list if there was no search.

    Raises:
        UsageError: The file cannot be read.
    """
    kinds: dict[str, Any] = {one.name: one.type for one in dataclasses.fields(TrialRow)}
    try:
        with run.trials.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [TrialRow(**{name: kind(row[name]) for name, kind in kinds.items()}) for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"Cannot read the trials '{run.trials}': {error}.") from None
