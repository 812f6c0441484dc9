"""Examines data by the features of a backbone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfxfer.config.schema import FitConfig
from tfxfer.curation.gallery import Gallery, gallery_of
from tfxfer.curation.neighbors import Neighbors, directions, nearest
from tfxfer.curation.suspects import NUM_VOTES, Judged, judge_labels
from tfxfer.data.checks.by_features import FeatureFindings, SuspectLabel
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
        findings: All of it, by the names of images and classes.
    """

    examples: Examples
    gallery: Gallery
    neighbors: Neighbors
    judged: Judged
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
    neighbors = nearest(directions(gallery.features), gallery.units, NUM_VOTES)
    judged = judge_labels(gallery, neighbors, asked.seed)
    names = examples.source.class_names
    suspects = tuple(
        SuspectLabel(
            path=examples.name(gallery.numbers[image]),
            given=names[gallery.labels[image]],
            suggested=names[judged.suggested[image]],
            score=float(judged.scores[image]),
        )
        for image in judged.suspects
    )
    findings = FeatureFindings(
        backbone=find_backbone(asked.backbone).name,
        num_images=len(gallery),
        suspects=suspects,
        unjudged=tuple(names[label] for label in judged.small_classes),
    )
    return Examination(examples, gallery, neighbors, judged, findings)
