"""What a source is, whatever its data come from."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer import images
from tfxfer.errors import DataError

# 64 images tell the typical size of thousands; reading them takes a fraction of a second.
_SAMPLE_SIZE = 64


@dataclass(frozen=True, eq=False)
class Split:
    """Labelled images in an order that is the same each time the data are opened.

    An image is either a scalar string, the content of its file, or uint8 of shape
    (height, width, 3).
    """

    labels: npt.NDArray[np.int64]  # (num_examples,)
    open_images: Callable[[], tf.data.Dataset]  # num_examples images, in the order of the labels
    describe: Callable[[int], str]  # an example's id for messages: a path, "cifar10 train #123"
    # A digest of what each image is made of, uint8 of shape (num_examples, 16): it changes when the
    # image does, and is the same for the same image in another place or split.
    digests: Callable[[], npt.NDArray[np.uint8]]
    # One image by its index, a graph function of a scalar int64; None where the data can only be
    # read from the first to the last.
    read_image: Callable[[tf.Tensor], tf.Tensor] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def sample(self, num_examples: int) -> tf.data.Dataset:
        """Returns up to `num_examples` images.

        They are evenly spaced where images can be read in any order. Elsewhere they are the first,
        for the last may be gigabytes away, and TFDS shuffles examples when it writes them.
        """
        count = min(len(self), num_examples)
        if self.read_image is None:
            return self.open_images().take(count)
        indices = np.linspace(0, len(self) - 1, count).round().astype(np.int64)
        return tf.data.Dataset.from_tensor_slices(indices).map(self.read_image)

    def select(self, indices: npt.NDArray[np.int64]) -> "Split":
        """Returns the split that has only some of the examples, in the same order.

        Args:
            indices: Which examples, ascending.
        """
        table = np.asarray(indices, np.int64)
        open_all, read, describe = self.open_images, self.read_image, self.describe
        labels, digests = self.labels[table], self.digests

        def some_digests() -> npt.NDArray[np.uint8]:
            return digests()[table]

        if read is not None:
            return in_any_order(
                labels, lambda i: read(tf.gather(table, i)), _chosen(describe, table), some_digests
            )
        chosen = np.zeros(len(self), np.bool_)
        chosen[table] = True

        def open_images() -> tf.data.Dataset:
            # Nothing is kept but one bit for each example of the whole.
            is_chosen = tf.constant(chosen)
            numbered = open_all().enumerate()
            kept = numbered.filter(lambda i, image: tf.gather(is_chosen, i))
            return kept.map(lambda i, image: image)

        return Split(labels, open_images, _chosen(describe, table), some_digests)


@dataclass(frozen=True, eq=False)
class Source:
    """Images to learn from and to be judged by, and what is known of them."""

    name: str  # of the data set or folder; safe as a file name
    class_names: tuple[str, ...]  # the label is the index
    splits: Mapping[str, Split]  # "train", "validation" and, where there are such data, "test"
    image_height_width: tuple[int, int]  # the median of a sample of training images
    mirrored: bool = True  # whether an image that is mirrored left to right keeps its label
    notes: tuple[str, ...] = ()  # what the user should know: what was left out, what was carved

    def fingerprint(self) -> str:
        """Returns a digest of all images with their labels and splits, and of the class names.

        The same data give the same, wherever they lie; all of them are read unless that was done
        before.
        """
        digest = hashlib.sha256("\n".join(self.class_names).encode())
        for name, split in self.splits.items():
            digest.update(f"\n{name} {len(split)}\n".encode())
            digest.update(split.digests().tobytes())
            digest.update(split.labels.tobytes())
        return digest.hexdigest()


def in_any_order(
    labels: npt.NDArray[np.int64],
    read_image: Callable[[tf.Tensor], tf.Tensor],
    describe: Callable[[int], str],
    digests: Callable[[], npt.NDArray[np.uint8]],
) -> Split:
    """Returns a split whose images can be read by their index."""

    def open_images() -> tf.data.Dataset:
        return tf.data.Dataset.range(len(labels)).map(
            read_image, num_parallel_calls=tf.data.AUTOTUNE
        )

    return Split(labels, open_images, describe, digests, read_image)


def typical_height_and_width(split: Split) -> tuple[int, int]:
    """Returns the median height and width of up to 64 images.

    Raises:
        DataError: Not one of them can be read.
    """
    sample = split.sample(_SAMPLE_SIZE)
    if sample.element_spec.dtype == tf.string:
        # An unreadable image has no say here; whoever reads them all will name it.
        sizes = sample.ignore_errors().map(images.height_and_width).ignore_errors()
    else:
        sizes = sample.map(lambda image: tf.shape(image)[:2])
    found = np.array(list(sizes.as_numpy_iterator()))
    if not len(found):
        raise DataError(
            f"Cannot read an image in the data; tried were {min(len(split), _SAMPLE_SIZE)}, the "
            f"first of them {split.describe(0)}."
        )
    height, width = np.median(found, axis=0).round().astype(int)
    return int(height), int(width)


def first_few(names: Sequence[str], one: str = "", many: str = "", limit: int = 5) -> str:
    """Returns a count and the first few names: "7 classes: a, b, c, d, e and 2 more"."""
    shown = ", ".join(names[:limit])
    if len(names) > limit:
        shown += f" and {len(names) - limit:,} more"
    return f"{len(names):,} {one if len(names) == 1 else many}: {shown}"


def _chosen(describe: Callable[[int], str], table: npt.NDArray[np.int64]) -> Callable[[int], str]:
    return lambda index: describe(int(table[index]))
