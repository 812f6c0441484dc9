"""The duration of each part of a run."""

import time

from tfxfer.system.timing.spans import Moment
from tfxfer.system.timing.timeline import add_to_timeline


class Clock:
    """A stopwatch with named laps, which may include the time of an interrupted process.

    Each lap is also a part of the timeline, if one is recorded.
    """

    def __init__(self) -> None:
        self._last = Moment.now()
        self._start = self._last.seconds
        self._laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Ends a lap under this name."""
        now = Moment.now()
        self._laps[name] = round(now.seconds - self._last.seconds, 2)
        add_to_timeline(name, self._last, now)
        self._last = now

    def add_earlier(self, seconds: float) -> None:
        """Adds the time of interrupted processes, as a lap "earlier"; no lap if it is zero."""
        if seconds:
            self._laps["earlier"] = round(seconds, 2)

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of each lap so far, and "total" since the start with the earlier time."""
        total = time.perf_counter() - self._start + self._laps.get("earlier", 0.0)
        return {**self._laps, "total": round(total, 2)}
