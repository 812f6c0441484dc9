"""Integrated gradients: how much each word of a text speaks for one class against another.

Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks" (arXiv:1703.01365). The path
goes from embeddings of zero to those of the text, so that what the words are given sums up to the
difference between the logits of the text and those of no words at all.
"""

import unicodedata
from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.text.models.classifier import BACKBONE, HEAD
from tfxfer.text.models.encoders.record import NUM_ENDS
from tfxfer.text.models.networks import EMBEDDING
from tfxfer.text.models.vocabulary import PADDING, VECTORIZER, tokens_of, vectorized
from tfxfer.text.models.weights import is_word_piece, num_read

# Points on the path, the midpoints of equal parts. The paper finds 20 to 300 to be enough.
_STEPS = 32

# Of an encoder, whose attention to a long text at all points at once would need gigabytes.
_ENCODER_STEPS, _ENCODER_BLOCK = 20, 4


def words_of(text: str) -> list[tuple[str, bool]]:
    """Returns what stands between white space in a text, and whether a model reads a word there.

    Examples:
        >>> words_of("A great film - see it!")
        [('A', True), ('great', True), ('film', True), ('-', False), ('see', True), ('it!', True)]
    """
    return [(word, bool(tokens_of(word))) for word in text.split()]


class WordAttributions:
    """Attributes the logits of a classifier of texts to words.

    Args:
        model: Texts to probabilities, as saved in a run.
    """

    def __init__(self, model: keras.Model) -> None:
        self._vectorizer = model.get_layer(VECTORIZER)
        self._has_pieces = is_word_piece(self._vectorizer)
        backbone, head = model.get_layer(BACKBONE), model.get_layer(HEAD)
        self._embedding = backbone.get_layer(EMBEDDING)
        self._features = keras.Model([backbone.input, self._embedding.output], backbone.output)
        self._features.supports_masking = True  # else Keras warns that it returns none
        self._head = head
        ids = tf.TensorSpec((1, None), tf.int32)
        classes = tf.TensorSpec((), tf.int32)
        # One trace for texts of all lengths.
        self._compute: Callable[..., tf.Tensor] = tf.function(
            self._trace, input_signature=[ids, classes, classes]
        )

    def words_of(self, text: str) -> list[tuple[str, bool]]:
        """Returns what stands between white space in a text, and whether the model reads it.

        A model with a vocabulary of words does not read signs, an encoder reads them, too.
        """
        if not self._has_pieces:
            return words_of(text)
        words = _between_spaces(text)
        return [(word, bool(count)) for word, count in zip(words, self._pieces(words), strict=True)]

    def of(self, text: str, for_class: int, against: int) -> npt.NDArray[np.float32]:
        """Returns how much each word speaks for a class and against another.

        Args:
            text: The text.
            for_class: Positive values speak for this class.
            against: Negative values speak for this one.

        Returns:
            In logits, shape (num_words,), in the order of the words that `words_of` says are read,
            as far as the model reads them. That of a word is the sum over its tokens.
        """
        found = self.integrated(text, for_class, against)[1:]
        if not self._has_pieces:
            return found
        found = found[:-1]  # the end of the text
        counts = self._pieces(_between_spaces(text))
        starts = np.cumsum(counts)[counts > 0] - counts[counts > 0]
        starts = starts[starts < len(found)]
        sums: npt.NDArray[np.float32] = np.add.reduceat(found, starts) if len(starts) else found[:0]
        return sums

    def integrated(self, text: str, for_class: int, against: int) -> npt.NDArray[np.float32]:
        """Returns likewise what the start of a text is given, which is not a word, and its words.

        Of an encoder these are its tokens, and the last is the end. They sum up to the difference
        of the logits of both classes, less that difference where all embeddings are zero.
        """
        if self._has_pieces:
            ids = vectorized(self._vectorizer, [" ".join(_between_spaces(text))])
            ids = ids[:, : int((ids != PADDING).sum())]
        else:
            ids = vectorized(self._vectorizer, [text])
            count = sum(is_read for _, is_read in words_of(text))
            ids = ids[:, : 1 + count]
        found = self._compute(tf.constant(ids), tf.constant(for_class), tf.constant(against))
        attributions: npt.NDArray[np.float32] = found.numpy()
        return attributions

    def _pieces(self, words: list[str]) -> npt.NDArray[np.int64]:
        """Returns the number of tokens of each word, 0 beyond what an encoder can read."""
        read = words[: num_read(self._vectorizer)]
        found = (vectorized(self._vectorizer, read) != PADDING).sum(axis=1) - NUM_ENDS
        return np.concatenate([found, np.zeros(len(words) - len(read), np.int64)])

    def _trace(self, ids: tf.Tensor, for_class: tf.Tensor, against: tf.Tensor) -> tf.Tensor:
        steps = _ENCODER_STEPS if self._has_pieces else _STEPS
        block = _ENCODER_BLOCK if self._has_pieces else _STEPS
        embedded = self._embedding(ids)  # (1, num_ids, dimensions)
        shares = (tf.range(steps, dtype=tf.float32) + 0.5) / steps
        repeated = tf.repeat(ids, block, axis=0)

        def mean_gradient(some: tf.Tensor) -> tf.Tensor:
            path = some[:, None, None] * embedded
            with tf.GradientTape() as tape:
                tape.watch(path)
                logits = self._logits(repeated, path)
                value = tf.reduce_sum(logits[:, for_class] - logits[:, against])
            return tf.reduce_mean(tape.gradient(value, path), axis=0)

        blocks = tf.reshape(shares, (steps // block, block))
        if steps == block:
            gradient = mean_gradient(blocks[0])
        else:
            each = tf.map_fn(mean_gradient, blocks, parallel_iterations=1)
            gradient = tf.reduce_mean(each, axis=0)
        return tf.reduce_sum(embedded[0] * gradient, axis=-1)

    def _logits(self, ids: tf.Tensor, embedded: tf.Tensor) -> tf.Tensor:
        mask = tf.not_equal(ids, PADDING)
        features = self._features([ids, embedded], training=False, mask=[None, mask])
        return self._head(features, training=False)


def _between_spaces(text: str) -> list[str]:
    """Returns what stands between the characters at which WordPiece splits and deletes them."""
    spaces = " \t\n\r\f"
    plain = "".join(
        " " if c in spaces or unicodedata.category(c) in ("Cc", "Cf") else c for c in text
    )
    return [word for word in plain.split(" ") if word]
