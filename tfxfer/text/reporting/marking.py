"""Marks the words of a text that speak for a class, where it says the most."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxfer.text.data.source import LINE_BREAK

# Words of a text that are shown, and the characters of one.
MOST_WORDS, _MOST_CHARACTERS = 80, 40

_GAP = "..."


@dataclass(frozen=True)
class MarkedWord:
    """A word that is shown.

    Attributes:
        text: The word, cut if it is long.
        weight: In [-1, 1], of the largest attribution in the text; 0 for what is not marked.
    """

    text: str
    weight: float


def readable(text: str) -> str:
    """Returns a text without line breaks of HTML and NUL, which a page does not show."""
    return LINE_BREAK.sub(" ", text).replace("\0", " ")


def marked(
    words: Sequence[tuple[str, bool]], attributions: npt.NDArray[np.float32]
) -> list[MarkedWord]:
    """Returns the part of a text with the largest attributions, in its order.

    Args:
        words: As of `attribution.words_of`.
        attributions: Of the words that are read, as far as the model reads them.
    """
    values = np.zeros(len(words), np.float32)
    read = np.flatnonzero([is_read for _, is_read in words])[: len(attributions)]
    values[read] = attributions[: len(read)]
    sums = np.concatenate([[0.0], np.cumsum(np.abs(values))])
    starts = max(1, len(words) - MOST_WORDS + 1)
    ends = np.minimum(np.arange(starts) + MOST_WORDS, len(words))
    start = int(np.argmax(np.round(sums[ends] - sums[:starts], 6)))
    largest = max(float(np.abs(values).max(initial=0.0)), 1e-9)
    shown = [
        MarkedWord(_cut(word), float(values[start + place] / largest))
        for place, (word, _) in enumerate(words[start : start + MOST_WORDS])
    ]
    before = [MarkedWord(_GAP, 0.0)] if start else []
    after = [MarkedWord(_GAP, 0.0)] if start + MOST_WORDS < len(words) else []
    return [*before, *shown, *after]


def _cut(word: str) -> str:
    return word if len(word) <= _MOST_CHARACTERS else word[:_MOST_CHARACTERS] + _GAP
