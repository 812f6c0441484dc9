"""From a split to batches: read, decode, resize, keep, shuffle, augment, batch, prefetch."""

import functools
import math
import mmap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer import images as image_operations
from tfxfer.augment import NO_CHANGES, augment_batch, draw
from tfxfer.cache import Cache, code_digest, id_of, key_of
from tfxfer.config import GIGABYTE, AugmentConfig, RunConfig
from tfxfer.errors import DataError
from tfxfer.progress import Progress
from tfxfer.sources import Split

# The buffer that shuffles larger data which can only be read from the first to the last; it holds
# encoded images, about 1 GB of photos.
SHUFFLE_EXAMPLES = 10_000

# What the seed of a run is used for here; each use has random numbers of its own.
_ORDER, _AUGMENT = 0, 1

# The most that is kept in memory unless another limit is set: 13,000 images of 224 pixels.
MEMORY_BYTES = 2 * GIGABYTE

# Images decoded at a time where all of a split are.
_DECODED = 64


class Images:
    """The images of a split at one size, decoded only once where there is room for them.

    They are kept in memory if they fit, else on the disk, where a later run finds them again. For
    that, every pipeline over a split should draw from the same object.
    """

    def __init__(
        self,
        split: Split,
        image_size: int,
        memory_bytes: float = MEMORY_BYTES,
        cache: Cache | None = None,
    ) -> None:
        """Describes the images; nothing is read until batches are.

        Args:
            split: Where the images come from.
            image_size: Pixels of a side; see `images.resize`.
            memory_bytes: Keep the images in memory if they take no more than this; 0, and no cache,
                suit a single pass.
            cache: Where they are kept if they take more.
        """
        self.split = split
        self.image_size = image_size
        self._cache = cache
        self._memory_bytes = memory_bytes

    def __len__(self) -> int:
        return len(self.split)

    @functools.cached_property
    def kept(self) -> tf.Tensor | None:
        """All images, uint8, (num_examples, size, size, 3), or None where there is no room.

        What is on the disk is mapped into memory: the system reads of it what is asked for.
        """
        shape = (self.image_size, self.image_size, 3)
        if len(self) * math.prod(shape) <= self._memory_bytes:
            pictures = _aligned_array((len(self), *shape))
            start = 0
            for batch in self._decoded_once():
                pictures[start : start + len(batch)] = batch
                start += len(batch)
            return _as_tensor(pictures)
        if self._cache is None or len(self) * math.prod(shape) > self._cache.max_bytes:
            return None
        ids = self.split.digests()
        facts = {"images": id_of(ids.tobytes()).hex(), "size": self.image_size}
        key = key_of({**facts, "code": code_digest("images")})
        found = self._cache.read("images", key)
        if found is not None:
            return _as_tensor(found[1])
        about = {"what": f"{len(self):,} images, {self.image_size} pixels"}
        batches = self._decoded_once()
        rows = self._cache.write("images", key, ids, batches, np.uint8, shape, about)
        return None if rows is None else _as_tensor(rows)

    @property
    def streamed(self) -> tf.data.Dataset:
        """The images one by one, uint8, in the order of the split, decoded anew each time."""
        return self.split.open_images().map(self.prepare, tf.data.AUTOTUNE)

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

    def _decoded_once(self) -> Iterator[np.ndarray]:
        """Yields the images, some at a time, and shows how far that is."""
        with Progress("images decoded", len(self), _DECODED) as progress:
            batches = self.streamed.batch(_DECODED).prefetch(tf.data.AUTOTUNE)
            for number, batch in enumerate(batches.as_numpy_iterator(), start=1):
                yield batch
                progress.update(number)


def open_images(splits: Mapping[str, Split], config: RunConfig) -> dict[str, Images]:
    """Returns the images of each split at the size, and in the room, that a run has for them."""
    cache = Cache.of(config)
    return {
        name: Images(split, config.input_size, config.memory_bytes, cache)
        for name, split in splits.items()
    }


def _aligned_array(shape: tuple[int, ...]) -> np.ndarray:
    """Returns uint8 in memory of its own, which begins at a page as TensorFlow wants it."""
    return np.frombuffer(mmap.mmap(-1, max(math.prod(shape), 1)), np.uint8).reshape(shape)


