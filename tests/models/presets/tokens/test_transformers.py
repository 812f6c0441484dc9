"""Directories of transformers: their networks and how their pixels are scaled."""

import numpy as np
import pytest
from messages import parts
from transformers_files import MODELS, transformers_directory

from tfxfer.errors import UsageError
from tfxfer.models.presets.record import preset_backbone


def record(folder, *arguments, **changes):
    return preset_backbone(f"kerashub:{transformers_directory(folder, *arguments, **changes)}")


@pytest.mark.parametrize(("name", "size"), [("vit", 64), *[(n, 56) for n in list(MODELS)[1:]]])
def test_a_directory_makes_a_record(name, size, tmp_path):
    found = record(tmp_path / "net", name)
    assert found.name == f"kerashub:{tmp_path / 'net'}"
    assert found.preset_architecture == f"transformers {name}"
    assert found.weights_file == "model.safetensors"
    assert (found.native_size, found.num_features) == (size, 32)
    assert found.stage_names == ("stem", "block1", "block2")
    assert not found.needs_kerashub
    assert "unknown" in found.license
    (tmp_path / "net" / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    again = preset_backbone(found.name)
    assert again.license == "apache-2.0 (says its README.md)"


def test_pixels_are_scaled_as_the_processor_says(tmp_path):
    scaling = record(tmp_path / "vit").scaling
    np.testing.assert_allclose(scaling.scale, [2 / 255] * 3)
    np.testing.assert_allclose(scaling.offset, [-1] * 3)
    scaling = record(tmp_path / "dino", "dinov2").scaling
    np.testing.assert_allclose(scaling.scale, 1 / 255 / np.array([0.229, 0.224, 0.225]))
    np.testing.assert_allclose(
        scaling.offset, -np.array([0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    )
    plain = record(tmp_path / "plain", pixels={"do_rescale": False, "do_normalize": False}).scaling
    np.testing.assert_array_equal(plain.scale, [1.0] * 3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "swin"}, "model type 'swin' ... vit, dinov2, dinov2_with_registers"),
        ({"model_type": ["vit"]}, "cannot be used"),
        ({"hidden_size": None}, "lacks the setting 'hidden_size'"),
        ({"hidden_act": "relu"}, "'relu' for 'hidden_act'; only networks with 'gelu'"),
        ({"qkv_bias": False}, "False for 'qkv_bias'"),
        ({"num_channels": 1}, "1 for 'num_channels'"),
        ({"intermediate_size": None}, "None for 'mlp_dim'"),
        ({"num_attention_heads": 3}, "no possible network: 3 heads"),
        ({"hidden_size": "16"}, "'16' for 'hidden_dim'"),
        ({"image_size": 10**9}, "image size"),
        ({"patch_size": [16, 16]}, "it must be one number"),
        ({"hidden_size": 8192, "num_hidden_layers": 100}, "too small for the"),
    ],
)
def test_other_networks_are_refused(changes, reason, tmp_path):
    with pytest.raises(UsageError, match=parts(reason)):
        record(tmp_path, **changes)


@pytest.mark.parametrize("changes", [{"use_swiglu_ffn": True}, {"layer_norm_eps": 1e-5}])
def test_other_dinov2_are_refused(changes, tmp_path):
    with pytest.raises(UsageError, match=next(iter(changes))):
        record(tmp_path, "dinov2", **changes)


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        ({"image_mean": None}, "must have three numbers for 'image_mean'"),
        ({"image_std": [0.5, 0.5, 0.0]}, "three above 0 for 'image_std'"),
        ({"image_std": "x"}, "for 'image_std'; it must be one number or three"),
        ({"size": {"longest_edge": 64}}, "image size [None, None]"),
        ({"size": [64, 32]}, "image size [64, 32]"),
    ],
)
def test_impossible_scalings_are_refused(pixels, reason, tmp_path):
    with pytest.raises(UsageError, match=parts(reason)):
        record(tmp_path, pixels=pixels)


def test_a_directory_must_say_how_pixels_are_scaled(tmp_path):
    folder = transformers_directory(tmp_path)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(UsageError, match="it has no 'preprocessor_config.json'"):
        preset_backbone(f"kerashub:{folder}")
