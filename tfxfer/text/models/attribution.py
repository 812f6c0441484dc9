"""Integrated gradients: how much each word of a text speaks for one class against another.

Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks" (arXiv:1703.01365). The path
goes from embeddings of zero to those of the text, so that what the words are given sums up to the
difference between the logits of the text and those of no words at all.
"""

from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.text.models.classifier import BACKBONE, HEAD, VECTORIZER
from tfxfer.text.models.networks import EMBEDDING
from tfxfer.text.models.vocabulary import PADDING, tokens_of, vectorized

# Points on the path, the midpoints of equal parts. The paper finds 20 to 300 to be enough.
_STEPS = 32


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

    def of(self, text: str, for_class: int, against: int) -> npt.NDArray[np.float32]:
        """Returns how much each word speaks for a class and against another.

        Args:
            text: The text.
            for_class: Positive values speak for this class.
            against: Negative values speak for this one.

        Returns:
            In logits, shape (num_words,), in the order of the words that `words_of` says are read,
            as far as the model reads them.
        """
        return self.integrated(text, for_class, against)[1:]

    def integrated(self, text: str, for_class: int, against: int) -> npt.NDArray[np.float32]:
        """Returns likewise what the start of a text is given, which is not a word, and its words.

        They sum up to the difference of the logits of both classes, less that difference where all
        embeddings are zero.
        """
        ids = vectorized(self._vectorizer, [text])
        count = sum(is_read for _, is_read in words_of(text))
        ids = ids[:, : 1 + count]
        found = self._compute(tf.constant(ids), tf.constant(for_class), tf.constant(against))
        attributions: npt.NDArray[np.float32] = found.numpy()
        return attributions

    def _trace(self, ids: tf.Tensor, for_class: tf.Tensor, against: tf.Tensor) -> tf.Tensor:
        embedded = self._embedding(ids)  # (1, num_ids, dimensions)
        shares = (tf.range(_STEPS, dtype=tf.float32) + 0.5) / _STEPS
        path = shares[:, None, None] * embedded
        repeated = tf.repeat(ids, _STEPS, axis=0)
        with tf.GradientTape() as tape:
            tape.watch(path)
            logits = self._logits(repeated, path)
            value = tf.reduce_sum(logits[:, for_class] - logits[:, against])
        gradient = tape.gradient(value, path)
        return tf.reduce_sum(embedded[0] * tf.reduce_mean(gradient, axis=0), axis=-1)

    def _logits(self, ids: tf.Tensor, embedded: tf.Tensor) -> tf.Tensor:
        mask = tf.not_equal(ids, PADDING)
        features = self._features([ids, embedded], training=False, mask=[None, mask])
        return self._head(features, training=False)
