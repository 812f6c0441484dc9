"""Ctrl-C and SIGTERM, taken at a moment at which nothing is lost."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Self

from tfxfer.errors import InterruptionError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruptions:
    """A context in which the first SIGINT or SIGTERM ends the work in an orderly way.

    It raises `InterruptionError` at once or, within `deferred`, where `check` is called next. After
    it the system's own handling is back: a second signal ends the process there and then.

    Only the main thread is told of signals: in another one the context changes nothing.
    """

    def __init__(self) -> None:
        self.received: int | None = None  # the signal's number
        self._deferred = False
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                # Where a parent has us ignore a signal (nohup, a shell's background job) we do.
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
            # A library that was in between may have made another error of it.
            raise InterruptionError(self.received) from None

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Has signals wait for the next `check`."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def check(self) -> None:
        """Raises `InterruptionError` if a signal has come."""
        if self.received is not None:
            raise InterruptionError(self.received)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        for other in self._previous:
            signal.signal(other, signal.SIG_DFL)
        if not self._deferred:
            raise InterruptionError(number)
