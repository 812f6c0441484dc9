"""The images to label next, as text, as JSON and as rows of a manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfxfer.curation.labeling.asking import Strategy
from tfxfer.data.source import shown

# How many of them the text names.
_SHOWN = 10

_MEANING: Mapping[Strategy, str] = {
    "typical": "typical of clusters without a label",
    "uncertain": "uncertain, and unlike each other",
}


@dataclass(frozen=True)
class NextImage:
    """An image to label next.

    Attributes:
        path: The file.
        predicted: The class that the model predicts.
        probability: Of that class.
        margin: Difference of the two highest probabilities, in [0, 1].
    """

    path: str
    predicted: str
    probability: float
    margin: float


@dataclass(frozen=True)
class NextImages:
    """The images to label next, the most useful first.

    Attributes:
        images: The images.
        strategy: How they were chosen.
        num_labeled: Images that have a label, in the data of the run.
        num_files: Image files that were given.
        num_known: Those of them that are in the data of the run.
        num_duplicates: Those that have the content of another one.
        unreadable: Unreadable files, each with the reason.
    """

    images: tuple[NextImage, ...]
    strategy: Strategy
    num_labeled: int
    num_files: int
    num_known: int
    num_duplicates: int
    unreadable: tuple[tuple[str, str], ...]

    def describe(self) -> str:
        """Returns the result as text: how they were chosen, and the first of them."""
        left_out = {
            "in the data of the run": self.num_known,
            "exact duplicates": self.num_duplicates,
            "unreadable": len(self.unreadable),
        }
        told = [f"{count:,} {what}" for what, count in left_out.items() if count]
        lines = [
            f"{len(self.images):,} of {self.num_files:,} images to label next: "
            f"{_MEANING[self.strategy]} ({self.num_labeled:,} images have a label)"
        ]
        lines += [f"left out: {', '.join(told)}"] if told else []
        lines += [f"unreadable: {path}: {reason}" for path, reason in self.unreadable[:_SHOWN]]
        lines += [
            f"  {one.path}  {shown(one.predicted)} {one.probability:.3f}, margin {one.margin:.3f}"
            for one in self.images[:_SHOWN]
        ]
        more = len(self.images) - _SHOWN
        return "\n".join([*lines, f"  and {more:,} more"] if more > 0 else lines)

    def as_json(self) -> dict[str, Any]:
        """Returns everything as JSON-serializable values."""
        return {
            "strategy": self.strategy,
            "num_labeled": self.num_labeled,
            "num_files": self.num_files,
            "num_known": self.num_known,
            "num_duplicates": self.num_duplicates,
            "unreadable": [{"path": path, "reason": reason} for path, reason in self.unreadable],
            "next": [vars(one) for one in self.images],
        }

    def rows(self) -> Sequence[Mapping[str, Any]]:
        """Returns rows of a manifest without labels, by the names of their columns."""
        return [
            {
                "path": one.path,
                "split": "train",
                "predicted": one.predicted,
                "probability": f"{one.probability:.3f}",
            }
            for one in self.images
        ]
