"""Next-word prediction: its losses, and what it does to the layers of a backbone."""

import keras
import numpy as np
import pytest
from made_texts import review

from tfxfer.config.decided import DecidedHead, DecidedText
from tfxfer.text.models.backbones import find_text_backbone
from tfxfer.text.models.classifier import build_text_classifier
from tfxfer.text.models.next_word import (
    PREDICTED_WORDS,
    next_word_objective,
    num_predicted,
    predicting_words,
)
from tfxfer.text.models.vocabulary import FIRST_WORD, Vocabulary


class _Run:
    seed = 0
    text = DecidedText(max_words=12, vocabulary=100, dimensions=5, units=4, dropout=0.0)


@pytest.fixture(scope="module", params=["lstm", "gru"])
def classifier(request):
    vocabulary = Vocabulary.of([review(n, n % 2 == 0) for n in range(20)], 15)
    head = DecidedHead(epochs=0, dropout=0.0)
    found = build_text_classifier(find_text_backbone(request.param), _Run, head, vocabulary, 1)
    predicting = predicting_words(found, 0)
    generator = np.random.default_rng(0)
    for weights in predicting.model.weights:
        weights.assign(generator.normal(0, 0.5, weights.shape))
    return predicting


def test_only_the_most_frequent_words_are_predicted():
    assert num_predicted(FIRST_WORD + 7) == 7
    assert num_predicted(FIRST_WORD + 20_000) == PREDICTED_WORDS
    assert num_predicted(FIRST_WORD) == 1


def test_losses_are_those_of_a_softmax_over_the_neighbors_of_each_state(classifier):
    texts = ["the film was great", "awful film nobodyknowsthisword", ""]
    ids = classifier.ids(texts)
    told = classifier.model.predict(ids, verbose=0)
    network, layer = classifier.backbone, classifier.model.get_layer("next_word_losses")
    embedding = network.get_layer("embedding")
    states = np.asarray(network.get_layer("recurrent")(embedding(ids)))
    vectors, bias = np.asarray(embedding.embeddings)[FIRST_WORD:], np.asarray(layer.bias)
    expected = np.zeros((3, 3))
    for text, row in enumerate(ids):
        for place, word in enumerate(row):
            if word < FIRST_WORD:
                continue
            # The state before it looks forward, the one behind it backward.
            sides = [(0, place - 1, slice(0, 4)), (1, place + 1, slice(4, 8))]
            for number, other, half in sides:
                if not 0 <= other < len(row):
                    continue
                direction = layer._directions[number]
                logits = np.asarray(direction(states[text, other, half][None]))[0] @ vectors.T
                logits = logits + bias
                loss = np.log(np.exp(logits).sum()) - logits[word - FIRST_WORD]
                right = logits.argmax() == word - FIRST_WORD
                expected[text] += loss, right, 1
    np.testing.assert_allclose(told, expected, rtol=1e-4, atol=1e-5)
    assert expected[2, 2] == 0


def test_the_loss_is_the_mean_over_words_and_not_over_texts():
    objective = next_word_objective(10)
    told = np.array([[2.0, 1, 1], [3.0, 0, 4], [0, 0, 0]], np.float32)
    assert objective.scores(told, np.zeros(3), 0.0) == (pytest.approx(1.0), pytest.approx(0.2))
    assert float(objective.loss(0.0)(None, told)) == pytest.approx(1.0)
    metric = objective.keras_metric()
    metric.update_state(None, told)
    assert float(metric.result()) == pytest.approx(0.2)
    assert objective.guess_loss(3) == pytest.approx(np.log(10))
    # Without a word to predict.
    assert objective.scores(told[2:], np.zeros(1), 0.0) == (0.0, 0.0)


def test_word_vectors_are_shared_and_every_weight_is_there_once(classifier):
    weights = [weight.path for weight in classifier.model.trainable_weights]
    assert len(set(weights)) == len(weights)
    assert sum(path.endswith("embeddings") for path in weights) == 1
    owned = {id(weight) for weight in classifier.backbone.weights}
    assert owned <= {id(weight) for weight in classifier.model.weights}
    assert isinstance(classifier.as_backbone(), keras.Model)
