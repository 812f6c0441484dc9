"""The texts on which a run was most confidently wrong, as examples to try."""

import pathlib

from tfxfer.showing.mistakes import MOST_MISTAKES, wrong_predictions
from tfxfer.text.data.source import TextSource
from tfxfer.text.showing.answering import MOST_CHARACTERS


def most_confident_mistakes(predictions: pathlib.Path, source: TextSource) -> list[tuple[str, str]]:
    """Returns texts on which a run was wrong, with their labels in the data.

    Args:
        predictions: `predictions.csv` of the run; without one there are no mistakes.
        source: Its data.

    Returns:
        At most eight, the most confident first.
    """
    wrong = wrong_predictions(predictions)
    texts = {
        one: text
        for split in source.splits.values()
        for one, text in zip(split.ids, split.texts, strict=True)
    }
    found = [(texts[row["id"]], row["label"]) for row in wrong if row["id"] in texts]
    return [(text, label) for text, label in found if len(text) <= MOST_CHARACTERS][:MOST_MISTAKES]
