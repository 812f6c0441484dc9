"""Chooses the images to label next."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from tfxfer.curation.labeling.asking import Choice
from tfxfer.curation.labeling.reading import (
    Unlabeled,
    features_of_labeled,
    read_unlabeled,
    unlabeled_split,
)
from tfxfer.curation.labeling.result import NextImage, NextImages
from tfxfer.curation.labeling.typical import choose_typical
from tfxfer.curation.labeling.uncertain import choose_uncertain, margins_of
from tfxfer.curation.neighbors import directions
from tfxfer.data.contents import Integers, distinct, found_in
from tfxfer.data.seen import BoundSource
from tfxfer.data.source import Split
from tfxfer.errors import UsageError
from tfxfer.inference.classifier import TrainedClassifier

# Typical images are chosen while there are fewer labeled ones per class (benchmarks/README.md).
FEW_PER_CLASS = 5


def choose_next(
    trained: TrainedClassifier,
    source: BoundSource,
    files: Sequence[pathlib.Path],
    choice: Choice,
) -> tuple[NextImages, Unlabeled]:
    """Returns the images to label next, and what the model made of all.

    Args:
        trained: The classifier of a run.
        source: Its data.
        files: Image files; those that are in the data, and exact duplicates, are left out.
        choice: How to choose them.

    Raises:
        UsageError: No image is left, or the model has no known features.
        DataError: A labeled image cannot be read.
    """
    labeled = list(source.everything.values())
    split, num_known, num_duplicates = _without_known(
        unlabeled_split(files, trained.frame.channels), labeled
    )
    if not len(split):
        raise UsageError(
            f"All of the {len(files):,} images are already in the data of '{trained.path.parent}'. "
            "Give images that are not."
        )
    found = read_unlabeled(trained, split, choice.batch_size)
    num_labeled = sum(len(distinct(one.digests())) for one in labeled)
    are_few = num_labeled < FEW_PER_CLASS * len(trained.class_names)
    strategy = choice.strategy or ("typical" if are_few else "uncertain")
    rows, count = directions(found.features), min(choice.count, len(found.places))
    if strategy == "typical":
        known = directions(features_of_labeled(trained, labeled, choice.batch_size))
        chosen = choose_typical(rows, known, count, choice.seed)
    else:
        chosen = choose_uncertain(rows, margins_of(found.probabilities), count, choice.seed)
    result = NextImages(
        images=_named(trained, found, chosen),
        strategy=strategy,
        num_labeled=num_labeled,
        num_files=len(files),
        num_known=num_known,
        num_duplicates=num_duplicates,
        unreadable=found.unreadable,
    )
    return result, found


def places_of_next(found: Unlabeled, result: NextImages) -> Integers:
    """Returns where the chosen images are among all files."""
    places = {_path(found.split, place): place for place in found.places.tolist()}
    return np.array([places[one.path] for one in result.images], np.int64)


def _named(trained: TrainedClassifier, found: Unlabeled, chosen: Integers) -> tuple[NextImage, ...]:
    """Returns the chosen images with what the model says of them."""
    shares = found.probabilities[chosen]
    best, margins = shares.argmax(axis=1), margins_of(shares)
    return tuple(
        NextImage(
            path=_path(found.split, int(place)),
            predicted=trained.class_names[label],
            probability=float(row[label]),
            margin=float(margin),
        )
        for place, label, row, margin in zip(
            found.places[chosen], best, shares, margins, strict=True
        )
    )


def _without_known(split: Split, labeled: Sequence[Split]) -> tuple[Split, int, int]:
    """Returns files that are not labeled, each content once, and how many of both there are."""
    digests = split.digests()
    known = np.concatenate([one.digests() for one in labeled])
    is_known = found_in(digests, known)
    first: dict[bytes, int] = {}
    for place in np.flatnonzero(~is_known).tolist():
        first.setdefault(digests[place].tobytes(), place)
    kept = np.array(sorted(first.values()), np.int64)
    num_known = int(is_known.sum())
    return split.select(kept), num_known, len(split) - num_known - len(kept)


def _path(split: Split, place: int) -> str:
    """Returns the path of a file as a manifest anywhere can name it."""
    return os.path.abspath(split.describe(place))
