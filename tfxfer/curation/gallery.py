"""All readable images of a dataset with the features of a backbone."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from tfxfer.config.decided import DecidedFit
from tfxfer.config.schema import FitConfig
from tfxfer.data.cache import Cache, places
from tfxfer.data.checks.examples import Examples
from tfxfer.data.contents import Integers, inseparable
from tfxfer.data.image.dataset import Images
from tfxfer.data.source import Source
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.classifier import build_classifier
from tfxfer.planning.defaults import decide
from tfxfer.planning.plan import facts_of
from tfxfer.system.digests import Ids
from tfxfer.training.examples import Floats
from tfxfer.training.frozen.features import FeatureFunction


@dataclass(frozen=True, eq=False)
class Gallery:
    """The readable images of all splits, split by split.

    Attributes:
        features: Shape (num_images, num_features), float32.
        labels: Class indices, (num_images,).
        splits: Number of the split, (num_images,).
        groups: The group of each image, "" for one that has none; None where none has.
        units: What each image cannot be separated from, its exact duplicates and its group, as a
            number, (num_images,).
        digests: Of the content, (num_images, 16).
        numbers: Where each image is among all examples, (num_images,).
        images: The images of each split at the size of the backbone, by the split's number.
    """

    features: Floats
    labels: Integers
    splits: Integers
    groups: list[str] | None
    units: Integers
    digests: Ids
    numbers: Integers
    images: dict[int, Images]

    def __len__(self) -> int:
        return len(self.labels)


def gallery_of(examples: Examples, asked: FitConfig) -> Gallery:
    """Returns the images of all splits with their features.

    Features are cached, and shared with `rank` and with the head phase of `fit`.

    Args:
        examples: All examples of the source.
        asked: The settings that the user gave; those of backbone, image size and cache are read.
    """
    source = examples.source
    backbone = find_backbone(asked.backbone)
    config = _decided(asked, source, backbone)
    num_classes = len(source.class_names)
    classifier = build_classifier(backbone, config, config.head, config.weights, num_classes)
    function = FeatureFunction.of(classifier.features, config, classifier.reading.name)
    cache = Cache.of(config)
    features, numbers, images = [], [], {}
    for split, name in enumerate(examples.split_names):
        members = np.flatnonzero((examples.splits == split) & examples.readable)
        if not len(members):
            continue
        part = source.splits[name]
        if len(members) < len(part):
            part = part.select(examples.places[members])
        images[split] = Images(part, config.frame, config.memory_bytes, cache, by_content=True)
        rows = function(images[split], f"{name}, {config.backbone}", config.batch_size, cache)
        # Images are numbered by content, examples are in the order of the split.
        features.append(rows[places(part.digests(), images[split].digests)])
        numbers.append(members)
    chosen = np.concatenate(numbers)
    digests, groups = examples.digests[chosen], _groups(source, examples, chosen)
    return Gallery(
        features=np.concatenate(features),
        labels=examples.labels[chosen],
        splits=examples.splits[chosen].astype(np.int64),
        groups=groups,
        units=inseparable(digests, groups),
        digests=digests,
        numbers=chosen,
        images=images,
    )


def _decided(asked: FitConfig, source: Source, backbone: Backbone) -> DecidedFit:
    """Returns the settings that `fit` decides for the backbone, in float32.

    Features depend on the size of the images, not on their number or splits, so that these are the
    features of `fit`, whatever splits it makes.
    """
    first = next(iter(source.splits.values()))
    splits = {"train": first, "validation": first}
    asked = dataclasses.replace(asked, precision="float32", effort="quick")
    return decide(asked, facts_of(dataclasses.replace(source, splits=splits), backbone, asked))


def _groups(source: Source, examples: Examples, chosen: Integers) -> list[str] | None:
    """Returns the group of each chosen example; None where none has one."""
    groups: list[str] = []
    for split in source.splits.values():
        groups += [""] * len(split) if split.groups is None else list(split.groups)
    found = [groups[number] for number in chosen]
    return found if any(found) else None
