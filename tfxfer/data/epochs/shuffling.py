"""The order in which epochs have their examples, which the seed and an epoch's number decide."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from tfxfer.data.epochs.dealing import Dealt
from tfxfer.data.image.dataset import BATCHES_AHEAD, Images
from tfxfer.data.source import untuned
from tfxfer.system.processes.shares import Share, padded

# The buffer that shuffles larger data which can only be read from the first to the last; it holds
# encoded images, about 1 GB of photos.
SHUFFLE_EXAMPLES = 10_000

# What the seed of a run is used for; each use has random numbers of its own.
ORDER, AUGMENT, MIX = 0, 1, 2

# Where epochs begin: the number of the first, and how many of its batches are left out.
Start = tuple[int, int]


@dataclass(frozen=True)
class Epochs:
    """Several epochs of one number of examples, one after the other.

    Attributes:
        num_examples: In each.
        batch_size: Examples per batch; an epoch's last batch may be smaller.
        end: The number of the last epoch is one less.
        start: Where they begin.
        share: What of each batch is read; None for all of it.
    """

    num_examples: int
    batch_size: int
    end: int
    start: Start
    share: Share | None = None

    @functools.cached_property
    def dealt(self) -> Dealt | None:
        """The rows of an epoch that are read; None for all of them, as they are."""
        if self.share is None:
            return None
        return Dealt.of(self.num_examples, self.batch_size, self.share)

    def shuffled(self, seed: tf.Tensor, passed: tf.Tensor) -> tf.data.Dataset:
        """Returns the indices of an epoch's rows in order; a graph function.

        Args:
            seed: See `epoch_seed`.
            passed: The first so many examples are left out, a scalar integer.
        """
        order = tf.random.experimental.stateless_shuffle(tf.range(self.num_examples), seed)
        left = order[passed:] if self.dealt is None else self.dealt.of_order(order, passed)
        return tf.data.Dataset.from_tensor_slices(left)

    def batched(self, rows: tf.data.Dataset) -> tf.data.Dataset:
        """Returns the rows of an epoch in batches."""
        return rows.batch(self.batch_size if self.dealt is None else self.dealt.batch_size)

    def batches(
        self,
        one_epoch: Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset],
        finish: Callable[..., tuple[tf.Tensor, ...]],
        num_parallel_calls: int | None = None,
    ) -> tf.data.Dataset:
        """Returns the batches of all of them; those of a share are as `Dealt.marked` has them.

        Args:
            one_epoch: A graph function of an epoch's number, and of how many of its first examples
                are left out: what its batches are made of.
            finish: A graph function from one of these to the batch.
            num_parallel_calls: Of `finish`; None is one at a time, where it takes next to no time.
        """
        first, first_step = self.start

        def left_of(epoch: tf.Tensor) -> tf.data.Dataset:
            return one_epoch(epoch, tf.where(epoch == first, first_step * self.batch_size, 0))

        steps, num_epochs = -(-self.num_examples // self.batch_size), max(0, self.end - first)
        found = tf.data.Dataset.range(first, self.end).flat_map(left_of)
        found = found.map(finish, num_parallel_calls=num_parallel_calls)
        if self.dealt is not None:
            found = self.dealt.marked(found, first_step, num_epochs)
        num_batches = steps * num_epochs - first_step
        return untuned(
            found.apply(tf.data.experimental.assert_cardinality(num_batches)).prefetch(
                BATCHES_AHEAD
            )
        )


def can_be_dealt(images: Images) -> bool:
    """Tells whether a process can read its share of each batch alone."""
    return images.kept is not None or images.numbered.read_image is not None


def cut(batches: tf.data.Dataset, share: Share) -> tf.data.Dataset:
    """Returns a share of batches that were read as a whole; see `Dealt.marked`."""
    return batches.map(lambda *batch: share.cut(padded(batch, share.num_shares)))


def shuffling(images: Images, epochs: Epochs) -> Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset]:
    """Returns a graph function: every number but the first so many, in an order its seed decides.

    Where the images are not kept each number comes with its uint8 image.
    """

    def numbers(seed: tf.Tensor, passed: tf.Tensor) -> tf.data.Dataset:
        return epochs.shuffled(seed, passed).map(lambda number: (number,))

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


def epoch_seed(seed: int, use: int, epoch: tf.Tensor) -> tf.Tensor:
    """Returns two int32 that are others for each seed, use and epoch."""
    run_seed = tf.constant([seed, use], tf.int32)
    return tf.random.fold_in(run_seed, tf.cast(epoch, tf.int32), alg="philox")
