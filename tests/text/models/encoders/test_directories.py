"""Directories of encoders: what is read of them, and which are refused in a sentence."""

import json

import pytest
from encoder_files import CONFIGS, encoder_directory, preset_directory
from messages import parts

from tfxfer.errors import UsageError
from tfxfer.text.models.encoders.directories import kind_of, read_encoder


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("mean", [False, True])
def test_a_directory_of_transformers_makes_a_record(tmp_path, name, mean):
    folder = encoder_directory(tmp_path / "net", name, mean=mean)
    found = read_encoder(folder)
    assert kind_of(folder) == found.family == name
    assert (found.num_layers, found.num_heads, found.hidden_dim) == (2, 2, 16)
    assert (found.intermediate_dim, found.max_sequence_length) == (24, 40)
    assert found.vocabulary_size == CONFIGS[name]["vocab_size"]
    assert (found.mean, found.max_tokens) == ((True, 20) if mean else (False, 40))
    assert (found.lowercase, found.strip_accents, found.approximate) == (True, True, False)
    assert "unknown, see where 'net' is from" in found.license
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    assert read_encoder(folder).license == "apache-2.0 (says its README.md)"


@pytest.mark.parametrize(("name", "is_approximate"), [("Bert", True), ("DistilBert", False)])
def test_a_preset_of_kerashub_makes_a_record(tmp_path, name, is_approximate):
    folder = preset_directory(tmp_path / "preset", name)
    found = read_encoder(folder)
    assert kind_of(folder) == f"{name}Backbone"
    assert (found.is_preset, found.approximate, found.mean) == (True, is_approximate, False)
    assert (found.dropout, found.attention_dropout, found.max_tokens) == (0.2, 0.2, 40)
    assert (found.lowercase, found.strip_accents) == (True, False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "roberta"}, "'roberta', which is no encoder ... bert, distilbert"),
        ({"model_type": "vit"}, "'vit', which is no encoder"),
        ({"model_type": ["bert"]}, "which is no encoder"),
        ({"hidden_size": None}, "lacks the setting 'hidden_size'"),
        ({"hidden_size": "16"}, "'16' for 'hidden_dim'; it must be a whole number"),
        ({"hidden_act": "relu"}, "'relu' for 'hidden_act'; only encoders with 'gelu'"),
        ({"is_decoder": True}, "True for 'is_decoder'"),
        ({"position_embedding_type": "relative_key"}, "for 'position_embedding_type'"),
        ({"num_attention_heads": 3}, "no possible network: 3 heads"),
        ({"num_hidden_layers": 10**9}, "for 'num_layers'"),
        ({"layer_norm_eps": 0}, "0 for 'epsilon'"),
        ({"hidden_dropout_prob": 1.0}, "1.0 for 'dropout'"),
        ({"vocab_size": 10**6, "hidden_size": 1024}, "too small for the"),
    ],
)
def test_other_networks_are_refused(changes, reason, tmp_path):
    with pytest.raises(UsageError, match=parts(reason)):
        read_encoder(encoder_directory(tmp_path, **changes))


def test_weights_are_needed_and_pickles_are_not_read(tmp_path):
    folder = encoder_directory(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UsageError, match="has no weights .* 'pytorch_model.bin' is not read"):
        read_encoder(folder)


def test_what_is_no_encoder_of_texts_is_none(tmp_path):
    assert kind_of(tmp_path) is None
    for content in ("[]", "{", json.dumps({"model_type": "vit"}), json.dumps({"class_name": 3})):
        (tmp_path / "config.json").write_text(content)
        assert kind_of(tmp_path) is None
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "roberta"}))
    assert kind_of(tmp_path) == "roberta"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_layers": "2"}, "'2' for 'num_layers'"),
        ({"extra": 1}, "unknown setting 'extra'"),
        ({"dtype": {"class_name": "QuantizedDTypePolicy"}}, "floating-point weights"),
    ],
)
def test_presets_are_checked_setting_by_setting(tmp_path, changes, reason):
    folder = preset_directory(tmp_path, "Bert")
    path = folder / "config.json"
    content = json.loads(path.read_text())
    content["config"] |= changes
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=reason):
        read_encoder(folder)
