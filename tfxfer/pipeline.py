"""From a split to batches: read, decode, resize, keep, shuffle, augment, batch, prefetch."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer import images as image_operations
from tfxfer.augment import NO_CHANGES, augment_batch, draw
from tfxfer.config import AugmentConfig
from tfxfer.errors import DataError
from tfxfer.sources import Split

# The largest split that is kept decoded: 14,000 images of 224 pixels, 700,000 of 32.
CACHE_BYTES = 2 * 2**30

# The buffer that shuffles larger data which can only be read from the first to the last; it holds
# encoded images, about 1 GB of photos.
SHUFFLE_EXAMPLES = 10_000

# What the seed of a run is used for here; each use has random numbers of its own.
_ORDER, _AUGMENT = 0, 1


class Images:
    """The images of a split at one size, decoded only once where they fit into memory.

    The first full pass fills the memory, whichever it is; no later pass or epoch decodes again. For
    that, every pipeline over a split should draw from the same object.
    """

    def __init__(self, split: Split, image_size: int, cache_bytes: int = CACHE_BYTES) -> None:
        """Describes the images; nothing is read until batches are.

        Args:
            split: Where the images come from.
            image_size: Pixels of a side; see `images.resize`.
            cache_bytes: Keep the images if they take no more than this; 0 suits a single pass.
        """
        self.split = split
        self.image_size = image_size
        self.fit_in_memory = len(split) * image_size**2 * 3 <= cache_bytes

    def __len__(self) -> int:
        return len(self.split)

    @functools.cached_property
    def decoded(self) -> tf.data.Dataset:
        """The images one by one, uint8, in the order of the split."""
        images = self.split.open_images().map(self.prepare, tf.data.AUTOTUNE)
        # The memory belongs to this very object: a cache made anew for each epoch would be empty.
        return images.cache() if self.fit_in_memory else images

    def prepare(self, image: tf.Tensor) -> tf.Tensor:
        """Returns an image as the split gives it, encoded or decoded, at the right size."""
        if image.dtype == tf.string:
            return image_operations.decode_and_resize(image, self.image_size)
        return image_operations.resize(image, self.image_size)

    def encoded(self, num_examples: int) -> list[bytes]:
        """Returns up to `num_examples` image files, those of decoded images as PNG."""
        sample = self.split.sample(num_examples)
        if sample.element_spec.dtype != tf.string:
            sample = sample.map(tf.io.encode_png)
        return list(sample.as_numpy_iterator())


def training_batches(
    images: Images,
    batch_size: int,
    *,
    seed: int,
    epochs: int,
    augment: AugmentConfig = NO_CHANGES,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Returns the batches of several epochs, one after the other.

    Each epoch has every example once, in an order and with changes that depend on the seed and the
    epoch's number alone: `first_epoch` continues exactly where a run with the same seed stopped.
    An epoch has `ceil(num_examples / batch_size)` batches; the last may be smaller.

    Images that are kept in memory or lie in files of their own are shuffled as a whole. Those of a
    larger TFDS data set pass through a buffer of 10,000.

    Args:
        images: What to train on.
        batch_size: Images per batch.
        seed: Of the run.
        epochs: Where to stop: the number of the last epoch is one less.
        augment: Random changes; see `augment.augment_batch`.
        first_epoch: The number of the first epoch.

    Returns:
        Elements (images, labels): float32 in [0, 255], shape (batch, size, size, 3), and int32,
        shape (batch,).
    """
    labels = tf.constant(images.split.labels, tf.int32)
    num_examples = len(images)
    shuffled = _shuffling(images)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        batches = shuffled(_epoch_seed(seed, _ORDER, epoch)).batch(batch_size)
        draws = draw(num_examples, _epoch_seed(seed, _AUGMENT, epoch))
        return batches.map(lambda indices, batch: (indices, batch, tf.gather(draws, indices)))

    def finish(
        indices: tf.Tensor, batch: tf.Tensor, draws: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return augment_batch(batch, draws, augment), tf.gather(labels, indices)

    num_batches = -(-num_examples // batch_size) * max(0, epochs - first_epoch)
    return (
        tf.data.Dataset.range(first_epoch, epochs)
        .flat_map(one_epoch)
        .map(finish, num_parallel_calls=tf.data.AUTOTUNE)
        .apply(tf.data.experimental.assert_cardinality(num_batches))
        .prefetch(tf.data.AUTOTUNE)
    )


def evaluation_batches(images: Images, batch_size: int) -> tf.data.Dataset:
    """Returns every example once, in the order of the split.

    Args:
        images: What to evaluate.
        batch_size: Images per batch; the last may be smaller.

    Returns:
        Elements (images, labels) as those of `training_batches`.
    """
    labels = tf.data.Dataset.from_tensor_slices(images.split.labels.astype(np.int32))
    return (
        tf.data.Dataset.zip(images.decoded, labels)
        .batch(batch_size)
        .map(lambda batch, labels: (tf.cast(batch, tf.float32), labels), tf.data.AUTOTUNE)
        .apply(tf.data.experimental.assert_cardinality(-(-len(images) // batch_size)))
        .prefetch(tf.data.AUTOTUNE)
    )


def _shuffling(images: Images) -> Callable[[tf.Tensor], tf.data.Dataset]:
    """Returns a graph function: every (index, uint8 image), in an order that its seed decides."""
    num_examples, read = len(images), images.split.read_image
    if read is not None and not images.fit_in_memory:
        read_image = read  # never None, which mypy cannot know of `read` inside a function

        def by_index(seed: tf.Tensor) -> tf.data.Dataset:
            numbers = tf.range(num_examples, dtype=tf.int64)
            order = tf.random.experimental.stateless_shuffle(numbers, seed)
            return tf.data.Dataset.from_tensor_slices(order).map(
                lambda index: (index, images.prepare(read_image(index))), tf.data.AUTOTUNE
            )

        return by_index
    # Opened here, once: what a graph function opens is opened anew for each epoch.
    examples = (images.decoded if images.fit_in_memory else images.split.open_images()).enumerate()
    # One more than there are: so the first batch already sees the end, and the cache is full even
    # if no second batch is read. Keras looks at one before it starts.
    buffer_size = num_examples + 1 if images.fit_in_memory else SHUFFLE_EXAMPLES

    def by_buffer(seed: tf.Tensor) -> tf.data.Dataset:
        # tf.data mixes the global seed into a shuffle, and fails if there is one while its own is a
        # tensor. In a graph function the graph's seed stands for the global one.
        tf.compat.v1.get_default_graph().seed = None
        shuffled = examples.shuffle(
            buffer_size, tf.bitcast(seed, tf.int64), reshuffle_each_iteration=False
        )
        if images.fit_in_memory:
            return shuffled
        return shuffled.map(lambda index, image: (index, images.prepare(image)), tf.data.AUTOTUNE)

    return by_buffer


def _epoch_seed(seed: int, use: int, epoch: tf.Tensor) -> tf.Tensor:
    """Returns two int32 that are others for each seed, use and epoch."""
    run_seed = tf.constant([seed, use], tf.int32)
    return tf.random.fold_in(run_seed, tf.cast(epoch, tf.int32), alg="philox")


@contextmanager
def naming_unreadable_images(*splits: Split) -> Iterator[None]:
    """Turns the failure to read an image, which names no file, into one that does.

    Put it around whatever iterates over batches. Only after a failure are the splits read again,
    in full.

    Raises:
        DataError: Images of the splits cannot be read.
    """
    try:
        yield
    except tf.errors.OpError as error:
        for split in splits:
            unreadable = find_unreadable(split)
            if len(unreadable):
                raise DataError(_message(split, unreadable)) from error
        raise


def find_unreadable(split: Split) -> npt.NDArray[np.int64]:
    """Returns the indices of the images that cannot be read or decoded, ascending."""

    def is_readable(index: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
        if image.dtype == tf.string:
            image = image_operations.decode(image)
        with tf.control_dependencies([image]):
            return tf.identity(index)

    read = split.read_image
    indices = tf.data.Dataset.range(len(split))
    if read is not None:
        readable = indices.map(lambda index: is_readable(index, read(index)), tf.data.AUTOTUNE)
    else:
        readable = split.open_images().enumerate().map(is_readable, tf.data.AUTOTUNE)
    found = list(readable.ignore_errors().as_numpy_iterator())
    return np.setdiff1d(np.arange(len(split)), np.array(found, np.int64))


def _message(split: Split, unreadable: npt.NDArray[np.int64], limit: int = 5) -> str:
    """Returns which images cannot be read and, for the first few, why."""
    named = []
    for index in unreadable[:limit]:
        one = split.select(np.array([index]))
        try:
            for image in one.open_images():
                image_operations.decode(image)
        except tf.errors.OpError as error:
            reason = image_operations.readable_reason(error)
            named.append(f"\n  {split.describe(int(index))}: {reason}")
    more = f"\n  and {len(unreadable) - limit:,} more" if len(unreadable) > limit else ""
    what, them = (
        ("1 image", "it") if len(unreadable) == 1 else (f"{len(unreadable):,} images", "them")
    )
    return f"Cannot read {what}; replace or remove {them}, and run again:{''.join(named)}{more}"
