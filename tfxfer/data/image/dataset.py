"""The images of a split for training and evaluation: numbered, read, decoded, cached."""

import copy
import functools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.config.frame import RGB, AnyFrame, Frame
from tfxfer.config.schema import GIGABYTE
from tfxfer.data.cache import Cache, places
from tfxfer.data.image.channels import to_channels
from tfxfer.data.image.decoding import servable
from tfxfer.data.image.formats.arrays.numpy_files import encoded
from tfxfer.data.image.framing import resize
from tfxfer.data.image.kept import DECODED_TOGETHER, InMemory, OnDisk, num_bytes
from tfxfer.data.image.order import Number, Numbers, Order, Places
from tfxfer.data.image.readability import (
    REPLACE,
    find_unreadable,
    keep_readable,
    known_readable,
    unreadable_message,
)
from tfxfer.data.labels.targets import Labels
from tfxfer.data.source import Split, untuned
from tfxfer.errors import DataError
from tfxfer.system.digests import Ids
from tfxfer.system.progress import Progress

# Default limit of the cache in memory: 13,000 images of 224 pixels.
MEMORY_BYTES = 2 * GIGABYTE

# Batches that are made ahead of the one in use. `tf.data.AUTOTUNE` doubles their number each time
# that all of them were made and then used up, as after each validation.
BATCHES_AHEAD = 2


