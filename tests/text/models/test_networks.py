import keras
import numpy as np
import pytest

from tfxfer.config.decided import DecidedText
from tfxfer.text.models.backbones import NETWORKS
from tfxfer.text.models.networks import build_network, stage_layers

CONFIG = DecidedText(max_words=20, vocabulary=50, dimensions=5, units=4, dropout=0.5)
IDS = np.array([[2, 5, 0, 7, 9, 3, 4, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0, 0, 0, 0]], np.int32)


def network(name, seed=0):
    return build_network(NETWORKS[name], CONFIG, 50, seed)


def randomized(name):
    """A network whose weights are larger than the initial ones, so that differences show."""
    model = network(name)
    generator = np.random.default_rng(0)
    model.set_weights([generator.normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_padding_changes_nothing(name):
    model = randomized(name)
    features = np.asarray(model(IDS))
    assert features.shape == (2, NETWORKS[name].num_features(5, 4))
    assert np.isfinite(features).all()
    padded = np.asarray(model(np.pad(IDS, [[0, 0], [0, 13]])))
    assert np.allclose(features, padded, atol=1e-6)
    alone = np.concatenate([np.asarray(model(IDS[:1, :7])), np.asarray(model(IDS[1:, :1]))])
    assert np.allclose(features, alone, atol=1e-6)


@pytest.mark.parametrize("name", ["average", "lstm", "gru"])
def test_a_line_break_inside_is_as_if_it_were_not_there(name):
    model = randomized(name)
    without = np.array([[2, 5, 7, 9, 3, 4]], np.int32)
    assert np.allclose(np.asarray(model(IDS[:1])), np.asarray(model(without)), atol=1e-6)


def test_the_average_is_that_of_the_embeddings():
    model = randomized("average")
    table = model.get_layer("embedding").get_weights()[0]
    expected = table[[2, 5, 7, 9, 3, 4]].mean(axis=0)
    assert np.allclose(np.asarray(model(IDS[:1]))[0], expected, atol=1e-6)


def test_the_lstm_takes_the_maximum_of_its_states():
    model = randomized("lstm")
    table = model.get_layer("embedding").get_weights()[0]
    forward, backward = (
        model.get_layer("recurrent").get_weights()[:3],
        (model.get_layer("recurrent").get_weights()[3:]),
    )

    def states(words, weights):
        """The LSTM of Hochreiter & Schmidhuber, with Keras' order of the gates."""
        kernel, recurrent, bias = weights
        h = c = np.zeros(4)
        for word in words:
            i, f, g, o = np.split(table[word] @ kernel + h @ recurrent + bias, 4)
            sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            yield h

    words = [2, 5, 7, 9, 3, 4]
    expected = np.concatenate(
        [
            np.max(list(states(words, forward)), axis=0),
            np.max(list(states(words[::-1], backward)), axis=0),
        ]
    )
    assert np.allclose(np.asarray(model(IDS[:1]))[0], expected, atol=1e-5)


def test_the_convolutions_see_so_many_words_and_take_the_maximum():
    model = randomized("textcnn")
    table = model.get_layer("embedding").get_weights()[0]
    words = np.stack([table[word] if word else np.zeros(5) for word in IDS[0]])
    expected = []
    for width in (3, 4, 5):
        kernel, bias = model.get_layer(f"convolutions_{width}").get_weights()
        before = (width - 1) // 2
        padded = np.pad(words, [[before, width - 1 - before], [0, 0]])
        maps = [
            np.einsum("wd,wdf->f", padded[t : t + width], kernel) + bias for t in range(len(words))
        ]
        is_word = (IDS[0] != 0)[:, None]
        expected.append((np.maximum(maps, 0) * is_word).max(axis=0))
    assert np.allclose(np.asarray(model(IDS[:1]))[0], np.concatenate(expected), atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_seed_decides_the_initial_weights(name):
    first, same, other = (network(name, seed).get_weights() for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, same))
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_belongs_to_one_stage(name):
    model = network(name)
    stages = stage_layers(model, NETWORKS[name])
    layers = [layer for some in stages.values() for layer in some]
    assert tuple(stages) == NETWORKS[name].stages
    assert sum(len(layer.weights) for layer in layers) == len(model.weights)
    assert len({id(layer) for layer in layers}) == len(layers)


def test_keras_own_operations_are_all_there_is(tmp_path):
    for name in NETWORKS:
        model = network(name)
        model.save(tmp_path / "network.keras")
        loaded = keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
        assert np.array_equal(np.asarray(loaded(IDS)), np.asarray(model(IDS)))
