"""CSV that is read back as it was written, whatever is in the fields."""

import csv
from collections.abc import Iterable, Sequence
from typing import Any, Protocol


class TextSink(Protocol):
    """What takes text: a file, or what stands for one."""

    def write(self, text: str, /) -> object:
        """Takes it."""


class TableWriter:
    """Writes rows as CSV: lines end in a line feed, fields are in quotes where they need it.

    Python's own writer leaves a carriage return without quotes where lines end in a line feed, and
    every reader takes it for the end of a line.

    Args:
        file: Opened with `newline=""`.
        quote_all: Whether all fields are in quotes; see `needs_quotes`.
    """

    def __init__(self, file: TextSink, *, quote_all: bool = False) -> None:
        self._quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self._plain = self._quoted if quote_all else csv.writer(file, lineterminator="\n")

    def writerow(self, row: Sequence[Any]) -> None:
        """Writes a row; None is an empty field."""
        has_return = any(isinstance(field, str) and "\r" in field for field in row)
        (self._quoted if has_return else self._plain).writerow(row)


def needs_quotes(texts: Iterable[str]) -> bool:
    """Tells whether there is white space around a text, which belongs to it only inside quotes."""
    return any(text != text.strip() for text in texts)
