"""What was corrected on the page of a run, in manifests that `fit` takes."""

import abc
import pathlib
import shlex
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from tfxfer.system.run_layout import RunDirectory

Source = TypeVar("Source")
Kept = TypeVar("Kept")


class CorrectionsOfRun(abc.ABC, Generic[Source, Kept]):
    """The corrections of a run.

    `corrections.csv` lists what was corrected. `with_corrections.csv` lists it together with the
    data of the run: a fit on it trains on both.

    Args:
        run: The run.
        source: Its data; None if corrections cannot be joined with them.
    """

    def __init__(self, run: RunDirectory, source: Source | None) -> None:
        self._run = run
        self._source = source
        self._lock = threading.Lock()

    @property
    def path(self) -> pathlib.Path:
        """The manifest of what was corrected."""
        return self._run.corrections

    @abc.abstractmethod
    def labels(self) -> dict[str, str]:
        """Returns the label of each correction, by its text or its path relative to the run.

        Raises:
            UsageError, DataError: Somebody edited `corrections.csv`, and it is no manifest.
        """

    @abc.abstractmethod
    def keep(self, given: Kept, label: str) -> str:
        """Keeps something with its label; the last label counts.

        Returns:
            A sentence on what happens to it in training, or the empty string.

        Raises:
            RunError: A file cannot be written.
            UsageError, DataError: As of `labels`.
        """

    def command(self) -> str:
        """Returns the command that trains with the corrections; empty if there is none.

        A manifest has one source, so data that are not files cannot be joined.
        """
        if self._source is None or not self._run.with_corrections.is_file():
            return ""
        name = f"{self._run.path.resolve().name}-corrected-{len(self.labels())}"
        words = ["tfxfer", "fit", "--config", str(self._run.asked)]
        words += ["--data", str(self._run.with_corrections), "--run", name]
        return shlex.join(words)


def remark(is_in: Callable[[str], bool]) -> str:
    """Returns what happens in training to a correction of what is held out; empty if it is not.

    Args:
        is_in: Tells whether it is in a split of the run's data.

    Examples:
        >>> remark(lambda split: split == "test")[:32]
        'It is also in the test split, so'
        >>> remark(lambda split: False)
        ''
    """
    for split in ("test", "validation"):
        if is_in(split):
            return (
                f"It is also in the {split} split, so a fit leaves it out of training; correct "
                "its label there if that is wrong."
            )
    return ""
