"""Caches of decoded images: all of a split in memory, or on disk for later runs."""

import math
import mmap
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.config.frame import Frame
from tfxfer.data.cache import Cache
from tfxfer.data.image.order import Numbers, Order, Places
from tfxfer.data.image.readability import readable
from tfxfer.data.source import Split
from tfxfer.system.digests import Ids, code_digest, id_of, key_of
from tfxfer.system.progress import Progress

# Images at a time where all of a split are decoded, or only looked at.
DECODED_TOGETHER = 64

Decoded = npt.NDArray[np.uint8]  # (num_images, height, width, 3)


def num_bytes(num_images: int, frame: Frame) -> int:
    """Returns the size of cached images in bytes."""
    return num_images * math.prod(frame.shape)


@dataclass(frozen=True, eq=False)
class InMemory:
    """All images of a split.

    Attributes:
        images: By number; unreadable ones are black.
        missing: The unreadable ones, ascending.
    """

    images: Decoded
    missing: Places

    @classmethod
    def of(
        cls,
        split: Split,
        order: Order,
        frame: Frame,
        prepare: Callable[[tf.Tensor], tf.Tensor],
    ) -> "InMemory":
        """Returns the images of a split, each of which is read and decoded.

        Args:
            split: Where they come from.
            order: What gives them numbers.
            frame: What each is fitted into.
            prepare: From an image as the split gives it to one in it; a graph function.
        """
        images = _aligned_array((len(split), *frame.shape))
        number_of = order.numbers(Places(np.arange(len(split))))
        missing = np.ones(len(split), np.bool_)
        batches = readable(split, prepare).batch(DECODED_TOGETHER).prefetch(1)
        with Progress("images decoded", len(split)) as progress:
            for places, batch in batches.as_numpy_iterator():
                images[number_of[places]] = batch
                missing[places] = False
                progress.update(int(np.count_nonzero(~missing)))
        return cls(images, Places(np.flatnonzero(missing)))

    def select(self, order: Order, left: Places) -> "InMemory":
        """Returns the images of the split that has only some of the examples.

        Args:
            order: That of all.
            left: Where those are that are left, ascending.
        """
        places = order.places(Numbers(np.arange(len(self.images))))
        images = _aligned_array((len(left), *self.images.shape[1:]))
        np.compress(np.isin(places, left), self.images, axis=0, out=images)
        missing = np.searchsorted(left, np.intersect1d(self.missing, left))
        return InMemory(images, Places(missing))

    def as_tensor(self) -> tf.Tensor:
        """Returns the images as a tensor."""
        return _as_tensor(self.images)


@dataclass(frozen=True, eq=False)
class OnDisk:
    """The images of a split in the cache on disk.

    Attributes:
        cache: The cache.
        digests: Of the images by number.
        frame: What each is fitted into.
    """

    cache: Cache
    digests: Callable[[], Ids]
    frame: Frame

    def read(self) -> tf.Tensor | None:
        """Returns all images by number, mapped into memory; None where they are not there."""
        found = self.cache.read("images", self._key())
        return None if found is None else _as_tensor(found[1])

    def write(self, batches: Iterable[Decoded]) -> tf.Tensor | None:
        """Writes the images, and returns them likewise; None where they cannot be kept.

        Args:
            batches: All of them by number, some at a time.
        """
        digests = self.digests()
        about = {"what": f"{len(digests):,} images, {self.frame.size} pixels"}
        rows = self.cache.write(
            "images", self._key(), digests, batches, np.uint8, self.frame.shape, about
        )
        return None if rows is None else _as_tensor(rows)

    def _key(self) -> str:
        facts = {"images": id_of(self.digests().tobytes()).hex(), **vars(self.frame)}
        return key_of({**facts, "code": code_digest("data.image.channels")})


def _aligned_array(shape: tuple[int, ...]) -> Decoded:
    """Returns uint8 in memory of its own, which begins at a page as TensorFlow wants it."""
    size = math.prod(shape)
    return np.frombuffer(mmap.mmap(-1, max(size, 1)), np.uint8, size).reshape(shape)


def _as_tensor(images: Decoded) -> tf.Tensor:
    """Returns a tensor that is the array, not a copy of it."""
    return tf.experimental.dlpack.from_dlpack(images.__dlpack__())
