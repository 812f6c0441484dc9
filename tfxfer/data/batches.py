"""Batches of examples for training and evaluation."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfxfer.config.schema import AugmentConfig
from tfxfer.data.epochs.shuffling import (
    AUGMENT,
    MIX,
    ORDER,
    Epochs,
    Start,
    can_be_dealt,
    cut,
    epoch_seed,
    shuffling,
)
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
from tfxfer.system.processes.shares import Share


def array_batches(rows: np.ndarray, labels: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """Returns batches of (rows, labels), every example once, in order."""
    batches = tf.data.Dataset.from_tensor_slices((rows, labels)).batch(batch_size)
    return untuned(batches.prefetch(1))


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class Views:
    """Features of several views of examples.

    Attributes:
        features: View after view of all examples, (count * num_examples, ...).
        count: How many views there are.
    """

    features: np.ndarray
    count: int


def feature_batches(
    features: np.ndarray | Views,
    labels: np.ndarray,
    batch_size: int,
    *,
    seed: int,
    epochs: int,
    weights: np.ndarray | None = None,
    start: Start = (0, 0),
    share: Share | None = None,
) -> tf.data.Dataset:
    """Returns batches of (features, labels) for several epochs, one after the other.

    With weights, batches are (features, labels, weights).

    The examples come in the order in which `training_batches` has their images.

    Args:
        features: Shape (num_examples, ...). With twice as many rows, those of the mirror images
            follow, and each epoch has those of an image or of its mirror image, as
            `training_batches` mirrors it. Of views, each epoch has one, and those after the last
            view have them again from the first.
        labels: Shape (num_examples,) or (num_examples, num_labels).
        batch_size: Examples per batch; an epoch's last batch may be smaller.
        seed: With the epoch's number it decides the epoch's order.
        epochs: Where to stop: the number of the last epoch is one less.
        weights: In the shape of the labels, or None.
        start: The number of the first epoch, and how many of its batches are left out.
        share: What of each batch is read, as `Dealt.marked` has it; None for all of it.
    """
    views = features.count if isinstance(features, Views) else 1
    num_examples = len(labels)
    rows = tf.constant(features.features if isinstance(features, Views) else features)
    told = [tf.constant(x) for x in (labels, weights) if x is not None]
    is_mirrored = views == 1 and len(rows) == 2 * num_examples
    several = Epochs(num_examples, batch_size, epochs, start, share)

    def one_epoch(epoch: tf.Tensor, passed: tf.Tensor) -> tf.data.Dataset:
        batches = several.batched(several.shuffled(epoch_seed(seed, ORDER, epoch), passed))
        if not is_mirrored:
            first = num_examples * tf.cast(epoch % views, tf.int32)
            return batches.map(lambda indices: (indices, indices + first))
        mirrors = tf.cast(flips(draw(num_examples, epoch_seed(seed, AUGMENT, epoch))), tf.int32)
        return batches.map(
            lambda indices: (indices, indices + num_examples * tf.gather(mirrors, indices))
        )

    def finish(indices: tf.Tensor, places: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return tf.gather(rows, places), *(tf.gather(column, indices) for column in told)

    return several.batches(one_epoch, finish)


def training_batches(
    images: Images,
    batch_size: int,
    *,
    seed: int,
    epochs: int,
    augment: AugmentConfig = NO_CHANGES,
    num_classes: int = 0,
    start: Start = (0, 0),
    share: Share | None = None,
) -> tf.data.Dataset:
    """Returns the batches of several epochs, one after the other.

    Each epoch has every example once, in an order and with changes that depend on the seed and the
    epoch's number alone: `start` continues exactly where a run with the same seed stopped, and what
    lies before is not read. An epoch has `ceil(num_examples / batch_size)` batches; the last may be
    smaller.

    Images that are cached or in files of their own are shuffled as a whole. Those of a TFDS dataset
    that does not fit the cache are shuffled with a buffer of 10,000.

    Args:
        images: What to train on.
        batch_size: Images per batch.
        seed: Of the run.
        epochs: Where to stop: the number of the last epoch is one less.
        augment: Random changes; see `changes.augment_batch` and `mixing.mix_batch`.
        num_classes: How many classes or labels there are; read where images are mixed.
        start: The number of the first epoch, and how many of its batches are left out.
        share: What of each batch is read, as `Dealt.marked` has it; None for all of it.

    Returns:
        Elements (images, labels): uint8 or float32 in [0, 255], shape (batch, size, size, 3), and
        int32, shape (batch,), or float32, shape (batch, num_labels), where images have several;
        where the split has weights also these, float32, of the shape of the labels. Where images
        are mixed, in place of the labels their targets and weights; see `mixing.mix_targets`.
    """
    labels, weights = in_batches(images.labels), images.weights
    told = [tf.constant(column) for column in (labels, weights) if column is not None]
    num_examples = len(images)
    # An image is mixed with the next one of the whole batch.
    is_dealt = share is not None and can_be_dealt(images) and not mixes_images(augment)
    several = Epochs(num_examples, batch_size, epochs, start, share if is_dealt else None)
    shuffled, kept = shuffling(images, several), images.kept

    def one_epoch(epoch: tf.Tensor, passed: tf.Tensor) -> tf.data.Dataset:
        batches = several.batched(shuffled(epoch_seed(seed, ORDER, epoch), passed))
        draws = draw(num_examples, epoch_seed(seed, AUGMENT, epoch), augment)
        if mixes_images(augment):
            mixing = draw_mixing(num_examples, epoch_seed(seed, MIX, epoch), augment)
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

    batches = several.batches(one_epoch, finish, num_parallel_calls=tf.data.AUTOTUNE)
    return batches if share is None or is_dealt else cut(batches, share)


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
