"""Examines data by the features of a backbone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.curation.gallery import Gallery, gallery_of
from tfxfer.curation.naming import Naming
from tfxfer.curation.near_copies import NUM_NEIGHBORS, NearGroup, near_groups
from tfxfer.curation.neighbors import Neighbors, directions, nearest
from tfxfer.curation.outliers import Outliers, outliers_of
from tfxfer.curation.shift import shifts_of
from tfxfer.curation.suspects import Judged, judge_labels
from tfxfer.data.checks.by_features import FeatureFindings
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
    naming = Naming(
        gallery,
        examples.source.class_names,
        examples.split_names,
        lambda image: examples.name(gallery.numbers[image]),
    )
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
