"""What a check finds by the features of a backbone, as records, as JSON and as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfxfer.data.source import listed, shown
from tfxfer.system.tables import padded, text_width

# How much of it the text shows.
_SHOWN_SUSPECTS = 20

_WORTH = (
    "Score: probability of the given label by classifiers that were not trained on the image; 0 "
    "is most suspicious. Look at each before you change it: of what such a method listed on ten "
    "well-known datasets, about half was truly wrong (Northcutt et al. 2021, arXiv:2103.14749)."
)


@dataclass(frozen=True)
class SuspectLabel:
    """An image whose label looks wrong.

    Attributes:
        path: Its id: the path of its file, "cifar10 train #5".
        given: Name of the class that it is labeled as.
        suggested: Name of the class that it looks like.
        score: Probability of the given label, in [0, 1]; 0 is most suspicious.
    """

    path: str
    given: str
    suggested: str
    score: float


@dataclass(frozen=True)
class FeatureFindings:
    """What was found by the features of a backbone.

    Attributes:
        backbone: Name of the backbone.
        num_images: Number of images that were examined.
        suspects: Images whose label looks wrong, the most suspicious first.
        unjudged: Names of the classes whose labels could not be judged, as they have too few images
            or groups.
    """

    backbone: str
    num_images: int
    suspects: tuple[SuspectLabel, ...]
    unjudged: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Returns the findings in types that JSON has."""
        return {
            "backbone": self.backbone,
            "num_images": self.num_images,
            "suspect_labels": [
                {
                    "path": one.path,
                    "given": one.given,
                    "suggested": one.suggested,
                    "score": round(one.score, 6),
                }
                for one in self.suspects
            ],
            "unjudged_classes": list(self.unjudged),
        }

    def describe(self) -> list[str]:
        """Returns the findings as lines of text."""
        lines = [f"By the features of {self.backbone} ({self.num_images:,} images):", ""]
        lines += self._describe_suspects()
        if self.unjudged:
            lines.append(
                "Not judged, as at least two different images (or groups) are needed: "
                f"{listed(self.unjudged)}."
            )
        return lines

    def _describe_suspects(self) -> list[str]:
        if not self.suspects:
            return ["No labels look wrong."]
        share = len(self.suspects) / self.num_images
        most = len(self.suspects) > _SHOWN_SUSPECTS
        count = (
            "1 label looks" if len(self.suspects) == 1 else f"{len(self.suspects):,} labels look"
        )
        lines = [f"{count} wrong ({share:.1%}), the most suspicious first:"]
        some = self.suspects[:_SHOWN_SUSPECTS]
        rows = [["given", "suggested", "score", "image"]]
        rows += [[shown(s.given), shown(s.suggested), f"{s.score:.4f}", s.path] for s in some]
        lines += [f"  {line}" for line in _aligned(rows)]
        if most:
            lines.append(f"  and {len(self.suspects) - len(some):,} more; --json lists all")
        return [*lines, _WORTH]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns rows as lines with columns of equal width; the last has its own."""
    widths = [max(map(text_width, column)) + 2 for column in list(zip(*rows, strict=True))[:-1]]
    return [
        "".join(padded(text, width) for text, width in zip(row, widths, strict=False)) + row[-1]
        for row in rows
    ]
