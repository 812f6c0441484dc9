"""The errors a user can meet; only `cli` turns them into an exit code.

```
TfxferError
├── UsageError             what was asked for cannot be: a setting, a name, a path (exit code 2)
└── RunError               what was asked for went wrong while it was done (exit code 1)
    ├── DataError          images or labels that cannot be used
    ├── WeightsError       weights that are missing, damaged or of another network
    ├── ExportError        an export that was not published
    ├── DivergenceError    a training whose loss is no number any more, or far too high
    ├── OutputError        standard output takes no more: a full disk, a terminal that is gone
    │   └── ReaderLeftError  it is a pipe whose reader left (exit code 141)
    └── InterruptionError  a signal ended it (exit code 128 and the signal's number: 130, 143)
```
"""

import difflib
import signal
from collections.abc import Iterable


class TfxferError(Exception):
    """Any error whose message is meant for the user; the message is all they need to see."""

    exit_code = 1


class UsageError(TfxferError):
    """What was asked for cannot be: a setting, a name or a path is wrong."""

    exit_code = 2


class RunError(TfxferError):
    """What was asked for is sensible, but failed while it was done."""


class DataError(RunError):
    """Images or labels that cannot be used; the message names them."""


class WeightsError(RunError):
    """Weights that are missing, damaged, or made for another network."""


class ExportError(RunError):
    """An export that could not be written or did not pass its check; nothing was published."""


class DivergenceError(RunError):
    """A training that cannot go on: its loss is no number any more, or far above a guess's."""


class OutputError(RunError):
    """What was found out cannot be printed; without a message the user was told before."""


class ReaderLeftError(OutputError):
    """Standard output is a pipe that nobody reads any more; there is nobody to be told."""

    exit_code = 128 + signal.SIGPIPE  # as shells report other programs that it happens to


class InterruptionError(RunError):
    """A signal ended the work; what there is to say of how it goes on is the message.

    Args:
        number: Of the signal.
        message: For the user.
    """

    def __init__(self, number: int, message: str = "") -> None:
        name = signal.Signals(number).name
        super().__init__(message or f"Interrupted by {name}.")
        self.number = number
        self.exit_code = 128 + number  # as shells report a process that a signal ended


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns " Did you mean 'x'?" for the nearest of the known words, or the empty string.

    Args:
        word: What the user wrote.
        known: The words that would have been right.
    """
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{match[0]}'?" if match else ""
