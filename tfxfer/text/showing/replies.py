"""What a model of texts replies to the page, as HTML."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfxfer.errors import DataError, TfxferError
from tfxfer.showing import markup
from tfxfer.showing.layout import Layout
from tfxfer.showing.replies import Replies
from tfxfer.text.data.source import said
from tfxfer.text.reporting.marking import MOST_WORDS
from tfxfer.text.showing.answering import MOST_CHARACTERS, TextAnswer, TextAnswerer, checked
from tfxfer.text.showing.corrections import TextCorrections

# A word that speaks less for a class, relative to that which speaks most, is not marked.
_FAINT = 0.05


@dataclass(frozen=True)
class ShownTexts(Replies):
    """A model of texts with what the page shows of it.

    Attributes:
        title: Name of the model.
        answerer: Answers about texts.
        mistakes: Texts to try, with their labels in the data.
        corrections: Takes corrected texts; None if they are not kept.
    """

    noun = "text"
    parts = 2

    title: str
    answerer: TextAnswerer
    mistakes: Sequence[tuple[str, str]] = ()
    corrections: TextCorrections | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of the model."""
        return self.answerer.trained.class_names

    @property
    def layout(self) -> Layout:
        """What is on the page before the first text."""
        names = self.class_names
        about = (
            f"Type or paste a text to classify it into one of {len(names):,} classes. Texts stay "
            "on the machine that runs this page."
        )
        return Layout(
            self.title,
            markup.heading(self.title, about),
            markup.NO_ANSWER,
            can_explain=self.answerer.can_explain,
            class_names=() if self.corrections is None else names,
            texts=tuple(text for text, _ in self.mistakes),
            most_characters=MOST_CHARACTERS,
        )

    def answer(self, given: Any) -> tuple[str, ...]:
        """Returns the classes of a text, and its words with what they speak for."""
        if isinstance(given, str) and not given.strip():
            return self.refused(markup.NO_ANSWER)
        try:
            found = self.answerer.answer(given)
        except DataError as error:
            return self.refused(markup.refusal(f"This text cannot be classified: {error}."))
        except TfxferError as error:
            return self.refused(markup.refusal(str(error)))
        label = next((label for one, label in self.mistakes if said(one) == said(given)), None)
        told = markup.ranked(found.ranked)
        if label is not None:
            told += markup.quiet(f"In the data it is labeled {label}.")
        return told, _words(found, self.answerer.trained.max_words)

    def checked(self, given: Any) -> str:
        """Returns a text that a browser sent."""
        return checked(given)


def _words(answer: TextAnswer, max_words: int) -> str:
    """Returns the words of a text, those marked that speak for or against its first class."""
    if not answer.words:
        return ""
    first, second = (html.escape(name) for name, _ in answer.ranked[:2])
    parts = []
    for word in answer.words:
        text, weight = html.escape(word.text), round(abs(word.weight), 2)
        if weight < _FAINT:
            parts.append(text)
            continue
        side, name = ("for", first) if word.weight > 0 else ("against", second)
        parts.append(
            f'<mark class="demo-{side}" style="--weight:{weight}" title="{name}">{text}</mark>'
        )
    told = f"Orange words speak for <strong>{first}</strong>, underlined ones for {second}"
    told += " (integrated gradients)."
    if answer.num_words > max_words:
        told += f" The model reads the first {max_words:,} of {answer.num_words:,} words."
    elif answer.num_words > MOST_WORDS:
        told += f" Shown are the {MOST_WORDS} words in a row that say the most."
    return f'<p class="demo-words">{" ".join(parts)}</p><p class="demo-quiet">{told}</p>'
