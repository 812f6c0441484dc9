"""The exceptions that users can see. Only `cli` turns them into exit codes.

```
TfxferError
├── UsageError             a setting, name or path is wrong (exit code 2)
└── RunError               a valid request failed (exit code 1)
    ├── DataError          images or labels cannot be used
    ├── WeightsError       weights are missing, corrupt or of another network
    ├── ExportError        an export failed and was not published
    ├── DivergenceError    the training loss became NaN, or far too high
    ├── OutputError        standard output cannot be written: a full disk, a closed terminal
    │   └── ReaderLeftError  standard output is a closed pipe (exit code 141)
    └── InterruptionError  a signal ended the work (exit code 128 + signal number: 130, 143)
```
"""

import difflib
import signal
from collections.abc import Iterable


class TfxferError(Exception):
    """Base class of errors whose message is meant for the user, without a traceback."""

    exit_code = 1


class UsageError(TfxferError):
    """A setting, name or path is wrong."""

    exit_code = 2


class RunError(TfxferError):
    """A valid request failed."""


class DataError(RunError):
    """Images or labels cannot be used; the message names them."""


class WeightsError(RunError):
    """Weights are missing, corrupt, or of another network."""


class ExportError(RunError):
    """An export could not be written or failed its check. Nothing was published."""


class DivergenceError(RunError):
    """Training diverged: the loss became NaN, or is far above that of guessing."""


class OutputError(RunError):
    """Standard output cannot be written. Without a message, the user was told before."""


class ReaderLeftError(OutputError):
    """Standard output is a pipe that was closed by its reader. Nothing is printed."""

    exit_code = 128 + signal.SIGPIPE  # as shells report it for other programs


class InterruptionError(RunError):
    """A signal ended the work.

    Args:
        number: Number of the signal.
        message: What was saved and how to resume, for the user.
    """

    def __init__(self, number: int, message: str = "") -> None:
        name = signal.Signals(number).name
        super().__init__(message or f"Interrupted by {name}.")
        self.number = number
        self.exit_code = 128 + number  # as shells report processes ended by a signal


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns " Did you mean 'x'?" with the most similar known word, or an empty string.

    Args:
        word: The word that the user wrote.
        known: The valid words.
    """
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{match[0]}'?" if match else ""
