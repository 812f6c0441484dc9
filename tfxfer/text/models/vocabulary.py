"""The vocabulary: which words a model knows, and under which spellings.

What turns a text into words must be part of the model, in Keras' own layers, which lower ASCII
letters, delete ASCII punctuation and split at white space. All else is done by spellings: tokens as
these layers make them that stand for a word of the vocabulary, such as "greatbr" for "great", which
is what they make of "great.<br />".
"""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.text.data.encoding import encoded
from tfxfer.text.data.source import LINE_BREAK

Ids = npt.NDArray[np.int32]

# Ids that are no words. Each text begins with START, so that an empty one has something in it.
PADDING, UNKNOWN, START = 0, 1, 2

# A vectorizer in a model, and its layer that has the tokens, by their names.
VECTORIZER, TOKENS = "vectorize", "tokens"

FIRST_WORD = 3

# What `TextVectorization(standardize="lower_and_strip_punctuation")` deletes.
_PUNCTUATION = b"!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"

# White space at which `tf.strings.split` splits, and bytes do.
_BREAK, _GLUED = "br", re.compile("(.+?)(?:br)+")

# A word that is seen once in all texts teaches nothing.
_MIN_COUNT = 2

# Texts that are vectorized at once.
_BLOCK = 1024


def tokens_of(text: str) -> list[str]:
    """Returns the tokens that Keras' layer makes of a text.

    Examples:
        >>> tokens_of("Great.<br /><br />SEE it!")
        ['greatbr', 'br', 'see', 'it']
    """
    return _split(encoded(text))


def _split(content: bytes) -> list[str]:
    lowered = content.lower().translate(None, _PUNCTUATION)
    return [token.decode("utf-8", "replace") for token in lowered.split()]


@functools.lru_cache(maxsize=1 << 18)
def _word(token: str) -> str:
    """Returns the word that a token is a spelling of: lower case, no punctuation around it."""
    if token.isascii():
        return token
    lowered = unicodedata.normalize("NFKC", token).casefold()
    kept = "".join(c for c in lowered if unicodedata.category(c)[0] not in "PZC")
    return kept or token


def word_frequencies(texts: Iterable[str]) -> Counter[str]:
    """Returns how often each word occurs, without line breaks of HTML."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(map(_word, tokens_of(LINE_BREAK.sub(" ", text))))
    return counts


@dataclass(frozen=True)
class Vocabulary:
    """The words of a model.

    Attributes:
        words: Most frequent first.
        spellings: Words by other tokens that stand for them; "" for those that are left out.
    """

    words: tuple[str, ...]
    spellings: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Iterable[str], size: int) -> "Vocabulary":
        """Returns the vocabulary of training texts.

        Args:
            texts: The texts.
            size: Maximum number of words.

        Examples:
            >>> texts = ["Great film.<br />See it!", "A great, great film."]
            >>> found = Vocabulary.of(texts, 2)
            >>> found.words, found.spellings["filmbr"]
            (('great', 'film'), 'film')
        """
        given = list(texts)
        counts = word_frequencies(given)
        tokens = {token for text in given for token in tokens_of(text)}
        broken = any(LINE_BREAK.search(text) for text in given)
        # Keras compares words in NumPy, which strips a NUL.
        counts = Counter({word: count for word, count in counts.items() if "\0" not in word})
        tokens = {token for token in tokens if "\0" not in token}
        frequent = [word for word, count in counts.items() if count >= _MIN_COUNT]
        # Ties in the order of the alphabet: the order of the texts does not matter.
        words = sorted(frequent or counts, key=lambda word: (-counts[word], word))[:size]
        return cls(tuple(words), _spellings(words, tokens, broken))

    @property
    def num_ids(self) -> int:
        """Number of ids: padding, unknown, start and the words."""
        return FIRST_WORD + len(self.words)

    @property
    def tokens(self) -> list[str]:
        """All tokens that are looked up: words, then other spellings."""
        return [*self.words, *self.spellings]

    def table(self) -> npt.NDArray[np.float32]:
        """Returns the id of each index of the lookup, (2 + number of tokens, 1)."""
        ids = {word: FIRST_WORD + place for place, word in enumerate(self.words)}
        others = [ids.get(word, PADDING) for word in self.spellings.values()]
        column = [PADDING, UNKNOWN, *ids.values(), *others]
        return np.array(column, np.float32)[:, None]

    def vectorizer(self, max_words: int) -> keras.Model:
        """Returns the model from texts, (batch,), to ids, int32, (batch, 1 + max_words).

        Args:
            max_words: Words of a text that are kept.
        """
        text = keras.Input((), dtype="string", name="text")
        split = keras.layers.TextVectorization(
            output_sequence_length=max_words, vocabulary=self.tokens, name=TOKENS
        )
        table = self.table()
        # Float numbers up to 2**24 are exact, and an embedding is how Keras looks something up.
        ids = keras.layers.Embedding(
            len(table), 1, dtype="float32", trainable=False, name="spellings"
        )
        found = keras.ops.cast(keras.ops.squeeze(ids(split(text)), -1), "int32")
        started = keras.ops.pad(found, [[0, 0], [1, 0]], constant_values=START)
        ids.set_weights([table])
        return keras.Model(text, started, name=VECTORIZER)


def _spellings(words: Sequence[str], tokens: Iterable[str], broken: bool) -> dict[str, str]:
    """Returns the words by other tokens of the texts that stand for them.

    Args:
        words: The vocabulary.
        tokens: All tokens of the texts.
        broken: Whether the texts have HTML line breaks.
    """
    known = set(words)
    found: dict[str, str] = {}
    for token in sorted(set(tokens) - known):
        glued = _GLUED.fullmatch(token) if broken else None
        word = next(
            (one for one in (_word(token), _word(glued[1]) if glued else "") if one in known), None
        )
        if word is not None:
            found[token] = word
    if broken and _BREAK not in known:
        found[_BREAK] = ""
    return found


def vectorized(vectorizer: keras.Model, texts: Sequence[str]) -> Ids:
    """Returns the ids of texts, (num_texts, 1 + max_words).

    Args:
        vectorizer: As `Vocabulary.vectorizer` returns it.
        texts: The texts.
    """
    found = [np.zeros((0, vectorizer.output_shape[1]), np.int32)]
    for start in range(0, len(texts), _BLOCK):
        some = tf.constant([encoded(text) for text in texts[start : start + _BLOCK]], tf.string)
        found.append(np.asarray(vectorizer(some)))
    return np.concatenate(found)


def vocabulary_of(vectorizer: keras.Model) -> Vocabulary:
    """Returns the vocabulary of a vectorizer, as `Vocabulary.vectorizer` returned it."""
    tokens = list(vectorizer.get_layer(TOKENS).get_vocabulary())[2:]
    (table,) = vectorizer.get_layer("spellings").get_weights()
    ids = table[2:, 0].astype(np.int64)
    num_words = int(ids.max(initial=FIRST_WORD - 1)) - FIRST_WORD + 1
    words: Sequence[Any] = tokens[:num_words]
    spellings = {
        token: words[number - FIRST_WORD] if number >= FIRST_WORD else ""
        for token, number in zip(tokens[num_words:], ids[num_words:], strict=True)
    }
    return Vocabulary(tuple(words), spellings)
