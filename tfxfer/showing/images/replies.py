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
from tfxfer.showing.replies import Replies


@dataclass(frozen=True)
class Shown(Replies):
    """A model with what the page shows of it.

    Attributes:
        title: Name of the model.
        answerer: Answers about images.
        mistakes: Examples to try.
        nearest: Finds training images that are near to an image; None if they are not available.
        corrections: Takes corrected images; None if they are not kept.
    """

    noun = "file"
    parts = 3
    unjoined = " The data of the run are not files, so add them to your data by hand."

    title: str
    answerer: Answerer
    mistakes: Sequence[Mistake] = ()
    nearest: NearestImages | None = None
    corrections: Corrections | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of the model."""
        return self.answerer.trained.class_names

    @property
    def layout(self) -> Layout:
        """What is on the page before the first image."""
        about = f"{self._about()} Images stay on the machine that runs this page."
        return Layout(
            self.title,
            general.heading(self.title, about),
            general.NO_ANSWER,
            self.answerer.can_explain,
            () if self.corrections is None else self.class_names,
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

    def answer(self, given: str | None) -> tuple[str, ...]:
        """Returns the classes of an upload, the image as the model sees it, and those near to it.

        Args:
            given: Path of the upload; None if it was removed.
        """
        if given is None:
            return self.refused(general.NO_ANSWER)
        try:
            content = read_content(given)
            with self.nearest.paused() if self.nearest else contextlib.nullcontext():
                answer = self.answerer.answer(content)
        except DataError as error:
            return self.refused(general.refusal(f"This file cannot be classified: {error}."))
        except TfxferError as error:
            return self.refused(general.refusal(str(error)))
        label = next((one.label for one in self.mistakes if one.content == content), None)
        near = "" if self.nearest is None else _near(self.nearest, answer)
        classes = [markup.bars(answer, label)]
        is_unknown = answer.doubt is not None and answer.doubt.unknown  # which is said first
        doubt = markup.doubt(answer, limits_of(self.answerer.trained))
        classes.insert(0 if is_unknown else 1, doubt)
        return "".join(classes), markup.image_with_heat(answer), near

    def checked(self, given: str) -> bytes:
        """Returns the content of an upload; what cannot be decoded is not kept."""
        content = read_content(given)
        self.answerer.answer(content)
        return content

    def keep(self, given: str | None, label: Any) -> str:
        """Keeps an upload with its class, and returns what happened.

        Args:
            given: Path of the upload; None if there is none.
            label: What was chosen.
        """
        if self.corrections is not None and given is None:
            return general.refusal("There is no image to save. Upload one first.")
        return super().keep(given, label)


def _near(nearest: NearestImages, answer: Answer) -> str:
    """Returns what the page shows of the training images near to an image."""
    if nearest.is_computing:
        return general.saying(
            "The features of the training images are still being computed. After that, each image "
            "is shown with its nearest ones."
        )
    return markup.nearest(nearest.of(answer.square), len(nearest))
