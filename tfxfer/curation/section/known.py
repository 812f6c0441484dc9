"""The images of a fit whose features are cached: nothing passes a backbone here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from tfxfer.config.decided import DecidedFit
from tfxfer.curation.gallery import Gallery
from tfxfer.data.cache import Cache, places
from tfxfer.data.contents import Integers, inseparable
from tfxfer.data.image.dataset import Images
from tfxfer.training.frozen.features import FeatureFunction

# Of more images a random sample is examined. Neighbors of so many take about a second of CPU time
# with 1,280 features, and four times as much with twice as many.
MOST_IMAGES = 5_000


@dataclass(frozen=True, eq=False)
class KnownImages:
    """The images of a fit whose features were computed before, or some of them.

    Attributes:
        gallery: The images; their numbers are those in the images of their split.
        split_names: The names of the splits, by their numbers.
        num_known: Number of images with cached features, of which the gallery has a sample.
    """

    gallery: Gallery
    split_names: tuple[str, ...]
    num_known: int

    @classmethod
    def of(
        cls, function: FeatureFunction, images: Mapping[str, Images], config: DecidedFit
    ) -> Self | None:
        """Returns the images of the splits whose features are all cached; None if there are none.

        Args:
            function: The features of the frozen backbone; see `FeatureFunction.before_training`.
            images: The images of a fit by split.
            config: Its settings.
        """
        cache = Cache.of(config)
        known = {name: one for name, one in images.items() if not function.num_missing(one, cache)}
        if not known:
            return None
        total = sum(map(len, known.values()))
        features, labels, digests, splits, numbers = [], [], [], [], []
        groups: list[str] = []
        for split, (name, one) in enumerate(known.items()):
            chosen = _some(len(one), total, (config.seed, split))
            features.append(function(one, name, config.batch_size, cache)[chosen])
            labels.append(one.labels[chosen])
            digests.append(one.digests[chosen])
            splits.append(np.full(len(chosen), split))
            numbers.append(chosen)
            groups += _groups(one, chosen)
        their_groups = groups if any(groups) else None
        contents = np.concatenate(digests)
        gallery = Gallery(
            features=np.concatenate(features),
            labels=np.concatenate(labels),
            splits=np.concatenate(splits),
            groups=their_groups,
            units=inseparable(contents, their_groups),
            digests=contents,
            numbers=np.concatenate(numbers),
            images=dict(enumerate(known.values())),
        )
        return cls(gallery, tuple(known), total)


def _some(count: int, total: int, seed: tuple[int, int]) -> Integers:
    """Returns the numbers of all images of a split, or of its share of a sample, ascending."""
    if total <= MOST_IMAGES:
        return np.arange(count)
    share = max(1, count * MOST_IMAGES // total)
    return np.sort(np.random.default_rng(seed).permutation(count)[:share])


def _groups(images: Images, chosen: Integers) -> list[str]:
    """Returns the groups of some images by number, "" for one that has none."""
    groups = images.split.groups
    if groups is None:
        return [""] * len(chosen)
    return [groups[place] for place in places(images.digests[chosen], images.split.digests())]