def _as_tensor(pictures: np.ndarray) -> tf.Tensor:
    """Returns a tensor that is the array, not a copy of it."""
    return tf.experimental.dlpack.from_dlpack(pictures.__dlpack__())


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

    Images that are kept or lie in files of their own are shuffled as a whole. Those of a TFDS data
    set for which there is no room pass through a buffer of 10,000.

    Args:
        images: What to train on.
        batch_size: Images per batch.
        seed: Of the run.
        epochs: Where to stop: the number of the last epoch is one less.
        augment: Random changes; see `augment.augment_batch`.
        first_epoch: The number of the first epoch.

    Returns:
        Elements (images, labels): uint8 or float32 in [0, 255], shape (batch, size, size, 3), and
        int32, shape (batch,).
    """
    labels = tf.constant(images.split.labels, tf.int32)
    num_examples = len(images)
    shuffled = _shuffling(images)
    kept = images.kept

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        batches = shuffled(_epoch_seed(seed, _ORDER, epoch)).batch(batch_size)
        draws = draw(num_examples, _epoch_seed(seed, _AUGMENT, epoch))
        return batches.map(lambda *batch: (*batch, tf.gather(draws, batch[0])))

    def finish(indices: tf.Tensor, *rest: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        *read, draws = rest
        (batch,) = read or [tf.gather(kept, indices)]
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
    kept = images.kept
    if kept is None:
        batches = images.streamed.batch(batch_size)
    else:
        order = tf.data.Dataset.range(len(images)).batch(batch_size)
        batches = order.map(lambda indices: tf.gather(kept, indices), tf.data.AUTOTUNE)
    labels = tf.data.Dataset.from_tensor_slices(images.split.labels.astype(np.int32))
    return (
        tf.data.Dataset.zip(batches, labels.batch(batch_size))
        .apply(tf.data.experimental.assert_cardinality(-(-len(images) // batch_size)))
        .prefetch(tf.data.AUTOTUNE)
    )


def _shuffling(images: Images) -> Callable[[tf.Tensor], tf.data.Dataset]:
    """Returns a graph function: every index, in an order that its seed decides.

    Where the images are not kept each index comes with its uint8 image.
    """
    num_examples, read = len(images), images.split.read_image

    def numbers(seed: tf.Tensor) -> tf.data.Dataset:
        return _shuffled_indices(num_examples, seed).map(lambda index: (index,))

    if images.kept is not None:
        return numbers
    if read is not None:
        read_image = read  # never None, which mypy cannot know of `read` inside a function

        def by_index(seed: tf.Tensor) -> tf.data.Dataset:
            return numbers(seed).map(
                lambda index: (index, images.prepare(read_image(tf.cast(index, tf.int64)))),
                tf.data.AUTOTUNE,
            )

        return by_index
    # Opened here, once: what a graph function opens is opened anew for each epoch.
    examples = images.split.open_images().enumerate()

    def by_buffer(seed: tf.Tensor) -> tf.data.Dataset:
        # tf.data mixes the global seed into a shuffle, and fails if there is one while its own is a
        # tensor. In a graph function the graph's seed stands for the global one.
        tf.compat.v1.get_default_graph().seed = None
        shuffled = examples.shuffle(
            SHUFFLE_EXAMPLES, tf.bitcast(seed, tf.int64), reshuffle_each_iteration=False
        )
        return shuffled.map(lambda index, image: (index, images.prepare(image)), tf.data.AUTOTUNE)

    return by_buffer


def shuffled_indices(num_examples: int, seed: int, epoch: tf.Tensor) -> tf.data.Dataset:
    """Returns the indices of a split in the order of an epoch, that of `training_batches`.

    Args:
        num_examples: Of the split.
        seed: Of the run.
        epoch: Its number, a scalar integer.
    """
    return _shuffled_indices(num_examples, _epoch_seed(seed, _ORDER, epoch))


def _shuffled_indices(num_examples: int, seed: tf.Tensor) -> tf.data.Dataset:
    order = tf.random.experimental.stateless_shuffle(tf.range(num_examples), seed)
    return tf.data.Dataset.from_tensor_slices(order)


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
