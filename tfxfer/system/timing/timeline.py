"""What a process does when: a trace for a viewer, and a table of where the time goes.

Spans are recorded only while a timeline is being recorded; otherwise they cost next to nothing.
"""

import contextlib
import json
import os
import pathlib
import threading
import time
from collections.abc import Iterator

from tfxfer.system.files import check_output, replacing_named
from tfxfer.system.timing.breakdown import describe_spans
from tfxfer.system.timing.spans import Moment, Span

# Between two samples of how many cores are busy.
_SAMPLE_SECONDS = 0.1

_MICROSECONDS = 1e6


class Timeline:
    """The spans of a process since it was started, and how many of its cores were busy."""

    def __init__(self) -> None:
        self._start = Moment(time.perf_counter() - _age(), 0.0)
        self._spans: list[Span] = []
        self._samples: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="sampler", daemon=True)
        self._sampler.start()

    def add(self, name: str, start: Moment, end: Moment) -> None:
        """Adds a span of this thread."""
        self._spans.append(Span(name, start, end, threading.current_thread().name))

    def finish(self) -> None:
        """Ends the timeline; it covers all time since the start of the process."""
        self._over.set()
        self._sampler.join()
        main, now = threading.main_thread().name, Moment.now()
        own = [span for span in self._spans if span.thread == main]
        first = min((span.start for span in own), key=lambda one: one.seconds, default=now)
        last = max((span.end for span in own), key=lambda one: one.seconds, default=now)
        self._spans.insert(0, Span("start", self._start, first, main))
        self._spans.append(Span("end", last, now, main))

    def as_trace(self) -> str:
        """Returns the timeline in Chrome's Trace Event Format, as JSON.

        Perfetto (https://ui.perfetto.dev) and `chrome://tracing` open it. Processor seconds are
        arguments of a span; "cores busy" is a counter of its own.
        """
        process = os.getpid()
        threads = {name: number for number, name in enumerate(self._threads(), start=1)}
        events: list[dict[str, object]] = [
            {
                "ph": "M",
                "name": "thread_name",
                "pid": process,
                "tid": number,
                "args": {"name": name},
            }
            for name, number in threads.items()
        ]
        events += [
            {
                "ph": "X",
                "name": span.name,
                "pid": process,
                "tid": threads[span.thread],
                "ts": self._microseconds(span.start.seconds),
                "dur": round(span.seconds * _MICROSECONDS),
                "args": {"processor seconds": round(span.cpu, 3)},
            }
            for span in self._spans
        ]
        events += [
            {
                "ph": "C",
                "name": "cores busy",
                "pid": process,
                "ts": self._microseconds(seconds),
                "args": {"cores": round(cores, 2)},
            }
            for seconds, cores in self._samples
        ]
        return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})

    def describe(self) -> str:
        """Returns where the time went, as a table: the parts of the run, and what is in them."""
        main = threading.main_thread().name
        return describe_spans([span for span in self._spans if span.thread == main])

    def _threads(self) -> list[str]:
        return list(dict.fromkeys(span.thread for span in self._spans))

    def _microseconds(self, seconds: float) -> int:
        return round((seconds - self._start.seconds) * _MICROSECONDS)

    def _sample(self) -> None:
        before = Moment.now()
        while not self._over.wait(_SAMPLE_SECONDS):
            now = Moment.now()
            cores = (now.cpu - before.cpu) / (now.seconds - before.seconds)
            self._samples.append((before.seconds, cores))
            before = now


_recorded: list[Timeline] = []


@contextlib.contextmanager
def recording(path: str | pathlib.Path) -> Iterator[Timeline]:
    """Records a timeline and writes it at the end, also after an error.

    Args:
        path: The file to write; see `Timeline.as_trace`.

    Raises:
        UsageError: The file cannot be written; nothing was done.
    """
    check_output(path, "--profile", kind="text")
    timeline = Timeline()
    _recorded.append(timeline)
    try:
        yield timeline
    finally:
        _recorded.remove(timeline)
        timeline.finish()
        with replacing_named(path) as temporary:
            temporary.write_text(timeline.as_trace(), encoding="utf-8")


def add_to_timeline(name: str, start: Moment, end: Moment) -> None:
    """Adds a span of this thread to the timeline, if one is recorded."""
    for timeline in _recorded:
        timeline.add(name, start, end)


@contextlib.contextmanager
def span(name: str) -> Iterator[None]:
    """Records what is done within as a span of the timeline, if one is recorded."""
    start = Moment.now()
    try:
        yield
    finally:
        add_to_timeline(name, start, Moment.now())


def _age() -> float:
    """Returns the seconds since this process was started; 0 where the system does not tell."""
    try:
        fields = pathlib.Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # field 22, counted from 1
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (OSError, ValueError, AttributeError, IndexError):
        return 0.0
