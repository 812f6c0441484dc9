"""The activations of each split at the frozen half's output, computed once per phase."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from tfxfer.config.decided import DecidedFit
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
from tfxfer.training.features import Changes, FeatureFunction

# A change of a batch and its labels.
Change = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

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
    """

    config: DecidedFit
    halves: Halves
    images: Mapping[str, Images]
    features: FeatureFunction | None = None
    _in_memory: dict[str, Examples | None] = field(default_factory=dict)

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
                activations = np.concatenate([plain.features, self._activations(name, _mirrored)])
                both = Examples(activations, images.labels, images.weights)
                self.release(name)
            self._in_memory[key] = both
        return self._in_memory[key]

    def release(self, name: str) -> None:
        """Frees the activations of a split; they are computed again if needed."""
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
        batches = evaluation_batches(images, batch_size).map(_mirrored, tf.data.AUTOTUNE)
        mirrored = Predictor(
            self.halves.whole, batches, images.labels, batch_size, f"{name}, mirrored"
        )
        return np.asarray((outputs + mirrored.outputs()) / 2)

    def _fits(self, num_examples: int) -> bool:
        activations = self.halves.frozen.output
        num_bytes = np.dtype(activations.dtype).itemsize * int(np.prod(activations.shape[1:]))
        return self.halves.costly and num_examples * num_bytes <= self.config.memory_bytes

    def _compute(self, name: str) -> Examples:
        images, batch_size = self.images[name], self.config.batch_size
        if self.features is not None:
            activations = self.features(images, name, batch_size, Cache.of(self.config))
        else:
            activations = self._activations(name)
        return Examples(activations, images.labels, images.weights)

    def _activations(self, name: str, change: Change | None = None) -> Floats:
        """Computes the activations of a split, whose batches may be changed before."""
        images, batch_size = self.images[name], self.config.batch_size

        def compute(numbers: np.ndarray) -> Floats:
            batches = evaluation_batches(images, batch_size, Numbers(numbers))
            if change is not None:
                batches = batches.map(change, tf.data.AUTOTUNE)
            with Progress(f"activations of {name}", len(numbers), batch_size) as progress:
                update, count = progress.update, len(images)
                return predict_batches(
                    self.halves.frozen, batches, len(numbers), batch_size, update, count
                )

        return current().computed(np.arange(len(images)), compute, batch_size)


def _mirrored(batch: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.reverse(batch, axis=[2]), labels
