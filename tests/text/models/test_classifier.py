import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.config.decided import DecidedHead, DecidedText
from tfxfer.models.objectives import softmax
from tfxfer.models.standardization import Standardization
from tfxfer.text.models.backbones import BACKBONES, NETWORKS
from tfxfer.text.models.classifier import assembled, features_model
from tfxfer.text.models.networks import build_network
from tfxfer.text.models.vocabulary import Vocabulary
from tfxfer.text.models.weights import find_weights, read_pretrained

TEXTS = ["a great film", "a dull film", "", "great " * 50, "\U0001f600 \0 caf\udce9", "x.<br />a"]


def classifier(name="lstm", seed=0):
    config = DecidedText(max_words=8, vocabulary=20, dimensions=5, units=4, dropout=0.2)
    vocabulary = Vocabulary.of([*TEXTS, *TEXTS], 20)
    record = BACKBONES[name]
    network = build_network(record, config, vocabulary.num_ids, seed)
    head = DecidedHead(epochs=0, dropout=0.3)
    found = assembled(record, vocabulary.vectorizer(8), network, head, 3, seed)
    generator = np.random.default_rng(seed)
    found.head.set_weights([generator.normal(size=w.shape) for w in found.head.get_weights()])
    return found


def as_strings(texts):
    return tf.constant([text.encode("utf-8", "surrogateescape") for text in texts])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_saved_model_takes_texts_and_loads_in_plain_keras(name, tmp_path):
    found = classifier(name)
    found.with_probabilities().save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    expected = softmax(np.asarray(found.model(found.ids(TEXTS))))
    answered = loaded.predict(as_strings(TEXTS), verbose=0)
    assert answered.shape == (6, 3)
    assert np.allclose(answered, expected, atol=1e-6)


def test_features_are_those_of_the_backbone():
    found = classifier()
    outputs = features_model(found.with_probabilities())(as_strings(TEXTS))
    assert np.allclose(outputs["features"], found.backbone(found.ids(TEXTS)), atol=1e-6)
    assert np.allclose(outputs["probabilities"].numpy().sum(axis=1), 1, atol=1e-6)


def test_stages_are_trained_from_one_on():
    found = classifier()
    for unfreeze, stages in (("all", 2), ("recurrent", 1), ("none", 0)):
        found.unfreeze(unfreeze)
        trained = {w.path.split("/")[1] for w in found.backbone.trainable_weights}
        assert len(found.backbone.trainable_weights) == {2: 7, 1: 6, 0: 0}[stages], trained
        assert len(found.head.trainable_weights) == 2
    assert found.num_trainable() == sum(w.size for w in found.head.get_weights())


def test_learning_rates_decay_by_stage():
    found = classifier()
    factors = found.rate_factors("all", head_rate=10.0, layer_decay=0.5)
    by_name = {v.path: factors.get(id(v), 1.0) for v in found.model.weights}
    assert {rate for path, rate in by_name.items() if "embedding" in path} == {0.5}
    assert {rate for path, rate in by_name.items() if "recurrent" in path} == {1.0}
    assert {factors[id(v)] for v in found.head.weights} == {10.0}
    assert found.rate_factors("all", 1.0, 1.0) == {}


def test_a_head_on_standardized_features_is_absorbed():
    found = classifier()
    features = np.asarray(found.backbone(found.ids(TEXTS)))
    scale = Standardization.of(features)
    expected = np.asarray(found.head(scale.apply(features)))
    found.absorb(scale)
    assert np.allclose(np.asarray(found.head(features)), expected, atol=1e-4)


def test_the_digest_depends_on_words_and_weights():
    assert classifier().digest() == classifier().digest()
    assert classifier(seed=1).digest() != classifier().digest()


def test_a_saved_backbone_is_read_back_from_both_kinds_of_runs(tmp_path):
    found = classifier("gru")
    found.as_backbone().save(tmp_path / "backbone.keras")
    found.with_probabilities().save(tmp_path / "model.keras")
    for file in ("backbone.keras", "model.keras"):
        read = read_pretrained(tmp_path / file)
        ids = np.asarray(read.vectorizer(as_strings(TEXTS)))
        assert np.array_equal(ids, found.ids(TEXTS))
        assert np.allclose(read.network(ids), found.backbone(ids), atol=1e-6)
        assert (read.max_words, read.dimensions, read.dropout) == (8, 5, 0.2)
        assert read.stages >= {"embedding", "recurrent"}
    assert find_weights(str(tmp_path)) == tmp_path / "backbone.keras"
