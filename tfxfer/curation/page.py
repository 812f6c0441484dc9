"""The page of a check: thumbnails of suspects with their neighbors, near copies, outliers."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfxfer.curation.examining import Examination
from tfxfer.data.cache import places
from tfxfer.data.checks.result import CheckResult
from tfxfer.data.contents import Integers
from tfxfer.reporting.html.filling import fill
from tfxfer.reporting.thumbnails import data_urls, read_thumbnails

# How much of it the page shows: about 3 MB.
_SUSPECTS, _NEIGHBORS = 60, 5

_GROUPS, _OF_GROUP = 30, 6

_OUTLIERS = 30

_SIDE = 128


@dataclass(frozen=True)
class Tile:
    """An image of the page.

    Attributes:
        url: The thumbnail.
        id: The last parts of its path.
        name: Its class.
        split: Its split.
        note: What else is said of it.
    """

    url: str
    id: str
    name: str
    split: str
    note: str = ""


def render(found: Examination, result: CheckResult) -> str:
    """Returns the page as self-contained HTML.

    Args:
        found: What the features say.
        result: What the check has found.
    """
    suspects = found.judged.suspects[:_SUSPECTS]
    near = found.neighbors.indices[suspects, :_NEIGHBORS]
    groups = [one.members[:_OF_GROUP] for one in found.groups[:_GROUPS]]
    outliers = found.outliers.images[:_OUTLIERS]
    tiles = _tiles(found, [suspects, near[near >= 0], *groups, outliers])
    findings, names = found.findings, result.class_names
    return fill(
        "check.html",
        title=f"Check of {result.data}",
        findings=findings,
        problems=result.findings,
        suspects=[
            {
                "image": tiles[int(image)],
                "suggested": names[found.judged.suggested[image]],
                "score": float(found.judged.scores[image]),
                "neighbors": [tiles[int(other)] for other in others if other >= 0],
            }
            for image, others in zip(suspects, near, strict=True)
        ],
        groups=[
            {
                "tiles": [tiles[int(image)] for image in members],
                "across": copies.across_splits,
                "more": len(copies.paths) - len(members),
            }
            for members, copies in zip(groups, findings.near_copies, strict=False)
        ],
        outliers=[
            {"image": tiles[int(image)], "score": float(excess)}
            for image, excess in zip(outliers, found.outliers.excess, strict=False)
        ],
        shifts=[line for one in findings.shifts for line in one.describe()],
    )


def _tiles(found: Examination, wanted: Iterable[Integers]) -> Mapping[int, Tile]:
    """Returns the tile of each image that is wanted, by its number in the gallery."""
    gallery, examples = found.gallery, found.examples
    numbers = np.unique(np.concatenate(list(wanted)))
    tiles: dict[int, Tile] = {}
    for split, images in gallery.images.items():
        own = numbers[gallery.splits[numbers] == split]
        if not len(own):
            continue
        # Images are numbered by content; of exact duplicates any will do.
        where = places(gallery.digests[own], images.digests)
        urls = data_urls(read_thumbnails(images, where, _SIDE))
        for image, url in zip(own, urls, strict=True):
            path = examples.name(gallery.numbers[image])
            name = examples.source.class_names[gallery.labels[image]]
            tiles[int(image)] = Tile(url, _short(path), name, examples.split_names[split])
    return tiles


def _short(path: str) -> str:
    """Returns the last two parts of a path."""
    parts: Sequence[Any] = path.split(os.sep)
    return os.sep.join(parts[-2:])
