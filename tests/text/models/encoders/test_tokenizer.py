"""Ids of the tokenizer in the graph are those of a plain WordPiece, for hostile texts, too."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from encoder_files import TOKENS, needs_encoders, word_piece

from tfxfer.errors import UsageError
from tfxfer.text.data.encoding import encoded
from tfxfer.text.models.encoders.tokenizer import Tokenizer, import_kerashub, keep_in_graph
from tfxfer.text.models.vocabulary import TOKENS as TOKENS_LAYER
from tfxfer.text.models.vocabulary import vectorized
from tfxfer.text.models.weights import is_word_piece, num_read

pytestmark = needs_encoders

HOSTILE = [
    "",
    " \t\r\n ",
    "The film was LOVELY, superb!",
    "Caf\u00e9 CAFE\u0301 UNABLE caf\u00e9s",
    "[CLS] [PAD] the [SEP]film[UNK] ##ly",
    "\u6771\u4eac is a town\u4eac",
    "\N{PILE OF POO}\N{ZERO WIDTH JOINER}\N{SMILING FACE WITH SUNGLASSES}! \N{PILE OF POO} film",
    "nul\0in the film\0",
    "\N{RIGHT-TO-LEFT OVERRIDE}\N{HEBREW LETTER ALEF}\N{ARABIC LETTER ALEF} film",
    "not UTF-8: caf\udce9 film \udcff\udcfe \udcc3",
    "Stra\u00dfe \ufb01lm \u0130t \u212b \u2126",
    "soft\u00adhyphen no\u00a0break thin\u2009space line\u2028end\u3000wide",
    "a" * 100 + " " + "a" * 101 + " " + "\u00e9" * 60,
    "<br /><br/><BR>it's 3.5% of $5 ^_^ `x` ~ a|b \u201cquoted\u201d \u2014 \u00bfque?",
    "it " * 2000,
]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer("tiny", TOKENS, lowercase=True, strip_accents=True)


def expected(texts, max_words, **flags):
    """Returns the ids that a vectorizer must give."""
    rows = [[2, *word_piece(text, **flags)[:max_words], 3] for text in texts]
    return np.array([row + [0] * (max_words + 2 - len(row)) for row in rows])


@pytest.mark.parametrize("max_words", [1, 7, 60])
def test_ids_are_those_of_a_plain_wordpiece(tokenizer, max_words):
    vectorizer = tokenizer.vectorizer(max_words)
    np.testing.assert_array_equal(vectorized(vectorizer, HOSTILE), expected(HOSTILE, max_words))
    assert (num_read(vectorizer), is_word_piece(vectorizer)) == (max_words, True)
    assert vectorized(vectorizer, []).shape == (0, max_words + 2)


@pytest.mark.parametrize(
    "flags",
    [
        {"lowercase": False, "strip_accents": False},
        {"lowercase": True, "strip_accents": False},
        {"lowercase": False, "strip_accents": True},
    ],
)
def test_case_and_accents_are_kept_where_they_are_to_be(flags):
    vectorizer = Tokenizer("tiny", TOKENS, **flags).vectorizer(40)
    texts = [text for text in HOSTILE if not any("\udc80" <= c <= "\udcff" for c in text)]
    np.testing.assert_array_equal(vectorized(vectorizer, texts), expected(texts, 40, **flags))


def test_random_texts_have_the_ids_of_a_plain_wordpiece(tokenizer):
    generator = random.Random(0)
    signs = (
        "aAe\u00e9\u0301 .,-'#\u4eac\u00df\n\t\x01\x7f\u200d\u00a0\N{PILE OF POO}\udcff$" + "film"
    )
    texts = ["".join(generator.choices(signs, k=generator.randint(0, 30))) for _ in range(500)]
    np.testing.assert_array_equal(vectorized(tokenizer.vectorizer(40), texts), expected(texts, 40))


def test_tokens_are_counted_without_both_ends(tokenizer):
    found = tokenizer.counts(HOSTILE)
    assert found.tolist() == [len(word_piece(text)) for text in HOSTILE]
    assert tokenizer.counts([]).shape == (0,)


def test_a_saved_vectorizer_needs_kerashub_alone(tokenizer, tmp_path):
    vectorizer = tokenizer.vectorizer(12)
    text = keras.Input((), dtype="string")
    keras.Model(text, vectorizer(text)).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    texts = tf.constant([encoded(text) for text in HOSTILE])
    predicted = loaded.predict(texts, verbose=0)
    np.testing.assert_array_equal(predicted, expected(HOSTILE, 12))
    inner = loaded.get_layer("vectorize")
    keep_in_graph(inner)
    np.testing.assert_array_equal(inner(texts), predicted)
    again = Tokenizer.of_layer(inner.get_layer(TOKENS_LAYER))
    assert again.counts(HOSTILE[:5]).tolist() == tokenizer.counts(HOSTILE[:5]).tolist()


def test_what_tensorflow_text_refuses_is_told():
    with pytest.raises(UsageError, match="vocabulary of backbone 'tiny' cannot be used"):
        Tokenizer("tiny", ["a"], lowercase=True, strip_accents=True).counts(["a"])


def test_a_broken_kerashub_is_told(monkeypatch):
    from tfxfer.text.models.encoders import tokenizer

    def broken(name):
        raise ImportError("no such operation")

    monkeypatch.setattr(tokenizer.importlib, "import_module", broken)
    with pytest.raises(UsageError, match="KerasHub, which 'x' needs, is broken: no such operation"):
        import_kerashub("x")
