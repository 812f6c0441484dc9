"""Files of models whose tokenizer is one of KerasHub, and of others."""

import keras
import pytest
from encoder_files import TOKENS, needs_encoders

import tfxfer.text.models.encoders.kerashub as kerashub
from tfxfer.errors import UsageError
from tfxfer.text.models.saved import load_text_model, needs_kerashub
from tfxfer.text.models.vocabulary import Vocabulary


def saved(vectorizer, path):
    text = keras.Input((), dtype="string", name="text")
    keras.Model(text, vectorizer(text)).save(path)
    return path


def test_a_model_of_words_needs_keras_alone(tmp_path, monkeypatch):
    path = saved(Vocabulary.of(["a film", "a film"], 10).vectorizer(4), tmp_path / "model.keras")
    monkeypatch.setattr(kerashub, "installed_folder", lambda: None)
    assert not needs_kerashub(path)
    assert load_text_model(path).output_shape == (None, 5)


def test_what_is_no_archive_needs_nothing(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"corrupt")
    assert not needs_kerashub(tmp_path / "model.keras")


@needs_encoders
def test_a_model_of_an_encoder_needs_kerashub(tmp_path, monkeypatch):
    from tfxfer.text.models.encoders.tokenizer import Tokenizer

    vectorizer = Tokenizer("x", TOKENS, lowercase=True, strip_accents=True).vectorizer(4)
    path = saved(vectorizer, tmp_path / "model.keras")
    assert needs_kerashub(path)
    assert load_text_model(path).output_shape == (None, 6)
    monkeypatch.setattr(kerashub, "installed_folder", lambda: None)
    with pytest.raises(UsageError, match="model.keras' needs the tokenizer of KerasHub"):
        load_text_model(path)
