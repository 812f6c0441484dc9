"""What a model of texts answers about one text."""

from dataclasses import dataclass

import keras
import numpy as np

from tfxfer.errors import DataError
from tfxfer.system.isolation import isolated
from tfxfer.text.data.source import said
from tfxfer.text.models.attribution import WordAttributions, words_of
from tfxfer.text.reporting.marking import MarkedWord, marked, readable
from tfxfer.text.serving.loading import TrainedTexts

# Number of most probable classes in an answer.
_MOST_CLASSES = 5

# Of a longer text a model reads the beginning at most, and a browser shows it slowly.
MOST_CHARACTERS = 200_000


@dataclass(frozen=True)
class TextAnswer:
    """What a model says of a text.

    Attributes:
        ranked: The most probable classes with their probabilities, the most probable first.
        words: The text, with what each word speaks for; empty where the model cannot tell.
        num_words: Words of the text.
    """

    ranked: tuple[tuple[str, float], ...]
    words: tuple[MarkedWord, ...]
    num_words: int


class TextAnswerer:
    """A classifier that answers about one text at a time.

    Args:
        trained: The classifier.
    """

    def __init__(self, trained: TrainedTexts) -> None:
        self.trained = trained
        # An export has no layers to go back through.
        is_open = isinstance(trained.model, keras.Model)
        self._attributions = WordAttributions(trained.model) if is_open else None

    @property
    def can_explain(self) -> bool:
        """Whether answers have marked words."""
        return self._attributions is not None

    def warm_up(self) -> None:
        """Answers once, so that the first text need not wait."""
        self.answer("a text")

    @isolated
    def answer(self, text: object) -> TextAnswer:
        """Returns what the model says; the probabilities are those of `tfxfer.predict`.

        Args:
            text: What a browser sent, which is not trusted.

        Raises:
            DataError: It is no text; the message is the reason alone.
        """
        text = checked(text)
        row = self.trained.predict(text)[0]
        order = np.argsort(-row, kind="stable")[:_MOST_CLASSES]
        names, shown = self.trained.class_names, readable(text)
        words = self._attributions.words_of(shown) if self._attributions else words_of(shown)
        ranked = tuple((names[place], float(row[place])) for place in order)
        found: list[MarkedWord] = []
        if self._attributions is not None and len(order) > 1:
            found = marked(words, self._attributions.of(shown, *map(int, order[:2])))
        return TextAnswer(ranked, tuple(found), len(words))


def checked(text: object) -> str:
    """Returns a text that a browser sent.

    Raises:
        DataError: It is something else, or too long; the message is the reason alone.
    """
    if not isinstance(text, str) or not said(text.replace("\0", " ")):
        raise DataError("it has no words")
    if len(text) > MOST_CHARACTERS:
        raise DataError(f"it has {len(text):,} characters, more than {MOST_CHARACTERS:,}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError("it is not valid Unicode") from None
    return text
