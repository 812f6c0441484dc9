"""The mistakes of a run, as examples to try."""

import csv
import pathlib
from collections.abc import Mapping

# As many examples as one looks at.
MOST_MISTAKES = 8


def wrong_predictions(predictions: pathlib.Path) -> list[Mapping[str, str]]:
    """Returns the rows of a run's predictions that are wrong, the most confident first.

    Args:
        predictions: `predictions.csv` of the run; without one there are no rows.
    """
    if not predictions.is_file():
        return []
    with predictions.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        wrong = [row for row in csv.DictReader(file) if row["label"] != row["predicted"]]
    return sorted(wrong, key=lambda row: -float(row["confidence"]))
