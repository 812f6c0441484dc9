"""What a check finds by the features of a backbone, as records, as JSON and as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfxfer.data.source import listed, shown
from tfxfer.system.tables import padded, text_width

# How much of it the text shows.
_SHOWN_SUSPECTS = 20

_SHOWN_GROUPS, _SHOWN_OF_GROUP = 5, 4

_SHOWN_OUTLIERS = 10

# Heads on fewer images are often wrong themselves.
_FEW_IMAGES = 100

# AUROC from which splits differ a little, and clearly. Random splits of 400 to 1,000 images lie
# between 0.43 and 0.58 (benchmarks/README.md).
_SLIGHT, _CLEAR = 0.6, 0.7

_WORTH = (
    "Score: probability of the given label by classifiers that were not trained on the image; 0 "
    "is most suspicious. Review each before you change it: on ten well-known datasets, about half "
    "of the labels so found were truly wrong (Northcutt et al. 2021, arXiv:2103.14749)."
)

_FEW = "With so few images this is uncertain: more of these labels may be right."


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
class NearCopies:
    """Images of one thing: the same photograph edited, or other photographs of it.

    Attributes:
        paths: Ids of the images, split by split.
        splits: The split of each.
        classes: Name of the class of each.
        distance: Relative distance of the closest pair by features, in [0, 1/3); None if only
            perceptual hashes found them.
    """

    paths: tuple[str, ...]
    splits: tuple[str, ...]
    classes: tuple[str, ...]
    distance: float | None

    @property
    def across_splits(self) -> bool:
        """Whether they are in more than one split."""
        return len(set(self.splits)) > 1


@dataclass(frozen=True)
class Outlier:
    """An image that looks like nothing else in its class.

    Attributes:
        path: Its id.
        name: Name of its class.
        score: How far its distance to the tenth neighbor of the class is beyond the upper quartile,
            in interquartile ranges, above 1.5.
    """

    path: str
    name: str
    score: float


@dataclass(frozen=True)
class SplitShift:
    """How well a head tells the images of two splits apart.

    Attributes:
        splits: Names of the splits.
        auroc: Area under its ROC curve within classes; 0.5 is chance, 1 is always. None if there
            are too few images.
        interval: 95% interval of the AUROC.
        only_in: For each of both splits, names of the classes that the other has no images of.
    """

    splits: tuple[str, str]
    auroc: float | None
    interval: tuple[float, float] | None
    only_in: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def describe(self) -> list[str]:
        """Returns what it means as lines of text."""
        first, other = self.splits
        lines = []
        if self.auroc is not None and self.interval is not None:
            low, high = self.interval
            auroc = f"AUROC {self.auroc:.2f} ({low:.2f} to {high:.2f}; 0.5 is chance)"
            lines.append(f"{first} and {other}: {self._verdict()}, {auroc}.")
            if self.auroc >= _SLIGHT:
                lines.append(_MEANING.format(first=first, other=other))
        for name, there, lacking in zip(self.splits, self.only_in, (other, first), strict=True):
            if there:
                lines.append(f"Only '{name}', not '{lacking}', has {listed(there)}.")
        return lines

    def _verdict(self) -> str:
        if self.auroc is None or self.auroc < _SLIGHT:
            return "no difference found"
        return "differ" if self.auroc >= _CLEAR else "differ a little"


_MEANING = (
    "  Images of the same class look different in '{other}', so a score on it tells how well a "
    "model does on such images, not on images like those of '{first}'. A validation split that "
    "`fit` splits off '{first}' gives other scores than '{other}'."
)


@dataclass(frozen=True)
class FeatureFindings:
    """What was found by the features of a backbone.

    Attributes:
        backbone: Name of the backbone.
        num_images: Number of images that were examined.
        suspects: Images whose label looks wrong, the most suspicious first.
        unjudged: Names of the classes whose labels could not be judged, as they have too few images
            or groups.
        near_copies: Groups of near copies, those across splits first, each the closest first.
        outliers: Outliers of all classes, the furthest first.
        shifts: The first split compared with each other one.
    """

    backbone: str
    num_images: int
    suspects: tuple[SuspectLabel, ...]
    unjudged: tuple[str, ...] = ()
    near_copies: tuple[NearCopies, ...] = ()
    outliers: tuple[Outlier, ...] = ()
    shifts: tuple[SplitShift, ...] = ()

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
            "near_copies": [
                {
                    "paths": list(one.paths),
                    "splits": list(one.splits),
                    "classes": list(one.classes),
                    "across_splits": one.across_splits,
                    "distance": None if one.distance is None else round(one.distance, 6),
                }
                for one in self.near_copies
            ],
            "outliers": [
                {"path": one.path, "class": one.name, "score": round(one.score, 6)}
                for one in self.outliers
            ],
            "shift": [_shift_as_json(one) for one in self.shifts],
        }

    def describe(self) -> list[str]:
        """Returns the findings as lines of text."""
        lines = [f"Findings from the features of {self.backbone} ({self.num_images:,} images):", ""]
        lines += self._describe_suspects()
        if self.unjudged:
            lines.append(
                "Not examined, as at least two different images (or groups) are needed: "
                f"{listed(self.unjudged)}."
            )
        lines += ["", *self._describe_near_copies(), "", *self._describe_outliers()]
        told = [line for one in self.shifts for line in one.describe()]
        return [*lines, *(["", "Shift between splits:", *told] if told else [])]

    def _describe_suspects(self) -> list[str]:
        if not self.suspects:
            return ["No labels look wrong."]
        share = len(self.suspects) / self.num_images
        count = (
            "1 label looks" if len(self.suspects) == 1 else f"{len(self.suspects):,} labels look"
        )
        lines = [f"{count} wrong ({share:.1%}), the most suspicious first:"]
        some = self.suspects[:_SHOWN_SUSPECTS]
        rows = [["given", "suggested", "score", "image"]]
        rows += [[shown(s.given), shown(s.suggested), f"{s.score:.4f}", s.path] for s in some]
        few = [_FEW] if self.num_images < _FEW_IMAGES else []
        return [*lines, *_table(rows), *_more(self.suspects, len(some)), *few, _WORTH]

    def _describe_near_copies(self) -> list[str]:
        if not self.near_copies:
            return ["No near copies found."]
        across = [one for one in self.near_copies if one.across_splits]
        within = [one for one in self.near_copies if not one.across_splits]
        lines = []
        for groups, where in ((across, "across splits"), (within, "within a split")):
            if groups:
                total = sum(len(one.paths) for one in groups)
                noun = "1 group" if len(groups) == 1 else f"{len(groups):,} groups"
                lines.append(
                    f"{noun} of near copies {where} ({total:,} images), probably of one object:"
                )
                for one in groups[:_SHOWN_GROUPS]:
                    paths = " = ".join(one.paths[:_SHOWN_OF_GROUP])
                    left = len(one.paths) - _SHOWN_OF_GROUP
                    lines.append(f"  {paths}" + (f" and {left:,} more" if left > 0 else ""))
                lines += _more(groups, min(len(groups), _SHOWN_GROUPS))
        return [*lines, _LEAK]

    def _describe_outliers(self) -> list[str]:
        if not self.outliers:
            return ["No outliers found."]
        count = "1 outlier" if len(self.outliers) == 1 else f"{len(self.outliers):,} outliers"
        some = self.outliers[:_SHOWN_OUTLIERS]
        rows = [["class", "score", "image"]]
        rows += [[shown(one.name), f"{one.score:.1f}", one.path] for one in some]
        lines = [f"{count}, images that look like nothing else in their class, the furthest first:"]
        return [*lines, *_table(rows), *_more(self.outliers, len(some)), _OUTLIER_SCORE]


_OUTLIER_SCORE = (
    "Score: the distance to the tenth nearest image of the class, as the number of interquartile "
    "ranges above the upper quartile of these distances in the class."
)

_LEAK = (
    "Near copies across splits leak: scores are too high. When validation or test images are split "
    "off, near copies within a split leak, too; `fit --group-near-copies` keeps them together."
)


def _shift_as_json(shift: SplitShift) -> dict[str, Any]:
    auroc, interval = shift.auroc, shift.interval
    return {
        "splits": list(shift.splits),
        "auroc": None if auroc is None else round(auroc, 6),
        "interval": None if interval is None else [round(end, 6) for end in interval],
        "only_in": {
            name: list(names) for name, names in zip(shift.splits, shift.only_in, strict=True)
        },
    }


def _more(items: Sequence[Any], num_shown: int) -> list[str]:
    """Returns a line on what is not shown, if anything."""
    left = len(items) - num_shown
    return [f"  and {left:,} more; --json lists all"] if left else []


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns rows as indented lines with columns of equal width; the last has its own."""
    widths = [max(map(text_width, column)) + 2 for column in list(zip(*rows, strict=True))[:-1]]
    return [
        "  "
        + "".join(padded(text, width) for text, width in zip(row, widths, strict=False))
        + row[-1]
        for row in rows
    ]
