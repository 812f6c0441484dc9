"""What the frozen half gives of each split, computed once for a phase and its evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tfxfer.config.decided import DecidedFit
from tfxfer.data.batches import array_batches, evaluation_batches
from tfxfer.data.cache import Cache
from tfxfer.data.image.dataset import Images
from tfxfer.models.halves import Halves
from tfxfer.models.prediction import predict_batches
from tfxfer.system.progress import Progress
from tfxfer.training.epochs.validation import Judge
from tfxfer.training.examples import Examples
from tfxfer.training.features import Changes, FeatureFunction


@dataclass
class ActivationSource:
    """The activations that training begins with in one phase, of every split.

    They are kept in memory where they fit, so that no image passes the frozen half twice; and
    features, the activations of the head phase, on the disk too.

    Attributes:
        config: Settings, all decided.
        halves: The classifier, cut where training begins.
        images: The splits by name.
        features: The frozen half with what tells it from others, where it gives features.
    """

    config: DecidedFit
    halves: Halves
    images: Mapping[str, Images]
    features: FeatureFunction | None = None
    _kept: dict[str, Examples | None] = field(default_factory=dict)

    def kept(self, name: str) -> Examples | None:
        """Returns the activations of a split, or None where they are not worth it or do not fit."""
        if name not in self._kept:
            self._kept[name] = self._compute(name) if self._fits(len(self.images[name])) else None
        return self._kept[name]

    def kept_with_views(self, name: str, num_views: int) -> Examples | None:
        """Returns the features of a split together with those of changed views of its images.

        Args:
            name: Of the split.
            num_views: Of each image, beside the image itself.
        """
        images, config = self.images[name], self.config
        if not self._fits(len(images) * (1 + num_views)) or self.features is None:
            return None
        plain = self.kept(name)
        if plain is None or not num_views:
            return plain
        views = [
            self.features(
                images,
                f"{name}, view {view} of {num_views}",
                config.batch_size,
                Cache.of(self.config),
                Changes.of(len(images), config.augment, config.seed, view),
            )
            for view in range(1, num_views + 1)
        ]
        weights = None if plain.weights is None else np.tile(plain.weights, 1 + num_views)
        return Examples(
            np.concatenate([plain.features, *views]),
            np.tile(plain.labels, 1 + num_views),
            weights,
        )

    def judge(self, name: str) -> Judge:
        """Returns what judges the classifier, as it is trained, on a split."""
        kept, labels = self.kept(name), self.images[name].labels
        batch_size = self.config.batch_size
        if kept is None:
            batches = evaluation_batches(self.images[name], batch_size)
            return Judge(self.halves.whole, batches, labels, batch_size, name)
        batches = array_batches(kept.features, labels, batch_size)
        return Judge(self.halves.trained, batches, labels, batch_size, name)

    def _fits(self, num_examples: int) -> bool:
        activations = self.halves.frozen.output
        num_bytes = np.dtype(activations.dtype).itemsize * int(np.prod(activations.shape[1:]))
        return self.halves.costly and num_examples * num_bytes <= self.config.memory_bytes

    def _compute(self, name: str) -> Examples:
        images, batch_size = self.images[name], self.config.batch_size
        if self.features is not None:
            activations = self.features(images, name, batch_size, Cache.of(self.config))
        else:
            with Progress(f"activations of {name}", len(images), batch_size) as progress:
                batches = evaluation_batches(images, batch_size)
                activations = predict_batches(
                    self.halves.frozen, batches, len(images), batch_size, progress.update
                )
        return Examples(activations, images.labels, images.weights)