class Images:
    """The images of a split in one frame, decoded only once if the cache has room for them.

    They are cached in memory if they fit, else on disk, where a later run finds them again. So
    every pipeline over a split should use the same object.

    They have numbers of their own; see `Order`. With random access the order depends on content
    only: the same images give the same training, whatever their order in the data.
    """

    def __init__(
        self,
        split: Split,
        frame: AnyFrame,
        memory_bytes: float = MEMORY_BYTES,
        cache: Cache | None = None,
        *,
        by_content: bool = False,
    ) -> None:
        """Describes the images; nothing is read before the first batch.

        Args:
            split: Where the images come from.
            frame: What each is fitted into; see `framing.resize`.
            memory_bytes: Cache the images in memory if they take no more than this; use 0 and no
                cache for a single pass.
            cache: On disk, for images that take more.
            by_content: Number them by content if the split has random access; otherwise they have
                the order of the split.
        """
        self.split = split
        self.frame = Frame.of(frame)
        self._cache = cache
        self._memory_bytes = memory_bytes
        self._by_content = by_content
        size = num_bytes(len(split), self.frame)
        self._fit_in_memory = size <= memory_bytes
        can_be_chosen = self._fit_in_memory or split.read_image is not None
        chosen = by_content and can_be_chosen
        self._order = Order.of_content(split.digests()) if chosen else Order()
        self._in_memory: InMemory | None = None
        self._on_disk: OnDisk | None = None
        if cache is not None and size <= cache.max_bytes:
            self._on_disk = OnDisk(cache, lambda: self.digests, self.frame)
        self.weights: npt.NDArray[np.float32] | None = None  # see `weighted`

    def __len__(self) -> int:
        return len(self.split)

    @functools.cached_property
    def labels(self) -> Labels:
        """Labels by number, of either kind; see `labels.targets`."""
        return self._order.by_number(self.split.labels)

    @functools.cached_property
    def digests(self) -> Ids:
        """Digests of what the images are made of, by number; see `Split`."""
        return self._order.by_number(self.split.digests())

    def in_split_order(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Returns rows of the images, which are by number, in the order of the split.

        Args:
            rows: Shape (num_examples, ...).
        """
        return rows[places(self.split.digests(), self.digests)]

    def weighted(self, weights: npt.NDArray[np.float32] | None) -> "Images":
        """Returns the same images with sample weights.

        Args:
            weights: In the order of the split and the shape of its labels, at least 0; None weights
                all equally.
        """
        same = copy.copy(self)
        same.weights = None if weights is None else self._order.by_number(weights)
        return same

    @functools.cached_property
    def kept(self) -> tf.Tensor | None:
        """All images by number, uint8, (number, height, width, channels); None if not cached.

        Images on disk are memory-mapped.

        Raises:
            DataError: Images cannot be read.
        """
        if self._fit_in_memory:
            decoded = self._decoded()
            if len(decoded.missing):
                raise DataError(
                    unreadable_message({"": self.split}, {"": decoded.missing}, REPLACE)
                )
            return decoded.as_tensor()
        if self._on_disk is None:
            return None
        there = self._on_disk.read()
        return self._on_disk.write(self._decoded_once()) if there is None else there

    def unreadable(self) -> Places:
        """Reads and decodes every image, and returns the unreadable ones, ascending.

        The same pass fills the cache in memory. Images that an earlier run has decoded are known to
        be readable: if that holds for all, nothing is decoded here.
        """
        digests = self.split.digests()
        known = known_readable(self._cache)
        new = np.flatnonzero(places(digests, known) < 0)
        if not len(new):
            return Places(new)
        if self._fit_in_memory:
            missing = self._decoded().missing
        elif self._on_disk is not None and self._on_disk.read() is not None:
            missing = Places(new[:0])  # they were all decoded
        else:
            missing = Places(new[find_unreadable(self.split.select(new))])
        keep_readable(self._cache, known, digests[np.setdiff1d(new, missing)])
        return missing

    def without(self, examples: Places) -> "Images":
        """Returns the images without some, given by their places in the split."""
        others = Places(np.setdiff1d(np.arange(len(self)), examples))
        rest = Images(
            self.split.select(others),
            self.frame,
            self._memory_bytes,
            self._cache,
            by_content=self._by_content,
        )
        if self._fit_in_memory:
            rest._in_memory = self._decoded().select(self._order, others)
        return rest

    def streamed(self, numbers: Numbers | None = None) -> tf.data.Dataset:
        """Returns images one by one, uint8, decoded again each time.

        Args:
            numbers: Which of them, ascending; None for all.
        """
        split = self.numbered if numbers is None else self.numbered.select(numbers)
        return untuned(split.open_images().map(self.prepare, tf.data.AUTOTUNE))

    @property
    def numbered(self) -> Split:
        """The split in the order of the numbers, where its images are read again and not kept."""
        if self._order.is_that_of_the_split or self.split.read_image is None:
            return self.split
        return self.split.select(self._order.places(Numbers(np.arange(len(self)))))

    def prepare(self, image: tf.Tensor) -> tf.Tensor:
        """Returns an image as the split gives it, encoded or decoded, in the frame."""
        return resize(to_channels(image, self.frame.channels), self.frame)

    def encoded(self, num_examples: int) -> list[bytes]:
        """Returns up to `num_examples` files for a SavedModel, those of decoded images as PNG.

        Those of other channels than RGB are NumPy's, at the size of the model.
        """
        sample = self.split.sample(num_examples)
        if self.frame.channels != RGB:
            return list(map(encoded, sample.map(self.prepare).as_numpy_iterator()))
        is_decoded = sample.element_spec.dtype != tf.string
        sample = sample.map(tf.io.encode_png if is_decoded else servable)
        return list(sample.as_numpy_iterator())

    def describe(self, number: Number) -> str:
        """Returns the id of an image by its number: a path, "cifar10 train #123"."""
        (place,) = self._order.places(Numbers(np.array([number])))
        return self.split.describe(int(place))

    def _decoded(self) -> InMemory:
        """Returns all images, decoded on first use."""
        if self._in_memory is None:
            self._in_memory = InMemory.of(self.split, self._order, self.frame, self.prepare)
        return self._in_memory

    def _decoded_once(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Yields the images in batches, with a progress bar."""
        with Progress("images decoded", len(self), DECODED_TOGETHER) as progress:
            batches = self.streamed().batch(DECODED_TOGETHER).prefetch(BATCHES_AHEAD)
            for number, batch in enumerate(batches.as_numpy_iterator(), start=1):
                yield batch
                progress.update(number)
