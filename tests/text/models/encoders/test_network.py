"""The network computes what BERT computes, as NumPy does from the same tensors."""

import numpy as np
import pytest
from encoder_files import BERT, CONFIGS, bert_features, encoder_directory, tensors

from tfxfer.text.models.encoders.directories import read_encoder
from tfxfer.text.models.encoders.network import build_encoder
from tfxfer.text.models.encoders.weights import load_encoder

IDS = np.array([[2, 5, 6, 7, 9, 30, 41, 3], [2, 5, 9, 3, 0, 0, 0, 0], [2, 3, 0, 0, 0, 0, 0, 0]])


def built(folder, *arguments, dropout=0.1, **changes):
    folder = encoder_directory(folder, *arguments, **changes)
    encoder = read_encoder(folder)
    network = build_encoder(encoder, dropout, 0)
    load_encoder(network, encoder, folder / "model.safetensors")
    return network, encoder


@pytest.mark.parametrize("mean", [False, True])
def test_features_are_those_of_bert(tmp_path, mean):
    network, encoder = built(tmp_path, mean=mean)
    values = tensors(BERT)
    expected = [bert_features(BERT, values, row[row != 0], mean=mean) for row in IDS]
    np.testing.assert_allclose(network(IDS), expected, atol=1e-5)
    assert network.count_params() == encoder.num_parameters


@pytest.mark.parametrize("name", CONFIGS)
def test_padding_changes_nothing(tmp_path, name):
    network, encoder = built(tmp_path, name, mean=True)
    padded = np.pad(IDS, [[0, 0], [0, encoder.max_sequence_length - IDS.shape[1]]])
    np.testing.assert_allclose(network(padded), network(IDS), atol=1e-5)
    alone = [network(row[row != 0][None])[0] for row in IDS]
    np.testing.assert_allclose(network(IDS), alone, atol=1e-5)


def test_layers_are_named_by_their_stages(tmp_path):
    network, encoder = built(tmp_path)
    weighted = [layer.name.partition("_")[0] for layer in network.layers if layer.weights]
    assert tuple(dict.fromkeys(weighted)) == encoder.stages == ("embedding", "block1", "block2")


def test_dropout_is_that_of_the_setting(tmp_path):
    network, _ = built(tmp_path / "some", dropout=0.3)
    assert {one.rate for one in network.layers if "dropout" in one.name} == {0.3}
    random = np.stack([network(IDS, training=True) for _ in range(2)])
    assert np.abs(random[0] - random[1]).max() > 1e-3
    none, _ = built(tmp_path / "none", dropout=0.0)
    np.testing.assert_array_equal(none(IDS, training=True), none(IDS))
