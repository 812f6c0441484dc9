"""Next-word prediction: what a recurrent backbone is pretrained for on texts without labels.

As in Dai & Le 2015 (arXiv:1511.01432) and ULMFiT (Howard & Ruder 2018, arXiv:1801.06146), but both
directions of the backbone are trained at once: the states of the forward direction predict the word
behind them, those of the backward direction the word before them. The output words share their
vectors with the embedding (Press & Wolf 2016, arXiv:1608.05859).
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.text.models.classifier import TextClassifier
from tfxfer.text.models.networks import EMBEDDING
from tfxfer.text.models.vocabulary import FIRST_WORD

# Only the most frequent words are predicted, about four of five in English reviews: a softmax over
# all of them would take most of the time. The others are read like any word.
PREDICTED_WORDS = 2_000

# What the model gives for each text: the sum of its losses, how many words are right, and how many
# were to be predicted.
_LOSS, _RIGHT, _COUNT = range(3)


def num_predicted(num_ids: int) -> int:
    """Returns how many words are predicted, by the number of ids of a vocabulary."""
    return max(1, min(PREDICTED_WORDS, num_ids - FIRST_WORD))


def predicting_words(classifier: TextClassifier, seed: int) -> TextClassifier:
    """Returns a classifier whose model predicts the words of a text, instead of its class.

    Args:
        classifier: With a recurrent backbone; its layers are shared.
        seed: Of the initial weights.
    """
    network = classifier.backbone
    embedding = network.get_layer(EMBEDDING)
    count = num_predicted(int(embedding.input_dim))
    ids = keras.Input((None,), dtype="int32", name="ids")
    words = network.get_layer(f"{EMBEDDING}_dropout")(embedding(ids))
    states = network.get_layer("recurrent")(words)
    dimensions = int(embedding.output_dim)
    told = NextWord(lambda: embedding.embeddings, dimensions, count, seed)(states, ids)
    model = keras.Model(ids, told, name="next_word")
    return dataclasses.replace(classifier, model=model, objective=next_word_objective(count))


class NextWord(keras.layers.Layer):
    """The losses of the predicted words of each text, (batch, 3).

    Args:
        vectors: Returns the word vectors, (num_ids, dimensions); those of the backbone.
        dimensions: Of these vectors.
        num_words: How many of the most frequent words are predicted.
        seed: Of the initial weights.
    """

    def __init__(
        self, vectors: Callable[[], Any], dimensions: int, num_words: int, seed: int
    ) -> None:
        super().__init__(name="next_word_losses")
        self.supports_masking = True  # what is padded is not predicted
        self._vectors, self._num_words = vectors, num_words
        self._directions = [
            keras.layers.Dense(
                dimensions,
                kernel_initializer=keras.initializers.GlorotUniform(seed=seed + number),
                name=name,
            )
            for number, name in enumerate(("forward", "backward"))
        ]

    def build(self, states_shape: tuple[int | None, ...], ids_shape: Any = None) -> None:
        """Creates the weights."""
        units = (states_shape[-1] or 0) // 2
        for one in self._directions:
            one.build((None, units))
        self.bias = self.add_weight(shape=(self._num_words,), initializer="zeros", name="bias")

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Returns None: there is one row for each text."""

    def call(self, states: Any, ids: Any) -> Any:
        """Returns loss, right and counted words of each text.

        Args:
            states: Of both directions side by side, (batch, length, 2 * units).
            ids: The words, (batch, length).
        """
        units = states.shape[-1] // 2
        forward, backward = self._directions
        return self._told(forward, states[:, :-1, :units], ids[:, 1:]) + self._told(
            backward, states[:, 1:, units:], ids[:, :-1]
        )

    def _told(self, direction: Any, states: Any, targets: Any) -> Any:
        known = (targets >= FIRST_WORD) & (targets < FIRST_WORD + self._num_words)
        places = tf.where(known)
        wanted = tf.gather_nd(targets, places) - FIRST_WORD
        vectors = self._vectors()[FIRST_WORD : FIRST_WORD + self._num_words]
        found = direction(tf.gather_nd(states, places))
        logits = tf.matmul(found, vectors, transpose_b=True) + self.bias
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, logits)
        right = tf.argmax(logits, axis=1, output_type=wanted.dtype) == wanted
        told = tf.stack([losses, tf.cast(right, losses.dtype), tf.ones_like(losses)], axis=1)
        return tf.math.unsorted_segment_sum(told, places[:, 0], tf.shape(targets)[0])

    def compute_output_shape(
        self, states_shape: Any, ids_shape: Any = None
    ) -> tuple[int | None, int]:
        """Returns (batch, 3)."""
        return states_shape[0], 3


def next_word_objective(num_words: int) -> Objective:
    """Returns the objective of outputs of `NextWord`: loss and accuracy are means over all words.

    Args:
        num_words: How many words are predicted.
    """
    return dataclasses.replace(
        SOFTMAX,
        name="next word",
        loss=lambda smoothing: _batch_loss,
        mean_loss=lambda told, *_: _mean(told, _LOSS),
        metric=lambda told, *_: _mean(told, _RIGHT),
        keras_metric=_WordAccuracy,
        guess_loss=lambda num_outputs: math.log(num_words),
        rank=lambda loss, accuracy: (-loss,),
        rank_by="val_loss",
    )


def _mean(told: npt.ArrayLike, which: int) -> float:
    """Returns a mean over the words of all texts."""
    sums = np.asarray(told, np.float64).sum(axis=0)
    return float(sums[which] / max(1.0, sums[_COUNT]))


def _batch_loss(_: Any, told: Any) -> Any:
    """Returns the mean loss of the words of a batch."""
    sums = keras.ops.sum(told, axis=0)
    return sums[_LOSS] / keras.ops.maximum(sums[_COUNT], 1.0)


class _WordAccuracy(keras.metrics.Metric):
    """The share of the predicted words that are right."""

    def __init__(self) -> None:
        super().__init__(name="accuracy", dtype="float32")
        self.right = self.add_variable((), initializer="zeros", name="right")
        self.count = self.add_variable((), initializer="zeros", name="count")

    def update_state(self, labels: Any, told: Any, sample_weight: Any = None) -> None:
        """Adds the words of a batch."""
        sums = keras.ops.sum(told, axis=0)
        self.right.assign_add(sums[_RIGHT])
        self.count.assign_add(sums[_COUNT])

    def result(self) -> Any:
        """Returns the share so far."""
        return self.right / keras.ops.maximum(self.count, 1.0)
