"""What the page of any model has replied, as HTML; images and texts add what they are."""

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

from tfxfer.errors import DataError, TfxferError
from tfxfer.showing import markup
from tfxfer.showing.corrections import CorrectionsOfRun
from tfxfer.system import streams


class Replies(abc.ABC):
    """The replies of a model to its page.

    Attributes:
        noun: What a visitor gives, for sentences.
        parts: Number of parts of an answer.
        unjoined: What to do where no command trains with the corrections, for the page.
        corrections: Takes what was corrected; None if that is not kept.
    """

    noun: ClassVar[str]
    parts: ClassVar[int]
    unjoined: ClassVar[str] = ""

    corrections: CorrectionsOfRun[Any, Any] | None

    @property
    @abc.abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """The classes of the model."""

    @abc.abstractmethod
    def answer(self, given: Any) -> tuple[str, ...]:
        """Returns what the page shows of what a visitor gave."""

    @abc.abstractmethod
    def checked(self, given: Any) -> Any:
        """Returns what is kept of what a visitor gave.

        Raises:
            TfxferError: The model cannot answer about it.
        """

    def reply(self, what: str, arguments: Sequence[Any]) -> tuple[str, ...]:
        """Returns what the page shows in reply to a request.

        Args:
            what: The name of a method.
            arguments: Of it. They come from the browser.
        """
        try:
            if what == "answer":
                return self.answer(*arguments)
            return (self.keep(*arguments) if what == "keep" else self.count(),)
        except Exception as error:  # whatever a visitor gives, the page lives
            streams.note(f"The demo could not reply: {type(error).__name__}: {error}")
            sentence = markup.refusal(
                f"The model failed on this {self.noun}; the terminal says why."
            )
            return self.refused(sentence) if what == "answer" else (sentence,)

    def refused(self, sentence: str) -> tuple[str, ...]:
        """Returns an answer that is only a sentence."""
        return (sentence, *[""] * (self.parts - 1))

    def keep(self, given: Any, label: Any) -> str:
        """Keeps what a visitor gave with its class, and returns what happened.

        Args:
            given: By the visitor.
            label: What was chosen.
        """
        if self.corrections is None:
            return markup.refusal("Corrections are not kept.")
        if label not in self.class_names:
            return markup.refusal("Choose the correct class first.")
        try:
            remark = self.corrections.keep(self.checked(given), label)
            return self.count(f"Saved as '{label}'.", remark)
        except DataError as error:
            return markup.refusal(f"This {self.noun} was not saved: {error}.")
        except TfxferError as error:
            return markup.refusal(f"The correction was not saved. {error}")

    def count(self, *before: str) -> str:
        """Returns how many corrections there are, and how to train with them.

        Args:
            before: Sentences before that.
        """
        if self.corrections is None:
            return ""
        try:
            number, command = len(self.corrections.labels()), self.corrections.command()
        except TfxferError as error:
            return markup.refusal(str(error))
        path = str(self.corrections.path)
        return markup.corrections(number, path, command, before, self.unjoined)
