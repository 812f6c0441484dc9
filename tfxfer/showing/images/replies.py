"""What a model replies to the page, as HTML."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfxfer.data.source import listed
from tfxfer.errors import DataError, TfxferError
from tfxfer.inference.saved_model import limits_of
from tfxfer.showing import markup as general
from tfxfer.showing.images import markup
from tfxfer.showing.images.answering import Answer, Answerer, read_content
from tfxfer.showing.images.corrections import Corrections
from tfxfer.showing.images.mistakes import Mistake
from tfxfer.showing.images.nearest import NearestImages
from tfxfer.showing.layout import Layout
from tfxfer.system import streams


@dataclass(frozen=True)
class Shown:
    """A model with what the page shows of it.

    Attributes:
        title: Name of the model.
        answerer: Answers about images.
        mistakes: Examples to try.
        nearest: Finds training images that are near to an image; None if they are not available.
        corrections: Takes corrected images; None if they are not kept.
    """

    title: str
    answerer: Answerer
    mistakes: Sequence[Mistake] = ()
    nearest: NearestImages | None = None
    corrections: Corrections | None = None

    @property
    def layout(self) -> Layout:
        """What is on the page before the first image."""
        names = self.answerer.trained.class_names
        about = f"{self._about()} Images stay on the machine that runs this page."
        return Layout(
            self.title,
            general.heading(self.title, about),
            general.NO_ANSWER,
            self.answerer.can_explain,
            () if self.corrections is None else names,
            tuple(mistake.content for mistake in self.mistakes),
        )

    def _about(self) -> str:
        """Returns what the page is for, in a sentence."""
        outputs = self.answerer.trained.outputs
        if outputs.tasks is not None:
            return f"Drop an image to classify it by {listed(outputs.tasks.names)}."
        if outputs.thresholds is not None:
            return f"Drop an image to see which of {len(outputs.names):,} labels it gets."
        kind = "ordered classes" if outputs.is_ordered else "classes"
        return f"Drop an image to classify it into one of {len(outputs.names):,} {kind}."

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
        except Exception as error:  # whatever an upload does, the page lives
            streams.note(f"The demo could not reply: {type(error).__name__}: {error}")
            sentence = general.refusal("The model failed on this file; the terminal says why.")
            return (sentence, "", "") if what == "answer" else (sentence,)

    def answer(self, path: str | None) -> tuple[str, str, str]:
        """Returns the classes of an upload, the image as the model sees it, and those near to it.

        Args:
            path: Of the upload; None if it was removed.
        """
        if path is None:
            return general.NO_ANSWER, "", ""
        try:
            content = read_content(path)
            with self.nearest.paused() if self.nearest else contextlib.nullcontext():
                answer = self.answerer.answer(content)
        except DataError as error:
            return general.refusal(f"This file cannot be classified: {error}."), "", ""
        except TfxferError as error:
            return general.refusal(str(error)), "", ""
        label = next((one.label for one in self.mistakes if one.content == content), None)
        near = "" if self.nearest is None else _near(self.nearest, answer)
        classes = [markup.bars(answer, label)]
        is_unknown = answer.doubt is not None and answer.doubt.unknown  # which is said first
        doubt = markup.doubt(answer, limits_of(self.answerer.trained))
        classes.insert(0 if is_unknown else 1, doubt)
        return "".join(classes), markup.image_with_heat(answer), near

    def keep(self, path: str | None, label: Any) -> str:
        """Keeps an upload with its class, and returns what happened.

        Args:
            path: Of the upload; None if there is none.
            label: What was chosen.
        """
        if self.corrections is None:
            return general.refusal("Corrections are not kept.")
        if path is None:
            return general.refusal("There is no image to save. Upload one first.")
        if label not in self.answerer.trained.class_names:
            return general.refusal("Choose the correct class first.")
        try:
            content = read_content(path)
            self.answerer.answer(content)  # what cannot be decoded is not kept
            remark = self.corrections.keep(content, label)
            return self.count(f"Saved as '{label}'.", remark)
        except DataError as error:
            return general.refusal(f"This file was not saved: {error}.")
        except TfxferError as error:
            return general.refusal(f"The correction was not saved. {error}")

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
            return general.refusal(str(error))
        without = " The data of the run are not files, so add them to your data by hand."
        return general.corrections(number, str(self.corrections.path), command, before, without)


def _near(nearest: NearestImages, answer: Answer) -> str:
    """Returns what the page shows of the training images near to an image."""
    if nearest.is_computing:
        return general.saying(
            "The features of the training images are still being computed. After that, each image "
            "is shown with its nearest ones."
        )
    return markup.nearest(nearest.of(answer.square), len(nearest))
