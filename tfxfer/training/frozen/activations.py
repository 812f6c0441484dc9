"""The activations of each split at the frozen half's output, computed once per phase."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfxfer.config.decided import DecidedFit
from tfxfer.config.schema import AugmentConfig
from tfxfer.data.batches import array_batches, evaluation_batches
from tfxfer.data.cache import Cache
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.order import Numbers
from tfxfer.models.halves import Halves
from tfxfer.models.prediction import predict_batches
from tfxfer.system.processes.team import current
from tfxfer.system.progress import Progress
from tfxfer.training.epochs.validation import Predictor
from tfxfer.training.examples import Examples, Floats
from tfxfer.training.frozen.changes import Changes
from tfxfer.training.frozen.features import FeatureFunction
from tfxfer.training.frozen.kept import KeptActivations, bytes_per_image

# The activations of a split with those of its mirror images.
_MIRRORED = ", mirrored"


@dataclass
class ActivationSource:
    """The input of the trainable half in one phase, for every split.

    Activations that fit into memory are cached there, so that no image passes the frozen half
    twice. Features, the activations of the head phase, are also cached on disk.

    Attributes:
        config: Settings, all decided.
        halves: The classifier, cut at the first trainable layer.
        images: The splits by name.
        features: The frozen half with its cache key, if it computes features.
        kept: Activations from before, of some layer; None for nothing.
    """

    config: DecidedFit
    halves: Halves
    images: Mapping[str, Images]
    features: FeatureFunction | None = None
    kept: KeptActivations | None = None
    _in_memory: dict[str, Examples | None] = field(default_factory=dict)
    _views: tuple[tuple[Any, ...], Floats] | None = None

    def cached(self, name: str) -> Examples | None:
        """Returns the activations of a split; None if they do not fit or save nothing."""
        if name not in self._in_memory:
            fits = self._fits(len(self.images[name]))
            self._in_memory[name] = self._compute(name) if fits else None
        return self._in_memory[name]

    def cached_with_mirror_images(self, name: str) -> Examples | None:
        """Returns the activations of a split, and behind them those of the mirror images.

        None if they do not fit or save nothing.
        """
        images, key = self.images[name], f"{name}{_MIRRORED}"
        if key not in self._in_memory:
            fits = self._fits(2 * len(images)) and self.features is None
            plain = self.cached(name) if fits else None
            both = None
            if plain is not None:
                self._views = None
                mirrored = self._activations(name, Changes.mirrored(len(images)))
                activations = np.concatenate([plain.features, mirrored])
                both = Examples(activations, images.labels, images.weights)
                self.release(name)
            self._in_memory[key] = both
        return self._in_memory[key]

    def cached_views(
        self, name: str, augment: AugmentConfig, seed: int, views: int
    ) -> Examples | None:
        """Returns the activations of augmented views of a split, view after view.

        The views are those of the first epochs of `training_batches`. The last ones that were asked
        for are kept.

        Args:
            name: Name of the split.
            augment: Augmentation.
            seed: That of `training_batches`; a search also tries others than the run's.
            views: How many.

        Returns:
            None if they do not fit into memory or save nothing.
        """
        images, wanted = self.images[name], (name, augment, seed, views)
        if not self._fits(views * len(images)) or self.features is not None:
            return None
        if self._views is None or self._views[0] != wanted:
            self.release(name)
            self._views = wanted, self._compute_views(*wanted)
        return Examples(self._views[1], images.labels, images.weights)

    def release(self, name: str) -> None:
        """Frees the activations of a split; they are computed again if needed."""
        if self._views is not None and self._views[0][0] == name:
            self._views = None
        self._in_memory.pop(name, None)
        self._in_memory.pop(f"{name}{_MIRRORED}", None)

    def cached_with_views(self, name: str, num_views: int) -> Examples | None:
        """Returns the features of a split and of augmented views of its images.

        Args:
            name: Name of the split.
            num_views: Augmented views per image, in addition to the image itself.

        Returns:
            The plain features first, then those of each view; None if they do not fit into memory.
        """
        images, config = self.images[name], self.config
        if not self._fits(len(images) * (1 + num_views)) or self.features is None:
            return None
        plain = self.cached(name)
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
        weights = plain.weights
        return Examples(
            np.concatenate([plain.features, *views]),
            np.concatenate([plain.labels] * (1 + num_views)),
            None if weights is None else np.concatenate([weights] * (1 + num_views)),
        )

    def predictor(self, name: str) -> Predictor:
        """Returns the predictor of a split; its outputs follow the classifier as it trains."""
        cached, labels = self.cached(name), self.images[name].labels
        batch_size = self.config.batch_size
        if cached is None:
            batches = evaluation_batches(self.images[name], batch_size)
            return Predictor(self.halves.whole, batches, labels, batch_size, name)
        batches = array_batches(cached.features, labels, batch_size)
        return Predictor(self.halves.trained, batches, labels, batch_size, name)

    def outputs_of_views(self, name: str) -> np.ndarray:
        """Returns the outputs on a split as the saved model gives them, averaged over views.

        Args:
            name: Name of the split.

        Returns:
            Logits, float32, (num_examples, num_outputs).
        """
        outputs = self.predictor(name).outputs()
        if self.config.test_time_views == "none":
            return outputs
        images, batch_size = self.images[name], self.config.batch_size
        numbers, changes = np.arange(len(images)), Changes.mirrored(len(images))
        batches = changes.applied(evaluation_batches(images, batch_size), numbers, batch_size)
        mirrored = Predictor(
            self.halves.whole, batches, images.labels, batch_size, f"{name}, mirrored"
        )
        return np.asarray((outputs + mirrored.outputs()) / 2)

    def _fits(self, num_examples: int) -> bool:
        num_bytes = num_examples * bytes_per_image(self.halves.frozen.output)
        return self.halves.costly and num_bytes <= self.config.memory_bytes

    def _compute(self, name: str) -> Examples:
        images, batch_size = self.images[name], self.config.batch_size
        if self.features is not None:
            keep = name == "validation"  # those of training images are augmented
            cache = Cache.of(self.config)
            activations = self.features(images, name, batch_size, cache, keep=keep)
        else:
            kept = self._kept(images)
            activations = self._activations(name) if kept is None else kept
        return Examples(activations, images.labels, images.weights)

    def _kept(self, images: Images) -> Floats | None:
        """Returns the activations of images that were kept before, if there are any."""
        kept, layer = self.kept, self.halves.layer
        return kept.rows(images) if kept is not None and kept.layer == layer else None

    def _compute_views(self, name: str, augment: AugmentConfig, seed: int, views: int) -> Floats:
        images = self.images[name]
        each = [Changes.of_epoch(len(images), augment, seed, view) for view in range(views)]
        if images.kept is not None:
            # In one pass: to begin one takes as long as dozens of images.
            return self._activations(name, Changes.together(each), f", {views} views")
        return np.concatenate(
            [
                self._activations(name, changes, f", view {view} of {views}")
                for view, changes in enumerate(each, start=1)
            ]
        )

    def _activations(self, name: str, changes: Changes | None = None, which: str = "") -> Floats:
        """Computes the activations of a split, whose images may be changed before.

        Changes of several views are applied to all images, view after view.
        """
        images, batch_size = self.images[name], self.config.batch_size
        count = len(images if changes is None else changes.draws)

        def compute(rows: np.ndarray) -> Floats:
            batches = evaluation_batches(images, batch_size, Numbers(rows % len(images)))
            if changes is not None:
                batches = changes.applied(batches, rows, batch_size)
            with Progress(f"activations of {name}{which}", len(rows), batch_size) as progress:
                return predict_batches(
                    self.halves.frozen, batches, len(rows), batch_size, progress.update, count
                )

        return current().computed(np.arange(count), compute, batch_size)
