"""Handles Ctrl-C and SIGTERM at a moment when nothing is lost."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Self

from tfxfer.errors import InterruptionError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruptions:
    """A context in which the first SIGINT or SIGTERM raises `InterruptionError`.

    It is raised at once or, within `deferred`, at the next call of `check`. A second signal ends
    the process immediately. Only the main thread receives signals: in another thread the context
    does nothing.
    """

    def __init__(self) -> None:
        self.received: int | None = None  # the signal's number
        self._deferred = False
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                # Keep ignoring signals that the parent ignores (nohup, background jobs).
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)  # type: ignore[arg-type]  # what `signal` returned
        if self.received is not None and not isinstance(error, InterruptionError | None):
            # A library in between may have turned it into another error.
            raise InterruptionError(self.received) from None

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Defers signals to the next `check`."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def check(self) -> None:
        """Raises `InterruptionError` if a signal was received."""
        if self.received is not None:
            raise InterruptionError(self.received)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        for other in self._previous:
            signal.signal(other, signal.SIG_DFL)
        if not self._deferred:
            raise InterruptionError(number)
