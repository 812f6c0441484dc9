"""Batches of examples for training and evaluation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfxfer.config.schema import AugmentConfig
from tfxfer.data.image.augmentation.changes import (
    NO_CHANGES,
    augment_batch,
    draw,
    flips,
)
from tfxfer.data.image.augmentation.mixing import (
    MIXING_DRAWS,
    draw_mixing,
    mix_batch,
    mix_targets,
    mixes_images,
)
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.order import Numbers
from tfxfer.data.labels.targets import in_batches
from tfxfer.data.source import untuned

# The buffer that shuffles larger data which can only be read from the first to the last; it holds
# encoded images, about 1 GB of photos.
SHUFFLE_EXAMPLES = 10_000

# What the seed of a run is used for here; each use has random numbers of its own.
_ORDER, _AUGMENT, _MIX = 0, 1, 2


def array_batches(rows: np.ndarray, labels: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """Returns batches of (rows, labels), every example once, in order."""
    batches = tf.data.Dataset.from_tensor_slices((rows, labels)).batch(batch_size)
    return untuned(batches.prefetch(1))


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

    With weights, batches are (features, labels, weights).

    The examples come in the order in which `training_batches` has their images.

    Args:
        features: Shape (num_examples, ...). With twice as many rows, those of the mirror images
            follow, and each epoch has those of an image or of its mirror image, as
            `training_batches` mirrors it.
        labels: Shape (num_examples,) or (num_examples, num_labels).
        batch_size: Examples per batch; an epoch's last batch may be smaller.
        seed: With the epoch's number it decides the epoch's order.
        epochs: Where to stop: the number of the last epoch is one less.
        weights: In the shape of the labels, or None.
        first_epoch: The number of the first epoch.
        first_step: Batches of that epoch which are left out.
    """
    num_examples, rows = len(labels), tf.constant(features)
    told = [tf.constant(x) for x in (labels, weights) if x is not None]
    is_mirrored = len(features) == 2 * num_examples

    def one_epoch(epoch: tf.Tensor, passed: tf.Tensor) -> tf.data.Dataset:
        batches = shuffled_indices(num_examples, seed, epoch, passed).batch(batch_size)
        if not is_mirrored:
            return batches.map(lambda indices: (indices, indices))
        mirrors = tf.cast(flips(draw(num_examples, _epoch_seed(seed, _AUGMENT, epoch))), tf.int32)
        return batches.map(
            lambda indices: (indices, indices + num_examples * tf.gather(mirrors, indices))
        )

    def finish(indices: tf.Tensor, places: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return tf.gather(rows, places), *(tf.gather(column, indices) for column in told)

    return _Epochs(num_examples, batch_size, epochs, first_epoch, first_step).batches(
        one_epoch, finish
    )


def training_batches(
    images: Images,
    batch_size: int,
    *,
    seed: int,
    epochs: int,
    augment: AugmentConfig = NO_CHANGES,
    num_classes: int = 0,
    first_epoch: int = 0,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Returns the batches of several epochs, one after the other.

    Each epoch has every example once, in an order and with changes that depend on the seed and the
    epoch's number alone: `first_epoch` and `first_step` continue exactly where a run with the same
    seed stopped, and what lies before is not read.
    An epoch has `ceil(num_examples / batch_size)` batches; the last may be smaller.

    Images that are cached or in files of their own are shuffled as a whole. Those of a TFDS dataset
    that does not fit the cache are shuffled with a buffer of 10,000.

    Args:
        images: What to train on.
        batch_size: Images per batch.
        seed: Of the run.
        epochs: Where to stop: the number of the last epoch is one less.
        augment: Random changes; see `changes.augment_batch` and `mixing.mix_batch`.
        num_classes: How many classes or labels there are; read where images are mixed.
        first_epoch: The number of the first epoch.
        first_step: Batches of that epoch which are left out.

    Returns:
        Elements (images, labels): uint8 or float32 in [0, 255], shape (batch, size, size, 3), and
        int32, shape (batch,), or float32, shape (batch, num_labels), where images have several;
        where the split has weights also these, float32, of the shape of the labels. Where images
        are mixed, in place of the labels their targets and weights; see `mixing.mix_targets`.
    """
    labels, weights = in_batches(images.labels), images.weights
    told = [tf.constant(column) for column in (labels, weights) if column is not None]
    num_examples = len(images)
    shuffled = _shuffling(images)
    kept = images.kept

    def one_epoch(epoch: tf.Tensor, passed: tf.Tensor) -> tf.data.Dataset:
        batches = shuffled(_epoch_seed(seed, _ORDER, epoch), passed).batch(batch_size)
        draws = draw(num_examples, _epoch_seed(seed, _AUGMENT, epoch), augment)
        if mixes_images(augment):
            mixing = draw_mixing(num_examples, _epoch_seed(seed, _MIX, epoch), augment)
            draws = tf.concat([mixing, draws], axis=1)
        return batches.map(lambda *batch: (*batch, tf.gather(draws, batch[0])))

    def finish(indices: tf.Tensor, *rest: tf.Tensor) -> tuple[tf.Tensor, ...]:
        *read, draws = rest
        (batch,) = read or [tf.gather(kept, indices)]
        columns = [tf.gather(column, indices) for column in told]
        if not mixes_images(augment):
            return augment_batch(batch, draws, augment), *columns
        seen = augment_batch(batch, draws[:, MIXING_DRAWS:], augment)
        mixed, shares = mix_batch(seen, draws[:, :MIXING_DRAWS], augment)
        of_labels, of_weights = columns[0], columns[1] if len(columns) > 1 else None
        return mixed, *mix_targets(of_labels, of_weights, shares, num_classes)

    return _Epochs(num_examples, batch_size, epochs, first_epoch, first_step).batches(
        one_epoch, finish, num_parallel_calls=tf.data.AUTOTUNE
    )


def evaluation_batches(
    images: Images, batch_size: int, numbers: Numbers | None = None
) -> tf.data.Dataset:
    """Returns every example once, in the order of the numbers of the images.

    Args:
        images: What to evaluate.
        batch_size: Images per batch; the last may be smaller.
        numbers: Which of the images, ascending; None for all.

    Returns:
        Elements (images, labels) as those of `training_batches`, never with weights.
    """
    kept = images.kept
    wanted = np.arange(len(images)) if numbers is None else numbers
    if kept is None:
        batches = images.streamed(numbers).batch(batch_size)
    else:
        order = tf.data.Dataset.from_tensor_slices(wanted).batch(batch_size)
        batches = order.map(lambda numbers: tf.gather(kept, numbers), tf.data.AUTOTUNE)
    labels = tf.data.Dataset.from_tensor_slices(in_batches(images.labels[wanted]))
    return untuned(
        tf.data.Dataset.zip(batches, labels.batch(batch_size))
        .apply(tf.data.experimental.assert_cardinality(-(-len(wanted) // batch_size)))
        .prefetch(tf.data.AUTOTUNE)
    )


@dataclass(frozen=True)
class _Epochs:
    """Several epochs of one number of examples, one after the other.

    Attributes:
        num_examples: In each.
        batch_size: Examples per batch; an epoch's last batch may be smaller.
        end: The number of the last epoch is one less.
        first: The number of the first epoch.
        first_step: Batches of that epoch which are left out.
    """

    num_examples: int
    batch_size: int
    end: int
    first: int
    first_step: int

    def batches(
        self,
        one_epoch: Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset],
        finish: Callable[..., tuple[tf.Tensor, ...]],
        num_parallel_calls: int | None = None,
    ) -> tf.data.Dataset:
        """Returns the batches of all of them.

        Args:
            one_epoch: A graph function of an epoch's number, and of how many of its first examples
                are left out: what its batches are made of.
            finish: A graph function from one of these to the batch.
            num_parallel_calls: Of `finish`; None is one at a time, where it takes next to no time.
        """

        def left_of(epoch: tf.Tensor) -> tf.data.Dataset:
            passed = tf.where(epoch == self.first, self.first_step * self.batch_size, 0)
            return one_epoch(epoch, passed)

        steps = -(-self.num_examples // self.batch_size)
        num_batches = steps * max(0, self.end - self.first) - self.first_step
        return untuned(
            tf.data.Dataset.range(self.first, self.end)
            .flat_map(left_of)
            .map(finish, num_parallel_calls=num_parallel_calls)
            .apply(tf.data.experimental.assert_cardinality(num_batches))
            .prefetch(tf.data.AUTOTUNE)
        )


def _shuffling(images: Images) -> Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset]:
    """Returns a graph function: every number but the first so many, in an order its seed decides.

    Where the images are not kept each number comes with its uint8 image.
    """
    num_examples = len(images)

    def numbers(seed: tf.Tensor, passed: tf.Tensor) -> tf.data.Dataset:
        return _shuffled_indices(num_examples, seed, passed).map(lambda number: (number,))

    if images.kept is not None:
        return numbers
    read = images.numbered.read_image
    if read is not None:
        read_image = read  # never None, which mypy cannot know of `read` inside a function

        def by_number(seed: tf.Tensor, passed: tf.Tensor) -> tf.data.Dataset:
            return numbers(seed, passed).map(
                lambda number: (number, images.prepare(read_image(tf.cast(number, tf.int64)))),
                tf.data.AUTOTUNE,
            )

        return by_number
    # Opened here, once: a graph function would open it again for each epoch.
    examples = images.split.open_images().enumerate()

    def by_buffer(seed: tf.Tensor, passed: tf.Tensor) -> tf.data.Dataset:
        # tf.data mixes the global seed into a shuffle, and fails if there is one while its own is a
        # tensor. In a graph function the graph's seed stands for the global one.
        tf.compat.v1.get_default_graph().seed = None
        shuffled = examples.shuffle(
            SHUFFLE_EXAMPLES, tf.bitcast(seed, tf.int64), reshuffle_each_iteration=False
        )
        left = shuffled.skip(tf.cast(passed, tf.int64))
        return left.map(lambda index, image: (index, images.prepare(image)), tf.data.AUTOTUNE)

    return by_buffer


def shuffled_indices(
    num_examples: int, seed: int, epoch: tf.Tensor, passed: tf.Tensor
) -> tf.data.Dataset:
    """Returns the indices of a split in the order of an epoch, that of `training_batches`.

    Args:
        num_examples: Of the split.
        seed: Of the run.
        epoch: Its number, a scalar integer.
        passed: The first so many are left out, a scalar integer.
    """
    return _shuffled_indices(num_examples, _epoch_seed(seed, _ORDER, epoch), passed)


def _shuffled_indices(num_examples: int, seed: tf.Tensor, passed: tf.Tensor) -> tf.data.Dataset:
    order = tf.random.experimental.stateless_shuffle(tf.range(num_examples), seed)
    return tf.data.Dataset.from_tensor_slices(order[passed:])


def _epoch_seed(seed: int, use: int, epoch: tf.Tensor) -> tf.Tensor:
    """Returns two int32 that are others for each seed, use and epoch."""
    run_seed = tf.constant([seed, use], tf.int32)
    return tf.random.fold_in(run_seed, tf.cast(epoch, tf.int32), alg="philox")
