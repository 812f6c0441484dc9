"""From a split to batches: read, decode, resize, keep, shuffle, augment, batch, prefetch."""

import copy
import functools
import math
import mmap
from collections.abc import Iterator, Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.config.decided import DecidedRun
from tfxfer.config.schema import GIGABYTE
from tfxfer.data.cache import Cache, places
from tfxfer.data.image import decoding
from tfxfer.data.image.readability import (
    REPLACE,
    Unreadable,
    find_unreadable,
    keep_readable,
    known_readable,
    readable,
    reasons_unreadable,
    unreadable_message,
)
from tfxfer.data.source import Split
from tfxfer.data.splitting import canonical_order
from tfxfer.errors import DataError
from tfxfer.system.digests import Ids, code_digest, id_of, key_of
from tfxfer.system.progress import Progress

# The most that is kept in memory unless another limit is set: 13,000 images of 224 pixels.
MEMORY_BYTES = 2 * GIGABYTE

# Images at a time where all of a split are decoded, or only looked at.
_DECODED = 64

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
                raise DataError(unreadable_message({"": self.split}, {"": missing}, REPLACE))
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
        known = known_readable(self._cache)
        new = np.flatnonzero(places(digests, known) < 0)
        if not len(new):
            return new
        if self._in_memory:
            missing = self._decoded()[1]
        elif self._on_disk() is not None:  # then they were all decoded
            missing = new[:0]
        else:
            missing = new[find_unreadable(self.split.select(new))]
        keep_readable(self._cache, known, digests[np.setdiff1d(new, missing)])
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
            return decoding.decode_and_resize(image, self.image_size, portable=False)
        return decoding.resize(image, self.image_size)

    def encoded(self, num_examples: int) -> list[bytes]:
        """Returns up to `num_examples` files for a SavedModel, those of decoded images as PNG."""
        sample = self.split.sample(num_examples)
        is_decoded = sample.element_spec.dtype != tf.string
        sample = sample.map(tf.io.encode_png if is_decoded else decoding.servable)
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
        return key_of({**facts, "code": code_digest("data.image.decoding")})

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


def open_images(
    splits: Mapping[str, Split], config: DecidedRun
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
        raise DataError(
            unreadable_message(splits, bad, f"{REPLACE}, or leave it out with --bad-images skip")
        )
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
            message = unreadable_message({name: split}, {name: indices}, REPLACE)
            raise DataError(f"In '{name}' no image of {which} can be read. {message}")
        images[name] = left
    return images, skipped


def _aligned_array(shape: tuple[int, ...]) -> np.ndarray:
    """Returns uint8 in memory of its own, which begins at a page as TensorFlow wants it."""
    size = math.prod(shape)
    return np.frombuffer(mmap.mmap(-1, max(size, 1)), np.uint8, size).reshape(shape)


def _as_tensor(pictures: np.ndarray) -> tf.Tensor:
    """Returns a tensor that is the array, not a copy of it."""
    return tf.experimental.dlpack.from_dlpack(pictures.__dlpack__())
