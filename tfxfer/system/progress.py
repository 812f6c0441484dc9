"""Progress lines on standard error, remaining time, and readable durations and sizes."""

import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from tfxfer.system.streams import is_terminal, write_to_stderr
from tfxfer.system.timing.spans import Moment
from tfxfer.system.timing.timeline import add_to_timeline

_TERMINAL_SECONDS = 0.2  # between updates in place

_LOG_SECONDS = 15.0  # between lines where standard error is a file

Say = Callable[[str], None]


class Pace:
    """Estimates the remaining time from the progress since `begin`.

    Restart it after one-off work, such as the compilation in the first step, to exclude that.
    """

    def __init__(self, now: float, done: float = 0.0) -> None:
        """Starts; see `begin`."""
        self.begin(now, done)

    def begin(self, now: float, done: float) -> None:
        """Starts or restarts the measurement.

        Args:
            now: Current time in seconds.
            done: Amount done so far, in any unit.
        """
        self._start, self._done = now, done

    def left(self, now: float, done: float, total: float) -> float:
        """Returns the estimated seconds left; more must be done than at `begin`.

        Args:
            now: Current time in seconds.
            done: Amount done so far.
            total: Total amount.
        """
        if done >= total:
            return 0.0
        return (now - self._start) / (done - self._done) * (total - done)


class Progress:
    """Shows "features 320/5000, 12 s left" during a pass, and clears the line of a terminal.

    In a log file, a line is written every fifteen seconds.
    """

    def __init__(self, label: str, total: int, unit_size: int = 1) -> None:
        """Prepares the line.

        Args:
            label: Label of the pass.
            total: Number of examples.
            unit_size: Examples per unit of `update`, such as the batch size.
        """
        self._label = label
        self._total = total
        self._unit_size = unit_size
        self._terminal = is_terminal(sys.stderr)
        self._shown = time.monotonic()
        self._pace = Pace(self._shown)
        self._is_first = True

    def update(self, units_done: int) -> None:
        """Shows the progress after this many units, unless it was shown a moment ago."""
        now = time.monotonic()
        done = min(units_done * self._unit_size, self._total)
        left = self._pace.left(now, done, self._total)
        if self._is_first:
            self._is_first = False
            self._pace.begin(now, done)
        if now - self._shown < (_TERMINAL_SECONDS if self._terminal else _LOG_SECONDS):
            return
        self._shown = now
        text = f"{self._label} {done}/{self._total}, {readable_seconds(left)} left"
        write_to_stderr(f"\r\033[K{text}" if self._terminal else f"{text}\n")

    def clear(self) -> None:
        """Clears the line of a terminal."""
        if self._terminal:
            write_to_stderr("\r\033[K")

    def __enter__(self) -> Self:
        self._begun = Moment.now()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.clear()
        add_to_timeline(self._label, self._begun, Moment.now())


def readable_seconds(seconds: float) -> str:
    """Returns a duration as text: "8 s", "3 min 20 s", "1 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // (24 * 3600)} days"


def readable_duration(seconds: Mapping[str, float]) -> str:
    """Returns the duration of a run, with that before an interruption, as text."""
    earlier = seconds.get("earlier")
    before = f", {readable_seconds(earlier)} of it before resuming" if earlier else ""
    return readable_seconds(seconds["total"]) + before


def readable_bytes(number: float) -> str:
    """Returns a size as text: "312 kB", "4.1 MB", "2.0 GB"."""
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return (
                f"{number:.0f} {unit}"
                if number >= 100 or unit == "bytes"
                else f"{number:.1f} {unit}"
            )
        number /= 1000
    return f"{number:.1f} GB"
