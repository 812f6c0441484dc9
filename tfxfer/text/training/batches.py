"""Batches of ids: texts of similar length together, cut to the longest of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.config.decided import DecidedTextRun
from tfxfer.data.source import untuned
from tfxfer.system.progress import Progress
from tfxfer.text.models.vocabulary import PADDING, Ids
from tfxfer.training.epochs.loop import Batches

# Batches whose texts are sorted by length together. Fewer would have more padding; with all
# batches of an epoch in one, similar texts would always be together.
_SORTED_TOGETHER = 50

# Lengths are rounded up to a multiple of this.
_LENGTH_STEP = 16

# What the seed of a run is used for here.
_ORDER = 20


@dataclass(frozen=True, eq=False)
class TextExamples:
    """The texts of a split as ids of words.

    Attributes:
        ids: Shape (num_examples, 1 + max_words).
        labels: Class indices, (num_examples,).
        weights: Sample weights, float32, mean 1, (num_examples,); None weights all equally.
    """

    ids: Ids
    labels: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32] | None = None
    lengths: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        places = np.arange(1, self.ids.shape[1] + 1)
        lengths = np.max(np.where(self.ids != PADDING, places, 0), axis=1, initial=1)
        object.__setattr__(self, "lengths", lengths)

    def __len__(self) -> int:
        return len(self.labels)

    def cut(self, rows: npt.NDArray[np.int64]) -> Ids:
        """Returns the ids of some texts, without padding that all of them have."""
        longest = int(self.lengths[rows].max(initial=1))
        length = min(-(-longest // _LENGTH_STEP) * _LENGTH_STEP, self.ids.shape[1])
        return self.ids[rows, :length]


def training_batches(examples: TextExamples, config: DecidedTextRun) -> Batches:
    """Returns the batches of a phase that is trained on texts.

    Their order depends on the seed and the number of the epoch alone.

    Args:
        examples: Training texts.
        config: Settings of the run; `batch_size` and `seed` are read.
    """
    size = config.batch_size
    steps = -(-len(examples) // size)
    columns = [examples.labels] + ([] if examples.weights is None else [examples.weights])

    def between(first: int, end: int, step: int) -> tf.data.Dataset:
        def batches() -> Iterator[tuple[Any, ...]]:
            for epoch in range(first, end):
                order = epoch_order(examples.lengths, size, config.seed, epoch)
                for rows in order[step if epoch == first else 0 :]:
                    yield (examples.cut(rows), *(column[rows] for column in columns))

        types = (tf.int32, tf.int64, tf.float32)[: 1 + len(columns)]
        signature = tuple(
            tf.TensorSpec((None, None) if place == 0 else (None,), kind)
            for place, kind in enumerate(types)
        )
        return untuned(
            tf.data.Dataset.from_generator(batches, output_signature=signature)
            .apply(tf.data.experimental.assert_cardinality(steps * max(0, end - first) - step))
            .prefetch(2)
        )

    return Batches(steps, between)


def epoch_order(
    lengths: npt.NDArray[np.int64], batch_size: int, seed: int, epoch: int
) -> list[npt.NDArray[np.int64]]:
    """Returns the texts of each batch of an epoch, every text once.

    Args:
        lengths: Words of each text.
        batch_size: Texts per batch; one batch may have fewer.
        seed: Of the run.
        epoch: Its number.
    """
    random = np.random.default_rng((seed, _ORDER, epoch))
    order = random.permutation(len(lengths))
    together = batch_size * _SORTED_TOGETHER
    batches: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(order), together):
        some = order[start : start + together]
        some = some[np.argsort(lengths[some], kind="stable")]
        batches += [some[i : i + batch_size] for i in range(0, len(some), batch_size)]
    random.shuffle(batches)
    return batches


class TextPredictor:
    """Outputs of a model for the texts of a split, as the model is when it is asked.

    Args:
        model: Ids to logits or features.
        examples: The texts.
        batch_size: Texts per step; does not change the result.
        name: Name of the split.
    """

    def __init__(
        self, model: keras.Model, examples: TextExamples, batch_size: int, name: str
    ) -> None:
        self._examples, self._batch_size, self._name = examples, batch_size, name
        # One graph for all lengths.
        self._function = tf.function(
            lambda ids: model(ids, training=False),
            input_signature=[tf.TensorSpec((None, None), tf.int32)],
        )

    def outputs(self) -> npt.NDArray[np.float32]:
        """Returns the outputs, (num_examples, ...), in the order of the texts."""
        examples, size = self._examples, self._batch_size
        order = np.argsort(examples.lengths, kind="stable")
        found: npt.NDArray[np.float32] | None = None
        with Progress(self._name, len(order), size) as progress:
            for number, start in enumerate(range(0, len(order), size), start=1):
                rows = order[start : start + size]
                some = np.asarray(self._function(tf.constant(examples.cut(rows))))
                if found is None:
                    found = np.empty((len(order), *some.shape[1:]), np.float32)
                found[rows] = some
                progress.update(number)
        return np.zeros((0, 0), np.float32) if found is None else found
