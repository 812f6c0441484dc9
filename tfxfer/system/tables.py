"""Aligned columns for terminals, and CSV files."""

import csv
import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from tfxfer.system.files import replacing

# Width of the first column of a plan, and how a row of one begins, with one character more.
_PLAN_COLUMN = 16
_PLAN_ROW = re.compile(r"(\S+( \S+)*)? {2,}\S")


def text_width(text: str) -> int:
    """Returns the width of a text in terminal columns: 2 for 猫, 1 for é."""
    if text.isascii():
        return len(text)
    # Imported here to keep `--help` fast.
    from rich.cells import cell_len

    return cell_len(text)


def padded(text: str, width: int) -> str:
    """Returns a text padded with spaces to a width in terminal columns."""
    return text + " " * (width - text_width(text))


def wrapped(text: str, width: int) -> str:
    """Returns a text with lines that fit a terminal, where they have spaces to be broken at.

    Rows of columns are broken between two columns. What follows is indented: below the second
    column of a plan, whose first is 16 wide, else by two spaces. Lines that begin with one to 15
    spaces are commands or rows of a table, and stay as they are.

    Args:
        text: Lines.
        width: Columns of the terminal.

    Examples:
        >>> print(wrapped("search          tries several configurations", 36))
        search          tries several
                        configurations
    """
    return "\n".join(_broken(line, width) for line in text.split("\n"))


def _broken(line: str, width: int) -> str:
    """Returns a line as several, if it is too wide."""
    spaces = len(line) - len(line.lstrip())
    if text_width(line) <= width or 0 < spaces < _PLAN_COLUMN:
        return line
    start = line[:_PLAN_COLUMN] if _PLAN_ROW.fullmatch(line[: _PLAN_COLUMN + 1]) else ""
    indent = " " * (_PLAN_COLUMN if start else 2)
    rest = line[len(start) :]
    has_columns = "  " in rest
    lines = [start]
    for piece in re.findall(r"\S+(?: \S+)*\s*" if has_columns else r"\S+\s*", rest):
        if text_width((lines[-1] + piece).rstrip()) > width and lines[-1].strip():
            lines.append(indent)
        lines[-1] += piece
    return "\n".join(one.rstrip() for one in lines)


class TextSink(Protocol):
    """Anything with `write`, such as a file."""

    def write(self, text: str, /) -> object:
        """Writes text."""


class TableWriter:
    r"""Writes rows as CSV with "\n" line endings; fields are quoted where needed.

    With these line endings Python's own writer does not quote carriage returns, which every reader
    takes for the end of a line.

    Args:
        file: A file opened with `newline=""`.
        quote_all: Whether to quote all fields; see `needs_quotes`.
    """

    def __init__(self, file: TextSink, *, quote_all: bool = False) -> None:
        self._quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self._plain = self._quoted if quote_all else csv.writer(file, lineterminator="\n")

    def writerow(self, row: Sequence[Any]) -> None:
        """Writes a row; None is an empty field."""
        has_return = any(isinstance(field, str) and "\r" in field for field in row)
        (self._quoted if has_return else self._plain).writerow(row)


def needs_quotes(texts: Iterable[str]) -> bool:
    """Tells whether any text has leading or trailing white space, which only quotes preserve."""
    return any(text != text.strip() for text in texts)


def write_table(path: pathlib.Path, titles: Sequence[Any], rows: Iterable[Sequence[Any]]) -> None:
    """Writes rows as a CSV file, which has the old or all of the new content.

    Bytes of file names that are not UTF-8 are written as they are.

    Args:
        path: The file.
        titles: The first row.
        rows: The others.
    """
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = TableWriter(file)
        for row in (titles, *rows):
            table.writerow(row)
