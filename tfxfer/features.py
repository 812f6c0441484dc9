"""What the frozen half computes, each image once: kept in memory, or on the disk between runs."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from tfxfer.augment import augment_batch, draw
from tfxfer.cache import (
    Cache,
    Ids,
    Rows,
    code_digest,
    id_of,
    ids_of,
    in_blocks,
    key_of,
    places,
)
from tfxfer.compilation import without_xla
from tfxfer.config import AugmentConfig, RunConfig
from tfxfer.pipeline import Images, evaluation_batches, shuffled_indices
from tfxfer.progress import Progress

# A feature that varies less than this part of the one that varies most is left at its own scale.
_SMALLEST_DEVIATION = 1e-3

# The modules whose code decides what a feature is, beside the versions of Keras and TensorFlow.
_CODE = ("augment", "classifier", "folding", "images", "residual", "weight_files", "weights")


def predict_batches(
    model: keras.Model,
    batches: tf.data.Dataset,
    num_examples: int,
    batch_size: int,
    progress: Callable[[int], None],
) -> np.ndarray:
    """Returns a model's outputs, (num_examples, ...), in the order of the batches.

    Args:
        model: Any model of images in [0, 255]; it runs in inference mode.
        batches: Batches of (images, labels), every example once; the last may be smaller.
        num_examples: In all.
        batch_size: Of the others.
        progress: Called after each batch with the number of batches done.
    """
    size = min(batch_size, num_examples)

    def filled(rows: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        missing = size - tf.shape(rows)[0]
        rows = tf.cond(
            missing > 0,
            lambda: tf.concat([rows, tf.repeat(rows[-1:], missing, axis=0)], axis=0),
            lambda: rows,
        )
        return tf.ensure_shape(rows, (size, *rows.shape[1:]))

    counter = keras.callbacks.LambdaCallback(
        on_predict_batch_end=lambda batch, logs: progress(batch + 1)
    )
    # A smaller last batch would be another shape, for which the model is compiled once more.
    whole = batches.map(filled)
    outputs = without_xla(model).predict(whole, verbose=0, callbacks=[counter])
    return np.asarray(outputs)[:num_examples]


@dataclass(frozen=True)
class FeatureFunction:
    """The function from images to features, with what tells it from any other.

    Attributes:
        model: Images in [0, 255] to float32 features, (batch, num_features).
        facts: All that a feature depends on beside the image, as JSON can write it.
    """

    model: keras.Model
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, model: keras.Model, config: RunConfig, pooling: str) -> Self:
        """Returns the function of a classifier's frozen features.

        Args:
            model: `Classifier.features`, with its weights loaded.
            config: Settings, all decided.
            pooling: From feature maps to features.
        """
        return cls(
            model,
            {
                "backbone": config.backbone,
                "weights": id_of(*(weight.tobytes() for weight in model.get_weights())).hex(),
                "image_size": config.image_size,
                "input_size": config.input_size,
                "pooling": pooling,
                "precision": config.precision,
                "backend": keras.backend.backend(),
                "device": "gpu" if tf.config.get_visible_devices("GPU") else "cpu",
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
                "code": code_digest(*_CODE),
            },
        )

    @property
    def num_features(self) -> int:
        """How many features an image has."""
        return int(self.model.output_shape[-1])

    def __call__(
        self,
        images: Images,
        name: str,
        batch_size: int,
        cache: Cache,
        changes: "Changes | None" = None,
    ) -> Rows:
        """Returns the features of images, (num_examples, num_features), in their order.

        Those that the cache has are not computed, and those that are computed it has from then on.

        Args:
            images: What they are of.
            name: What the images are called while one waits.
            batch_size: Images per step; of no influence.
            cache: Where features are kept.
            changes: Random changes before; None for none.
        """
        everything = np.arange(len(images))
        if not cache.max_bytes:
            return self._compute(images, everything, name, batch_size, changes)
        ids, key = _ids(images, changes), key_of(self.facts)
        nothing = ids[:0], np.zeros((0, self.num_features), np.float32)
        known_ids, known = cache.read("features", key) or nothing
        place = places(ids, known_ids)
        missing = everything[place < 0]
        if not len(missing):
            # In the order of the file nothing is copied, and what is not asked for not even read.
            whole = len(known) == len(ids) and np.array_equal(place, everything)
            return known if whole else known[place]
        computed = self._compute(images, missing, name, batch_size, changes)
        cache.write(
            "features",
            key,
            np.concatenate([known_ids, ids[missing]]),
            itertools.chain(in_blocks(known), in_blocks(computed)),
            np.float32,
            (self.num_features,),
            {
                "what": f"{self.facts['backbone']}, {self.facts['image_size']} pixels, "
                f"{self.facts['pooling']} pooling"
            },
        )
        if len(missing) == len(ids):
            return computed
        rows = np.empty((len(ids), self.num_features), np.float32)
        rows[missing] = computed
        rows[place >= 0] = known[place[place >= 0]]
        return rows

    def _compute(
        self,
        images: Images,
        wanted: np.ndarray,
        name: str,
        batch_size: int,
        changes: "Changes | None",
    ) -> np.ndarray:
        """Returns the features of some of the images, by their index."""
        batches = evaluation_batches(images, batch_size, wanted)
        if changes:
            draws = tf.data.Dataset.from_tensor_slices(changes.draws[wanted]).batch(batch_size)
            batches = tf.data.Dataset.zip(batches, draws).map(
                lambda batch, draws: (augment_batch(batch[0], draws, changes.augment), batch[1]),
                tf.data.AUTOTUNE,
            )
        with Progress(f"features of {name}", len(wanted), batch_size) as progress:
            return predict_batches(self.model, batches, len(wanted), batch_size, progress.update)


@dataclass(frozen=True)
class Changes:
    """Random changes to the images of a split, one for each.

    Attributes:
        augment: How far they go.
        draws: The random numbers that decide, a row for each image; see `augment.draw`.
    """

    augment: AugmentConfig
    draws: np.ndarray

    @classmethod
    def of(cls, num_examples: int, augment: AugmentConfig, seed: int, view: int) -> Self:
        """Returns those of one view of a split; another view has others."""
        return cls(augment, draw(num_examples, tf.constant([seed, view], tf.int32)).numpy())


def _ids(images: Images, changes: Changes | None) -> Ids:
    """Returns the ids of the features of images: of the images, and of what is done to them."""
    digests = images.digests
    if changes is None:
        return digests
    how = repr(changes.augment).encode()
    return ids_of(
        (digest.tobytes(), how, draws.tobytes())
        for digest, draws in zip(digests, changes.draws, strict=True)
    )


@dataclass(frozen=True)
class Standardisation:
    """Mean and deviation of each feature, (num_features,), over the training images.

    Features of one backbone differ in scale from those of another by orders of magnitude, and on
    images far from its source by little among themselves. Standardised, one learning rate or
    penalty suits them all: the head learns as fast, and reaches the same place, whatever their
    scale.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, weights: np.ndarray | None = None) -> Self:
        """Returns that of training images.

        Args:
            features: Shape (num_examples, num_features).
            weights: How much each example counts, shape (num_examples,); one of weight 2 is two
                here, too. None is all alike.
        """
        if weights is None:
            mean, deviation = features.mean(axis=0), features.std(axis=0)
        else:
            total = weights.sum(dtype=np.float64)
            mean = np.asarray(weights @ features / total, features.dtype)
            deviation = np.sqrt(weights @ np.square(features - mean) / total)
        # A feature that is the same on all training images says nothing, and must not explode where
        # another image differs by a little.
        floor = _SMALLEST_DEVIATION * deviation.max(initial=0.0)
        return cls(mean, np.where(deviation > floor, deviation, 1.0))

    def apply(self, features: np.ndarray) -> np.ndarray:
        """Returns features of mean 0 and deviation 1, float32."""
        return np.asarray((features - self.mean) / self.deviation, "float32")

    def absorbed(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the kernel and bias that do with features what these do with standardised ones.

        Args:
            kernel: Shape (num_features, num_outputs).
            bias: Shape (num_outputs,).
        """
        kernel = kernel / self.deviation[:, None]
        return kernel, bias - self.mean @ kernel


def feature_batches(
    features: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    *,
    seed: int,
    epochs: int,
    weights: np.ndarray | None = None,
    first_epoch: int = 0,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Returns batches of (features, labels) for several epochs, one after the other.

    Where there are weights they are the third.

    The examples come in the order in which `pipeline.training_batches` has their images.

    Args:
        features: Shape (num_examples, ...).
        labels: Shape (num_examples,).
        batch_size: Examples per batch; an epoch's last batch may be smaller.
        seed: With the epoch's number it decides the epoch's order.
        epochs: Where to stop: the number of the last epoch is one less.
        weights: Shape (num_examples,), or None.
        first_epoch: The number of the first epoch.
        first_step: Batches of that epoch which are left out.
    """
    columns = [tf.constant(x) for x in (features, labels, weights) if x is not None]

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        passed = tf.where(epoch == first_epoch, first_step * batch_size, 0)
        return shuffled_indices(len(labels), seed, epoch, passed).batch(batch_size)

    num_batches = -(-len(labels) // batch_size) * max(0, epochs - first_epoch) - first_step
    return (
        tf.data.Dataset.range(first_epoch, epochs)
        .flat_map(one_epoch)
        .map(lambda indices: tuple(tf.gather(column, indices) for column in columns))
        .apply(tf.data.experimental.assert_cardinality(num_batches))
        .prefetch(tf.data.AUTOTUNE)
    )
