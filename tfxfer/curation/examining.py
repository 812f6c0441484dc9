"""Examines data by the features of a backbone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.curation.gallery import Gallery, gallery_of
from tfxfer.curation.near_copies import NUM_NEIGHBORS, NearGroup, near_groups
from tfxfer.curation.neighbors import Neighbors, directions, nearest
from tfxfer.curation.outliers import Outliers, outliers_of
from tfxfer.curation.shift import Shift, shifts_of
from tfxfer.curation.suspects import Judged, judge_labels
from tfxfer.data.checks.by_features import (
    FeatureFindings,
    NearCopies,
    Outlier,
    SplitShift,
    SuspectLabel,
)
from tfxfer.data.checks.examples import Examples
from tfxfer.models.backbones.registry import find_backbone


@dataclass(frozen=True, eq=False)
class Examination:
    """What the features of a backbone say about data.

    Attributes:
        examples: All examples of the data.
        gallery: The images that were examined.
        neighbors: The nearest neighbors of each, without its exact duplicates and its group.
        judged: What was found about their labels.
        groups: Groups of near copies, those across splits first.
        outliers: What is far from all others of its class.
        findings: All of it, by the names of images and classes.
    """

    examples: Examples
    gallery: Gallery
    neighbors: Neighbors
    judged: Judged
    groups: Sequence[NearGroup]
    outliers: Outliers
    findings: FeatureFindings

    def suspect_column(self) -> Mapping[str, Sequence[str]]:
        """Returns the class suggested for each example, "" if its label looks right, by split."""
        names = self.examples.source.class_names
        column = [""] * len(self.examples.labels)
        for image in self.judged.suspects:
            column[self.gallery.numbers[image]] = names[self.judged.suggested[image]]
        ends, start = {}, 0
        for name, split in self.examples.source.splits.items():
            ends[name] = column[start : start + len(split)]
            start += len(split)
        return ends


def examine(examples: Examples, asked: FitConfig) -> Examination:
    """Returns what the features of a backbone say about data; nothing is changed.

    Args:
        examples: All examples of the data; at least one is readable.
        asked: The settings that the user gave; those of backbone, image size, cache and seed are
            read.
    """
    gallery = gallery_of(examples, asked)
    rows = directions(gallery.features)
    neighbors = nearest(rows, gallery.units, NUM_NEIGHBORS)
    naming = _Naming(examples, gallery)
    judged = judge_labels(gallery, neighbors, asked.seed)
    alike = examples.alike[gallery.numbers]
    groups = near_groups(neighbors, gallery.units, gallery.labels, alike)
    groups.sort(key=lambda one: len(np.unique(gallery.splits[one.members])) == 1)
    outliers = outliers_of(gallery, rows)
    findings = FeatureFindings(
        backbone=find_backbone(asked.backbone).name,
        num_images=len(gallery),
        suspects=naming.suspects(judged),
        unjudged=tuple(naming.class_names[label] for label in judged.small_classes),
        near_copies=tuple(map(naming.near_copies, groups)),
        outliers=naming.outliers(outliers),
        shifts=naming.shifts(shifts_of(gallery, asked.seed)),
    )
    return Examination(examples, gallery, neighbors, judged, groups, outliers, findings)


class _Naming:
    """Turns numbers of images, classes and splits into their names.

    Args:
        examples: All examples of the data.
        gallery: The images of them that were examined.
    """

    def __init__(self, examples: Examples, gallery: Gallery) -> None:
        self.class_names = examples.source.class_names
        self._examples, self._gallery = examples, gallery
        self._split_names = examples.split_names

    def suspects(self, judged: Judged) -> tuple[SuspectLabel, ...]:
        """Returns the labels that look wrong."""
        return tuple(
            SuspectLabel(
                path=self._path(image),
                given=self._class(image),
                suggested=self.class_names[judged.suggested[image]],
                score=float(judged.scores[image]),
            )
            for image in judged.suspects
        )

    def near_copies(self, group: NearGroup) -> NearCopies:
        """Returns a group of near copies."""
        members = group.members
        return NearCopies(
            paths=tuple(map(self._path, members)),
            splits=tuple(self._split_names[self._gallery.splits[image]] for image in members),
            classes=tuple(map(self._class, members)),
            distance=group.closeness if np.isfinite(group.closeness) else None,
        )

    def outliers(self, found: Outliers) -> tuple[Outlier, ...]:
        """Returns the outliers."""
        return tuple(
            Outlier(self._path(image), self._class(image), float(excess))
            for image, excess in zip(found.images, found.excess, strict=True)
        )

    def shifts(self, found: Sequence[Shift]) -> tuple[SplitShift, ...]:
        """Returns the shift of each split, with the classes that only one of two has."""
        by_split = {one.splits[1]: one for one in found}
        numbers = np.unique(self._gallery.splits)
        shifts = []
        for other in numbers[1:]:
            pair = (numbers[0], other)
            there = [set(self._gallery.labels[self._gallery.splits == one]) for one in pair]
            only = [sorted(there[0] - there[1]), sorted(there[1] - there[0])]
            shift = by_split.get(int(other))
            shifts.append(
                SplitShift(
                    splits=(self._split_names[pair[0]], self._split_names[pair[1]]),
                    auroc=None if shift is None else shift.auroc,
                    interval=None if shift is None else shift.interval,
                    only_in=(self._names(only[0]), self._names(only[1])),
                )
            )
        return tuple(shifts)

    def _path(self, image: int | np.integer[Any]) -> str:
        return self._examples.name(self._gallery.numbers[image])

    def _class(self, image: int | np.integer[Any]) -> str:
        return self.class_names[int(self._gallery.labels[image])]

    def _names(self, labels: Sequence[int]) -> tuple[str, ...]:
        return tuple(self.class_names[label] for label in labels)
