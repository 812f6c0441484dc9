"""Weights of both kinds of files end up where they belong, and other files are refused."""

import dataclasses

import h5py
import numpy as np
import pytest
from encoder_files import (
    BERT,
    CONFIGS,
    PRESET,
    encoder_directory,
    needs_encoders,
    preset_directory,
    tensors,
)
from timm_files import safetensors_bytes

from tfxfer.errors import WeightsError
from tfxfer.text.models.encoders.directories import read_encoder, weights_name
from tfxfer.text.models.encoders.network import build_encoder
from tfxfer.text.models.encoders.weights import load_encoder

IDS = np.array([[2, 5, 6, 7, 9, 30, 41, 3], [2, 5, 9, 3, 0, 0, 0, 0]])


def features(folder):
    encoder = read_encoder(folder)
    network = build_encoder(encoder, 0.1, 0)
    load_encoder(network, encoder, folder / weights_name(encoder))
    return np.asarray(network(IDS))


@pytest.mark.parametrize(("name", "prefix"), [("bert", "bert."), ("distilbert", "distilbert.")])
def test_names_may_begin_with_that_of_the_network(tmp_path, name, prefix):
    folder = encoder_directory(tmp_path, name, prefix=prefix)
    plain = {key.removeprefix(prefix): x for key, x in tensors(CONFIGS[name], prefix).items()}
    found = features(folder)
    (folder / "model.safetensors").write_bytes(safetensors_bytes(plain))
    np.testing.assert_array_equal(found, features(folder))


def test_old_names_of_the_normalization_are_read(tmp_path):
    folder = encoder_directory(tmp_path)
    found = features(folder)
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): x
        for name, x in tensors(BERT).items()
    }
    (folder / "model.safetensors").write_bytes(safetensors_bytes(old))
    np.testing.assert_array_equal(found, features(folder))


@pytest.mark.parametrize(
    "left_out", ["embeddings.word_embeddings.weight", "encoder.layer.1.output.dense.bias"]
)
def test_files_that_lack_a_tensor_are_refused(tmp_path, left_out):
    folder = encoder_directory(tmp_path)
    kept = {**tensors(BERT), "padding": np.zeros(1000)}
    del kept[left_out]
    (folder / "model.safetensors").write_bytes(safetensors_bytes(kept))
    with pytest.raises(WeightsError, match=f"do not fit.*{left_out}"):
        features(folder)


def test_corrupt_files_are_refused(tmp_path):
    folder = encoder_directory(tmp_path / "one")
    path = folder / "model.safetensors"
    path.write_bytes(b"\xff" * path.stat().st_size)
    with pytest.raises(WeightsError, match="not a valid .safetensors file"):
        features(folder)
    preset = preset_directory(tmp_path / "two")
    path = preset / "model.weights.h5"
    path.write_bytes(b"\xff" * path.stat().st_size)
    with pytest.raises(WeightsError, match="Cannot read the weights"):
        features(preset)


def test_weights_of_a_package_are_compared_with_what_was_published(tmp_path):
    folder = encoder_directory(tmp_path)
    encoder = dataclasses.replace(read_encoder(folder), weights_hash="0" * 64)
    network = build_encoder(encoder, 0.1, 0)
    with pytest.raises(WeightsError, match="not those that were published"):
        load_encoder(network, encoder, folder / "model.safetensors")


def test_presets_that_lack_an_array_or_have_another_shape_are_refused(tmp_path):
    for number, shape in enumerate([None, (3, 3)]):
        preset = preset_directory(tmp_path / str(number))
        name = "layers/transformer_encoder_1/_self_attention_layer/key_dense/vars/0"
        with h5py.File(preset / "model.weights.h5", "r+") as file:
            del file[name]
            if shape:
                file[name] = np.zeros(shape)
        with pytest.raises(WeightsError, match=f"do not fit.*{name}"):
            features(preset)


@needs_encoders
@pytest.mark.slow
@pytest.mark.parametrize("name", ["Bert", "DistilBert"])
def test_a_preset_computes_what_kerashub_computes(tmp_path, name):
    import keras_hub

    from tfxfer.text.models.encoders.building import EncoderFiles

    network = getattr(keras_hub.models, f"{name}Backbone")(**PRESET)
    random = np.random.default_rng(0)
    network.set_weights([random.normal(0, 0.3, one.shape) for one in network.get_weights()])
    network.save_to_preset(str(tmp_path))
    tokenizer = getattr(keras_hub.models, f"{name}Tokenizer")(
        vocabulary=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film"], lowercase=True
    )
    tokenizer.save_to_preset(str(tmp_path))
    given = {"token_ids": IDS, "padding_mask": (IDS != 0).astype("int32")}
    if name == "Bert":
        given["segment_ids"] = np.zeros_like(IDS)
    expected = network(given)
    expected = expected["sequence_output"] if name == "Bert" else expected
    np.testing.assert_allclose(features(tmp_path), np.asarray(expected)[:, 0], atol=1e-5)
    files = EncoderFiles.of("preset", read_encoder(tmp_path))
    assert files.tokenizer.counts(["Film x", ""]).tolist() == [2, 0]
