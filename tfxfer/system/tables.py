"""Tables: columns that line up for people, and CSV that is read back as it was written."""

import csv
from collections.abc import Iterable, Sequence
from typing import Any, Protocol


def text_width(text: str) -> int:
    """Returns how many columns of a terminal a text takes: two of 猫, one of é."""
    if text.isascii():
        return len(text)
    # Here, so that `--help` need not wait for it.
    from rich.cells import cell_len

    return cell_len(text)


def padded(text: str, width: int) -> str:
    """Returns a text with spaces after it, to as many columns of a terminal, if it is no wider."""
    return text + " " * (width - text_width(text))


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
