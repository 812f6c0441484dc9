"""Moments and spans of time, with the processor seconds that were used."""

import os
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Moment:
    """A moment.

    Attributes:
        seconds: Of a clock that never goes backward.
        cpu: Processor seconds that this process and its ended children have used.
    """

    seconds: float
    cpu: float

    @classmethod
    def now(cls) -> "Moment":
        """Returns this moment."""
        times = os.times()
        children = times.children_user + times.children_system
        return cls(time.perf_counter(), time.process_time() + children)


@dataclass(frozen=True)
class Span:
    """Something that took time.

    Attributes:
        name: What it was.
        start: When it began.
        end: When it ended.
        thread: Name of the thread that did it.
    """

    name: str
    start: Moment
    end: Moment
    thread: str = "MainThread"

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end.seconds - self.start.seconds

    @property
    def cpu(self) -> float:
        """Processor seconds that the whole process used meanwhile."""
        return self.end.cpu - self.start.cpu

    def contains(self, other: "Span") -> bool:
        """Tells whether another span, which began no earlier, ended within this one."""
        return other.end.seconds <= self.end.seconds
