"""The numbers in the cells of a manifest: a column of them is the target.

An empty cell is a missing number: the image is left out.
"""

import math
import pathlib

from tfxfer.data.labels.reading import LabelReading
from tfxfer.data.sources.manifests.cells import Cell
from tfxfer.errors import UsageError


class NumberCells:
    """The numbers of all lines of a manifest, and what is noted on them.

    Args:
        path: Of the manifest.
        how: How its labels are to be read; the target is named.

    Attributes:
        are_several: Whether images have several labels.
        have_missing: Whether a line has something in a column of unknown labels; there is none.
    """

    are_several = False
    have_missing = False

    def __init__(self, path: pathlib.Path, how: LabelReading) -> None:
        self._path = path
        self._target = how.target
        self._cells: list[Cell] = []
        self._num_missing = 0

    def add(self, cell: Cell) -> None:
        """Adds what the next line says."""
        self._cells.append(cell)

    def labels(self) -> list[float | None]:
        """Returns the number of each line, None where it is missing.

        Raises:
            UsageError: A cell is not a number, or no line has one; the message names it.
        """
        found = [self._number(cell) for cell in self._cells]
        self._num_missing = found.count(None)
        if self._num_missing == len(found):
            raise UsageError(
                f"Column '{self._target}' of the manifest '{self._path}' is empty on all lines, "
                f"from {self._cells[0].line} to {self._cells[-1].line}. Give it numbers, or name "
                "another column with --target."
            )
        return found

    def notes(self) -> list[str]:
        """Returns notes on the target and on missing numbers."""
        notes = [f"labels of '{self._path.name}': the number in column '{self._target}'"]
        if self._num_missing:
            images = "1 image" if self._num_missing == 1 else f"{self._num_missing:,} images"
            notes.append(f"left out, with nothing in column '{self._target}': {images}")
        return notes

    def _number(self, cell: Cell) -> float | None:
        """Returns the number of a line."""
        text = cell.text.strip()
        if not text:
            return None
        try:
            # Python reads digits of other scripts, and 1_000, as numbers; other programs do not.
            number = float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UsageError(
                f"Line {cell.line} of the manifest '{self._path}', column '{self._target}', has "
                f"'{text}'; it must be a finite number such as 12.5, or empty if it is missing."
            )
        return number
