"""Where the time goes, as a table: the parts of a run, and what is in them."""

import re
from collections.abc import Iterable, Sequence

from tfxfer.system.timing.spans import Span

# A row that takes a smaller share of the time is left out.
_SHOWN_SHARE = 0.005

# Spans that differ only in a number are a row: "finetune epoch 1" and "finetune epoch 2".
_NUMBER = re.compile(r"\s*\d[\d./]*")

_NAME_WIDTH = 42


def describe_spans(spans: Iterable[Span]) -> str:
    """Returns the spans of one thread as a table: wall time, processor time, and cores in use.

    Spans within others are indented, two levels deep. Those of the same name are one row. A part
    that runs longer than what is recorded in it has the rest in no row.

    Args:
        spans: The spans, at least one.

    Examples:
        >>> from tfxfer.system.timing.spans import Moment
        >>> print(describe_spans([Span("head", Moment(0.0, 0.0), Moment(2.0, 3.0))]))
        where the time goes                             wall      CPU  cores
        head                                           2.0 s    3.0 s    1.5
        total                                          2.0 s    3.0 s    1.5
    """
    # Where two begin together, the longer one contains the other.
    ordered = sorted(spans, key=lambda one: (one.start.seconds, -one.end.seconds))
    start, end = ordered[0].start, max((one.end for one in ordered), key=lambda end: end.seconds)
    whole = Span("total", start, end)
    lines = [f"{'where the time goes':{_NAME_WIDTH}}{'wall':>10}{'CPU':>9}{'cores':>7}"]
    for parts in _by_name(_outermost(ordered)):
        lines += _rows(parts, whole, "")
        lines += [
            row for part in _by_name(_within(parts, ordered)) for row in _rows(part, whole, "  ")
        ]
    return "\n".join([*lines, *_rows([whole], whole, "")])


def _outermost(ordered: Iterable[Span]) -> list[Span]:
    """Returns the spans that are in no other one."""
    found: list[Span] = []
    for one in ordered:
        if not (found and found[-1].contains(one)):
            found.append(one)
    return found


def _within(parts: Sequence[Span], ordered: Sequence[Span]) -> list[Span]:
    """Returns the spans directly within some of the outermost ones."""
    found: list[Span] = []
    for part in parts:
        begun = part.start.seconds
        inner = [
            one
            for one in ordered
            if one is not part and one.start.seconds >= begun and part.contains(one)
        ]
        found += _outermost(inner)
    return found


def _by_name(spans: Iterable[Span]) -> list[list[Span]]:
    """Returns spans of the same name together, in the order in which the first ones began."""
    found: dict[str, list[Span]] = {}
    for one in spans:
        found.setdefault(_NUMBER.sub("", one.name), []).append(one)
    return list(found.values())


def _rows(spans: Sequence[Span], whole: Span, indent: str) -> list[str]:
    """Returns the row of spans of the same name; none if they took next to no time."""
    seconds, cpu = sum(one.seconds for one in spans), sum(one.cpu for one in spans)
    if seconds < _SHOWN_SHARE * whole.seconds:
        return []
    name = spans[0].name
    if len(spans) > 1:
        name = f"{_NUMBER.sub('', name)} ({len(spans)} times)"
    cores = cpu / seconds if seconds else 0.0
    return [f"{indent + name:{_NAME_WIDTH}}{seconds:8.1f} s{cpu:7.1f} s{cores:7.1f}"]
