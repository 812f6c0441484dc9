"""From a split to batches: read, decode, resize, keep, shuffle, augment, batch, prefetch."""

import copy
import functools
import math
import mmap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer import images as image_operations
from tfxfer.augment import NO_CHANGES, augment_batch, draw
from tfxfer.cache import ID_BYTES, Cache, Ids, code_digest, id_of, key_of, places
from tfxfer.config import GIGABYTE, AugmentConfig, RunConfig
from tfxfer.errors import DataError
from tfxfer.progress import Progress
from tfxfer.sources import Split
from tfxfer.sources.carving import canonical_order

# The buffer that shuffles larger data which can only be read from the first to the last; it holds
# encoded images, about 1 GB of photos.
SHUFFLE_EXAMPLES = 10_000

# What the seed of a run is used for here; each use has random numbers of its own.
_ORDER, _AUGMENT = 0, 1

# The most that is kept in memory unless another limit is set: 13,000 images of 224 pixels.
MEMORY_BYTES = 2 * GIGABYTE

# What to do about unreadable images.
REPLACE = "replace or remove what is listed"

# Images at a time where all of a split are decoded, or only looked at.
_DECODED = 64
_CHECKED = 1024


Item = TypeVar("Item", bound=np.generic)


class Images:
    """The images of a split at one size, decoded only once where there is room for them.

    They are kept in memory if they fit, else on the disk, where a later run finds them again. For
    that, every pipeline over a split should draw from the same object.

    They have numbers of their own. Where the images can be had in any order, the content alone
    decides it: the same images give the same training, whatever order they lie in.
    """

    def __init__(
        self,
        split: Split,
        image_size: int,
        memory_bytes: float = MEMORY_BYTES,
        cache: Cache | None = None,
        *,
        by_content: bool = False,
    ) -> None:
        """Describes the images; nothing is read until batches are.

        Args:
            split: Where the images come from.
            image_size: Pixels of a side; see `images.resize`.
            memory_bytes: Keep the images in memory if they take no more than this; 0, and no cache,
                suit a single pass.
            cache: Where they are kept if they take more.
            by_content: Number them by their content, where they can be had in any order; otherwise
                they have the order of the split.
        """
        self.split = split
        self.image_size = image_size
        self._cache = cache
        self._memory_bytes = memory_bytes
        self._by_content = by_content
        self._in_memory = len(split) * math.prod(self._shape) <= memory_bytes
        self._order: npt.NDArray[np.int64] | None = None  # which of the split each number is
        if by_content and (self._in_memory or split.read_image is not None):
            self._order = canonical_order(split.digests())
        self._kept_decoded: tuple[np.ndarray, npt.NDArray[np.int64]] | None = None
        self.weights: npt.NDArray[np.float32] | None = None  # see `weighted`

    def __len__(self) -> int:
        return len(self.split)

    @functools.cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class indices, (num_examples,)."""
        return self._in_order(self.split.labels)

    @functools.cached_property
    def digests(self) -> Ids:
        """Digests of what the images are made of; see `Split`."""
        return self._in_order(self.split.digests())

    def weighted(self, weights: npt.NDArray[np.float32] | None) -> "Images":
        """Returns the same images, of which each counts so much in training.

        Args:
            weights: In the order of the split, (num_examples,), at least 0; None is all alike.
        """
        same = copy.copy(self)
        same.weights = None if weights is None else self._in_order(weights)
        return same

    @functools.cached_property
    def kept(self) -> tf.Tensor | None:
        """All images, uint8, (num_examples, size, size, 3), or None where there is no room.

        What is on the disk is mapped into memory: the system reads of it what is asked for.

        Raises:
            DataError: Images cannot be read.
        """
        if self._in_memory:
            pictures, missing = self._decoded()
            if len(missing):
                raise DataError(_message({"": self.split}, {"": missing}, REPLACE))
            return _as_tensor(pictures)
        cache, rows = self._cache, self._on_disk()
        if rows is None and cache is not None and self._fits(cache):
            about = {"what": f"{len(self):,} images, {self.image_size} pixels"}
            batches = self._decoded_once()
            rows = cache.write(
                "images", self._key(), self.digests, batches, np.uint8, self._shape, about
            )
        return None if rows is None else _as_tensor(rows)

    def unreadable(self) -> npt.NDArray[np.int64]:
        """Reads and decodes every image, and returns which of the split cannot be, ascending.

        Those that are kept in memory are kept by this very pass. What could be decoded in an
        earlier run can be in this one: where that holds of all images, nothing is decoded here.
        """
        digests = self.split.digests()
        known = _known_readable(self._cache)
        new = np.flatnonzero(places(digests, known) < 0)
        if not len(new):
            return new
        if self._in_memory:
            missing = self._decoded()[1]
        elif self._on_disk() is not None:  # then they were all decoded
            missing = new[:0]
        else:
            missing = new[find_unreadable(self.split.select(new))]
        _keep_readable(self._cache, known, digests[np.setdiff1d(new, missing)])
        return missing

    def without(self, examples: npt.NDArray[np.int64]) -> "Images":
        """Returns the images without some, which are named by their place in the split."""
        others = np.setdiff1d(np.arange(len(self)), examples)
        rest = Images(
            self.split.select(others),
            self.image_size,
            self._memory_bytes,
            self._cache,
            by_content=self._by_content,
        )
        if self._in_memory:
            order = np.arange(len(self)) if self._order is None else self._order
            pictures = _aligned_array((len(rest), *self._shape))
            np.compress(np.isin(order, others), self._decoded()[0], axis=0, out=pictures)
            missing = np.searchsorted(others, np.setdiff1d(self._decoded()[1], examples))
            rest._kept_decoded = pictures, missing
        return rest

    def streamed(self, numbers: npt.NDArray[np.int64] | None = None) -> tf.data.Dataset:
        """Returns images one by one, uint8, decoded anew each time.

        Args:
            numbers: Which of them, ascending; None for all.
        """
        split = self.numbered if numbers is None else self.numbered.select(numbers)
        return split.open_images().map(self.prepare, tf.data.AUTOTUNE)

    @property
    def numbered(self) -> Split:
        """The split in the order of the numbers, where its images are read again and not kept."""
        if self._order is None or self.split.read_image is None:
            return self.split
        return self.split.select(self._order)

    def prepare(self, image: tf.Tensor) -> tf.Tensor:
        """Returns an image as the split gives it, encoded or decoded, at the right size."""
        if image.dtype == tf.string:
            return image_operations.decode_and_resize(image, self.image_size, portable=False)
        return image_operations.resize(image, self.image_size)

    def encoded(self, num_examples: int) -> list[bytes]:
        """Returns up to `num_examples` files for a SavedModel, those of decoded images as PNG."""
        sample = self.split.sample(num_examples)
        is_decoded = sample.element_spec.dtype != tf.string
        sample = sample.map(tf.io.encode_png if is_decoded else image_operations.servable)
        return list(sample.as_numpy_iterator())

    def describe(self, number: int) -> str:
        """Returns the id of an image by its number: a path, "cifar10 train #123"."""
        return self.split.describe(int(number if self._order is None else self._order[number]))

    def _in_order(self, rows: npt.NDArray[Item]) -> npt.NDArray[Item]:
        """Returns what there is of each example of the split in the order of the numbers."""
        return rows if self._order is None else rows[self._order]

    @property
    def _shape(self) -> tuple[int, int, int]:
        return (self.image_size, self.image_size, 3)

    def _decoded(self) -> tuple[np.ndarray, npt.NDArray[np.int64]]:
        """Returns all images, by number, and which of the split cannot be read: those are black."""
        if self._kept_decoded is None:
            self._kept_decoded = self._decode_all()
        return self._kept_decoded

    def _decode_all(self) -> tuple[np.ndarray, npt.NDArray[np.int64]]:
        pictures = _aligned_array((len(self), *self._shape))
        number_of = np.arange(len(self))
        if self._order is not None:
            number_of[self._order] = np.arange(len(self))
        missing = np.ones(len(self), np.bool_)
        with Progress("images decoded", len(self)) as progress:
            for indices, batch in readable(self.split, self.prepare).batch(_DECODED).prefetch(1):
                places = indices.numpy()
                pictures[number_of[places]] = batch.numpy()
                missing[places] = False
                progress.update(int(np.count_nonzero(~missing)))
        return pictures, np.flatnonzero(missing)

    def _key(self) -> str:
        facts = {"images": id_of(self.digests.tobytes()).hex(), "size": self.image_size}
        return key_of({**facts, "code": code_digest("images")})

    def _fits(self, cache: Cache) -> bool:
        return len(self) * math.prod(self._shape) <= cache.max_bytes

    def _on_disk(self) -> np.ndarray | None:
        """Returns the images that an earlier run kept on the disk."""
        if self._cache is None or not self._fits(self._cache):
            return None
        found = self._cache.read("images", self._key())
        return None if found is None else found[1]

    def _decoded_once(self) -> Iterator[np.ndarray]:
        """Yields the images, some at a time, and shows how far that is."""
        with Progress("images decoded", len(self), _DECODED) as progress:
            batches = self.streamed().batch(_DECODED).prefetch(tf.data.AUTOTUNE)
            for number, batch in enumerate(batches.as_numpy_iterator(), start=1):
                yield batch
                progress.update(number)


@dataclass(frozen=True)
class Unreadable:
    """An image that was left out because it cannot be read.

    Attributes:
        split: In which it was.
        example: Its id: a path, "cifar10 train #5".
        label: Its class index.
        reason: Why it cannot be read.
    """

    split: str
    example: str
    label: int
    reason: str


def open_images(
    splits: Mapping[str, Split], config: RunConfig
) -> tuple[dict[str, Images], list[Unreadable]]:
    """Returns the images of each split, at the size and in the room that a run has for them.

    All are read and decoded once, so that what cannot be is found before any work is done; what is
    kept in memory is kept by that pass.

    Returns:
        The images by the names of the splits, and what was left out of them.

    Raises:
        DataError: Images cannot be read and `bad_images` is "error"; or a split, or a class in
            train, has no others.
    """
    cache = Cache.of(config)
    images = {
        name: Images(split, config.input_size, config.memory_bytes, cache, by_content=True)
        for name, split in splits.items()
    }
    bad = {name: one.unreadable() for name, one in images.items()}
    if config.bad_images == "error" and any(len(indices) for indices in bad.values()):
        raise DataError(_message(splits, bad, f"{REPLACE}, or leave it out with --bad-images skip"))
    skipped: list[Unreadable] = []
    for name, indices in bad.items():
        if not len(indices):
            continue
        split = splits[name]
        skipped += [
            Unreadable(name, split.describe(int(index)), int(split.labels[index]), reason)
            for index, reason in zip(indices, reasons_unreadable(split, indices), strict=True)
        ]
        left = images[name].without(indices)
        if not len(left) or (name == "train" and set(left.labels) != set(split.labels)):
            which = "a class" if len(left) else "any class"
            message = _message({name: split}, {name: indices}, REPLACE)
            raise DataError(f"In '{name}' no image of {which} can be read. {message}")
        images[name] = left
    return images, skipped


def _readable_key() -> str:
    """Returns the key under which the cache has the ids of all content that was ever decoded."""
    return key_of({"code": code_digest("images"), "tensorflow": tf.__version__})


def _known_readable(cache: Cache | None) -> Ids:
    """Returns the ids of content that was decoded in an earlier run."""
    found = None if cache is None else cache.read("readable", _readable_key())
    return np.zeros((0, ID_BYTES), np.uint8) if found is None else found[0]


def _keep_readable(cache: Cache | None, known: Ids, more: Ids) -> None:
    """Has the cache know of more content that it can be decoded."""
    if cache is None or not len(more):
        return
    ids = np.concatenate([known, more])
    # The ids are all there is to keep: the rows are empty.
    rows = [np.zeros((len(ids), 0), np.uint8)]
    what = {"what": "images that can be decoded"}
    cache.write("readable", _readable_key(), ids, rows, np.uint8, (0,), what)


def _aligned_array(shape: tuple[int, ...]) -> np.ndarray:
    """Returns uint8 in memory of its own, which begins at a page as TensorFlow wants it."""
    size = math.prod(shape)
    return np.frombuffer(mmap.mmap(-1, max(size, 1)), np.uint8, size).reshape(shape)


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
    first_step: int = 0,
) -> tf.data.Dataset:
    """Returns the batches of several epochs, one after the other.

    Each epoch has every example once, in an order and with changes that depend on the seed and the
    epoch's number alone: `first_epoch` and `first_step` continue exactly where a run with the same
    seed stopped, and what lies before is not read.
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
        first_step: Batches of that epoch which are left out.

    Returns:
        Elements (images, labels): uint8 or float32 in [0, 255], shape (batch, size, size, 3), and
        int32, shape (batch,); where the split has weights also these, float32, shape (batch,).
    """
    labels, weights = images.labels.astype(np.int32), images.weights
    told = [tf.constant(column) for column in (labels, weights) if column is not None]
    num_examples = len(images)
    shuffled = _shuffling(images)
    kept = images.kept

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        passed = tf.where(epoch == first_epoch, first_step * batch_size, 0)
        batches = shuffled(_epoch_seed(seed, _ORDER, epoch), passed).batch(batch_size)
        draws = draw(num_examples, _epoch_seed(seed, _AUGMENT, epoch))
        return batches.map(lambda *batch: (*batch, tf.gather(draws, batch[0])))

    def finish(indices: tf.Tensor, *rest: tf.Tensor) -> tuple[tf.Tensor, ...]:
        *read, draws = rest
        (batch,) = read or [tf.gather(kept, indices)]
        seen = augment_batch(batch, draws, augment)
        return seen, *(tf.gather(column, indices) for column in told)

    num_batches = -(-num_examples // batch_size) * max(0, epochs - first_epoch) - first_step
    return (
        tf.data.Dataset.range(first_epoch, epochs)
        .flat_map(one_epoch)
        .map(finish, num_parallel_calls=tf.data.AUTOTUNE)
        .apply(tf.data.experimental.assert_cardinality(num_batches))
        .prefetch(tf.data.AUTOTUNE)
    )


def evaluation_batches(
    images: Images, batch_size: int, numbers: npt.NDArray[np.int64] | None = None
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
    labels = tf.data.Dataset.from_tensor_slices(images.labels[wanted].astype(np.int32))
    return (
        tf.data.Dataset.zip(batches, labels.batch(batch_size))
        .apply(tf.data.experimental.assert_cardinality(-(-len(wanted) // batch_size)))
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
    # Opened here, once: what a graph function opens is opened anew for each epoch.
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
    except tf.errors.ResourceExhaustedError:
        raise  # the memory or the disk: to read all images again would tell nothing
    except image_operations.READ_ERRORS as error:
        named = {str(number): split for number, split in enumerate(splits)}
        bad = {name: find_unreadable(split) for name, split in named.items()}
        if any(len(indices) for indices in bad.values()):
            raise DataError(_message(named, bad, REPLACE)) from error
        raise


def find_unreadable(split: Split) -> npt.NDArray[np.int64]:
    """Returns the indices of the images that cannot be read or decoded, ascending."""

    def decode(image: tf.Tensor) -> tf.Tensor:
        if image.dtype == tf.string:
            image = image_operations.decode(image, portable=False)
        with tf.control_dependencies([image]):
            return tf.constant(True)

    missing = np.ones(len(split), np.bool_)
    with Progress("images checked", len(split)) as progress:
        for indices, _ in readable(split, decode).batch(_CHECKED).as_numpy_iterator():
            missing[indices] = False
            progress.update(int(np.count_nonzero(~missing)))
    return np.flatnonzero(missing)


def readable(split: Split, function: Callable[[tf.Tensor], tf.Tensor]) -> tf.data.Dataset:
    """Returns (index, what a function makes of the image) of all for which it does not fail."""
    read = split.read_image
    if read is not None:
        results = tf.data.Dataset.range(len(split)).map(
            lambda index: (index, function(read(index))), tf.data.AUTOTUNE
        )
    else:
        results = split.open_images().enumerate()
        results = results.map(lambda index, image: (index, function(image)), tf.data.AUTOTUNE)
    return results.ignore_errors()


def _message(
    splits: Mapping[str, Split],
    bad: Mapping[str, npt.NDArray[np.int64]],
    what_next: str,
    limit: int = 20,
) -> str:
    """Returns which images cannot be read, what to do about it and, for the first few, why."""
    total = sum(len(indices) for indices in bad.values())
    lines = [f"Cannot read {total:,} {'image' if total == 1 else 'images'}; {what_next}:"]
    for name, indices in bad.items():
        shown = indices[: max(0, limit - len(lines) + 1)]
        reasons = reasons_unreadable(splits[name], shown)
        lines += [
            f"  {splits[name].describe(int(index))}: {reason}"
            for index, reason in zip(shown, reasons, strict=True)
        ]
    if total > limit:
        lines.append(f"  and {total - limit:,} more; `tfxfer check` lists them all")
    return "\n".join(lines)


def reasons_unreadable(split: Split, indices: npt.NDArray[np.int64]) -> list[str]:
    """Returns why images cannot be read.

    Args:
        split: In which they are.
        indices: Of them, ascending.
    """
    if split.read_image is None:  # then all are looked for in one pass
        return [_reason(iter([image])) for image in split.select(indices).open_images()]
    alone = [split.select(np.array([index])) for index in indices]
    return [_reason(iter(one.open_images())) for one in alone]


def _reason(images: Iterator[tf.Tensor]) -> str:
    """Returns why the only one of some images cannot be read."""
    try:
        image = next(images)
        if image.dtype == tf.string:
            image_operations.decode(image, portable=False)
    except image_operations.READ_ERRORS as error:
        return image_operations.readable_reason(error)
    return "it could not be read a moment ago, but can be now"
