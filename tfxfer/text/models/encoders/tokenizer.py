"""Texts to ids of tokens, in the graph, by KerasHub's WordPiece on TensorFlow Text."""

import importlib
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.errors import UsageError
from tfxfer.text.data.encoding import encoded
from tfxfer.text.models.encoders.kerashub import check_kerashub
from tfxfer.text.models.encoders.vocabulary import END, START, UNKNOWN
from tfxfer.text.models.vocabulary import PADDING, TOKENS, VECTORIZER

# Texts that are tokenized at once.
_BLOCK = 1024


def import_kerashub(name: str) -> Any:
    """Returns KerasHub, which defines the tokenizer's layer.

    Args:
        name: What needs it, for the message.

    Raises:
        UsageError: It is not installed, or broken.
    """
    check_kerashub(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the packages that it imports
        try:
            return importlib.import_module("keras_hub")
        except (ImportError, AttributeError, OSError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UsageError(f"KerasHub, which '{name}' needs, is broken: {reason}.") from None


def keep_in_graph(vectorizer: keras.Model) -> None:
    """Makes a tokenizer that was loaded use TensorFlow Text where it is called eagerly, too.

    KerasHub has a second one in Python, which refuses what is not UTF-8, and does not save which
    of them is to be used.

    Args:
        vectorizer: As `Tokenizer.vectorizer` returned it, or one without a tokenizer.
    """
    layer = vectorizer.get_layer(TOKENS)
    if hasattr(layer, "_allow_python_workflow"):
        layer._allow_python_workflow = False


class Tokenizer:
    """WordPiece as an encoder was trained with.

    Args:
        name: Of the encoder, for messages.
        tokens: Its tokens; the index is the id.
        lowercase: Whether texts are lowercased first.
        strip_accents: Whether accents are stripped first.

    Raises:
        UsageError: TensorFlow Text refuses the tokens.
    """

    def __init__(
        self, name: str, tokens: Sequence[str], *, lowercase: bool, strip_accents: bool
    ) -> None:
        self._layers = import_kerashub(name).tokenizers
        self._name, self._tokens = name, list(tokens)
        self._normalization = {"lowercase": lowercase, "strip_accents": strip_accents}

    @classmethod
    def of_layer(cls, layer: Any) -> "Tokenizer":
        """Returns the tokenizer of a vectorizer that was loaded, by its layer."""
        return cls(
            layer.name,
            layer.get_vocabulary(),
            lowercase=layer.lowercase,
            strip_accents=layer.strip_accents,
        )

    def vectorizer(self, max_words: int) -> keras.Model:
        """Returns the model from texts, (batch,), to ids, int32, (batch, max_words + 2).

        A token for the start, the tokens of the text, one for the end, and padding. A text ends
        at a NUL, as it does for TensorFlow Text. KerasHub must be imported to load its file.

        Args:
            max_words: Tokens of a text that are kept.
        """
        text = keras.Input((), dtype="string", name="text")
        found = keras.ops.cast(self._layer(max_words)(text), "int32")
        is_token = keras.ops.cast(keras.ops.not_equal(found, PADDING), "int32")
        # 1 behind the last token, where the end goes.
        begun = keras.ops.pad(is_token, [[0, 0], [1, 0]], constant_values=1)
        is_end = begun - keras.ops.pad(is_token, [[0, 0], [0, 1]])
        ended = keras.ops.pad(found, [[0, 0], [0, 1]]) + is_end * self._tokens.index(END)
        start = self._tokens.index(START)
        ids = keras.ops.pad(ended, [[0, 0], [1, 0]], constant_values=start)
        return keras.Model(text, ids, name=VECTORIZER)

    def counts(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Returns the number of tokens of each text, without both ends, (num_texts,)."""
        layer = self._layer(None)
        count: Callable[[tf.Tensor], tf.Tensor] = tf.function(
            lambda some: layer(some).row_lengths(),
            input_signature=[tf.TensorSpec((None,), tf.string)],
        )
        found = [np.zeros(0, np.int64)]
        for start in range(0, len(texts), _BLOCK):
            some = [encoded(text) for text in texts[start : start + _BLOCK]]
            found.append(np.asarray(count(tf.constant(some, tf.string))))
        return np.concatenate(found)

    def _layer(self, length: int | None) -> Any:
        """Returns the layer from texts to ids, of a fixed length or ragged."""
        try:
            return self._layers.WordPieceTokenizer(
                vocabulary=self._tokens,
                sequence_length=length,
                oov_token=UNKNOWN,
                name=TOKENS,
                _allow_python_workflow=False,
                **self._normalization,
            )
        except (ValueError, RuntimeError, tf.errors.OpError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UsageError(
                f"The vocabulary of backbone '{self._name}' cannot be used: {reason}."
            ) from None
