"""Integrated gradients sum up to what the words change, and point at the words that matter."""

import numpy as np
import pytest
from encoder_files import encoder_directory, needs_encoders
from made_texts import small

from tfxfer.config.schema import FitConfig
from tfxfer.text.models.attribution import WordAttributions, words_of
from tfxfer.text.models.classifier import BACKBONE, HEAD
from tfxfer.text.models.vocabulary import VECTORIZER
from tfxfer.text.planning.plan import make_text_plan

# Their steps take a second to trace.
BY_STEPS = [pytest.param(name, marks=pytest.mark.slow) for name in ("gru", "lstm")]

TEXTS = ["great film - truly great!", "bad", "a film of the year " * 3]


@pytest.fixture(scope="module", params=["average", "textcnn", *BY_STEPS])
def model(request, reviews, tmp_path_factory):
    """A classifier with random weights, head and embeddings included."""
    folder = tmp_path_factory.mktemp(request.param)
    settings = small(data=str(reviews), backbone=request.param, runs_dir=str(folder))
    model = make_text_plan(FitConfig().with_settings(settings)).classifier.with_probabilities()
    random = np.random.default_rng(1)
    for layer in (model.get_layer(BACKBONE), model.get_layer(HEAD)):
        layer.set_weights([random.normal(0, 0.4, one.shape) for one in layer.get_weights()])
    return model


def logits_of(model, text, embeddings_times=1.0):
    """Returns the difference of the logits of class 1 and 0, at scaled embeddings."""
    embedding = model.get_layer(BACKBONE).get_layer("embedding")
    (kept,) = embedding.get_weights()
    embedding.set_weights([kept * embeddings_times])
    ids = np.asarray(model.get_layer(VECTORIZER)(np.array([text], object)))
    logits = np.asarray(model.get_layer(HEAD)(model.get_layer(BACKBONE)(ids)))[0]
    embedding.set_weights([kept])
    return float(logits[1] - logits[0])


@pytest.mark.parametrize("text", TEXTS)
def test_attributions_sum_up_to_what_the_embeddings_change(model, text):
    explained = WordAttributions(model)
    found = explained.of(text, 1, 0)
    read = [word for word, is_read in words_of(text) if is_read]
    assert found.shape == (len(read),)
    assert explained.of(text, 0, 1) == pytest.approx(-found, abs=1e-5)
    change = logits_of(model, text) - logits_of(model, text, 0.0)
    start = explained.integrated(text, 1, 0)[0]
    assert start + found.sum() == pytest.approx(change, abs=0.03 * (1 + abs(change)))


def test_texts_without_words_and_beyond_what_is_read_have_their_share(model):
    explained = WordAttributions(model)
    assert explained.of("", 1, 0).shape == (0,)
    assert explained.of("- ... !", 1, 0).shape == (0,)
    longest = model.get_layer(VECTORIZER).output_shape[1] - 1
    assert explained.of("film " * 500, 1, 0).shape == (longest,)


@needs_encoders
def test_tokens_of_an_encoder_are_summed_up_by_word(reviews, tmp_path):
    folder = encoder_directory(tmp_path / "net", mean=True)
    settings = {"data": str(reviews), "backbone": f"kerashub:{folder}", "runs_dir": str(tmp_path)}
    plan = make_text_plan(FitConfig().with_settings(settings))
    model = plan.classifier.with_probabilities()
    random = np.random.default_rng(3)
    head = model.get_layer(HEAD)
    head.set_weights([random.normal(0, 1, one.shape) for one in head.get_weights()])
    explained = WordAttributions(model)
    text = "Lovely film\u200bthat - \u0301  superb!"
    words = explained.words_of(text)
    # An accent alone is deleted.
    assert words == [
        *(("Lovely", True), ("film", True), ("that", True), ("-", True)),
        *(("\u0301", False), ("superb!", True)),
    ]
    found, each = explained.of(text, 1, 0), explained.integrated(text, 1, 0)
    lengths = [2, 1, 4, 1, 3]
    assert each.shape == (2 + sum(lengths),)
    sums = [part.sum() for part in np.split(each[1:-1], np.cumsum(lengths)[:-1])]
    assert found == pytest.approx(sums, abs=1e-5)
    change = logits_of(model, text) - logits_of(model, text, 0.0)
    assert each.sum() == pytest.approx(change, abs=0.05 * (1 + abs(change)))
    assert explained.of("", 1, 0).shape == (0,)
    assert explained.of("film " * 500, 1, 0).shape == (18,)


def test_words_are_what_stands_between_white_space():
    assert words_of(" A great\tfilm --\n see it! ") == [
        ("A", True),
        ("great", True),
        ("film", True),
        ("--", False),
        ("see", True),
        ("it!", True),
    ]
    assert words_of("") == []


def test_of_a_mean_of_embeddings_each_word_has_its_own_part(reviews, tmp_path):
    settings = small(data=str(reviews), backbone="average", runs_dir=str(tmp_path))
    plan = make_text_plan(FitConfig().with_settings(settings))
    model = plan.classifier.with_probabilities()
    backbone, head = model.get_layer(BACKBONE), model.get_layer(HEAD)
    random = np.random.default_rng(2)
    for layer in (backbone, head):
        layer.set_weights([random.normal(0, 1, one.shape) for one in layer.get_weights()])
    text = "great film"
    (ids,) = np.asarray(model.get_layer(VECTORIZER)(np.array([text], object)))[:, :3]
    (table,) = backbone.get_layer("embedding").get_weights()
    kernel = head.get_weights()[0]
    expected = table[ids[1:]] @ (kernel[:, 1] - kernel[:, 0]) / 3
    assert WordAttributions(model).of(text, 1, 0) == pytest.approx(expected, abs=1e-5)
