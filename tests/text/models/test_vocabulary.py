import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.text.models.vocabulary import (
    START,
    Vocabulary,
    tokens_of,
    vectorized,
    vocabulary_of,
)

TEXTS = [
    "Great film.<br /><br />See it!",
    "A great, great film: “Über” über, GREAT.<br>",
    "Not so great<br/>",
    "caf\udce9 \0nul\0 \u202eabc",
]


def keras_tokens(text):
    """What Keras' own layer makes of a text."""
    layer = keras.layers.TextVectorization(vocabulary=["x"], output_sequence_length=1)
    raw = tf.constant([text.encode("utf-8", "surrogateescape")])
    standardized = layer._preprocess(raw)
    return [token.decode("utf-8", "replace") for token in standardized.numpy()[0]]


@pytest.mark.parametrize("text", [*TEXTS, "", "a\u00a0b\x0bc\x0cd\x1ce", "'[]`~|\\", "A\u0130I"])
def test_tokens_are_those_of_keras(text):
    assert tokens_of(text) == keras_tokens(text)


def test_words_are_counted_without_line_breaks_in_a_fixed_order():
    found = Vocabulary.of(TEXTS, 3)
    assert found.words == ("great", "film", "über")
    assert found == Vocabulary.of(reversed(TEXTS), 3)
    # A word that is seen once is left out, if others are seen more often.
    assert "see" not in Vocabulary.of(TEXTS, 100).words
    assert Vocabulary.of(["one two"], 9).words == ("one", "two")


def test_other_spellings_stand_for_their_words():
    found = Vocabulary.of(TEXTS, 3)
    assert found.spellings["greatbr"] == "great"
    assert found.spellings["“Über”"] == "über"
    assert found.spellings["br"] == ""
    # Without line breaks in the texts, "br" is a word like others.
    assert Vocabulary.of(["br br greatbr greatbr"], 9).words == ("br", "greatbr")


def test_a_break_reads_as_nothing_and_as_no_part_of_a_word():
    found = Vocabulary.of(TEXTS, 9)
    vectorizer = found.vectorizer(6)
    broken, plain = vectorized(vectorizer, ["Great.<br /><br />film", "great film"])
    assert [x for x in broken if x] == [x for x in plain if x]
    assert plain.tolist() == [START, 3, 4, 0, 0, 0, 0]


def test_texts_are_cut_and_unknown_words_are_known_as_such():
    vectorizer = Vocabulary.of(TEXTS, 3).vectorizer(2)
    ids = vectorized(vectorizer, ["", "nothing great great", "caf\udce9"])
    assert ids.tolist() == [[2, 0, 0], [2, 1, 3], [2, 1, 0]]
    assert vectorized(vectorizer, []).shape == (0, 3)


def test_a_vectorizer_knows_its_vocabulary():
    for size in (1, 3, 50):
        found = Vocabulary.of(TEXTS, size)
        assert vocabulary_of(found.vectorizer(4)) == found
        assert found.table().max() == found.num_ids - 1


def test_a_vectorizer_loads_in_plain_keras(tmp_path):
    vectorizer = Vocabulary.of(TEXTS, 50).vectorizer(5)
    vectorizer.save(tmp_path / "words.keras")
    loaded = keras.models.load_model(tmp_path / "words.keras", safe_mode=True)
    assert np.array_equal(vectorized(loaded, TEXTS), vectorized(vectorizer, TEXTS))
