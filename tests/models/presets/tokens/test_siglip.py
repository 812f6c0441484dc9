"""The vision encoder of SigLIP, held against KerasHub's network."""

import json
import sys

import keras
import numpy as np
import pytest
from conftest import small_config
from presets import OTHERS, TORCH_SCALING, needs_kerashub, saved_preset, written_preset

from tfxfer.api.fit import fit
from tfxfer.errors import UsageError
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.preprocessing import normalize
from tfxfer.models.weights import load_backbone

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype("float32")


@pytest.mark.parametrize(
    "inner", [None, 3, {}, {"class_name": "Lambda"}, {"class_name": ["SigLIPVisionEncoder"]}]
)
def test_a_preset_without_the_encoder_is_refused(inner, tmp_path):
    folder = written_preset(tmp_path / "net")
    path = folder / "config.json"
    content = {"class_name": "SigLIPBackbone", "config": {"vision_encoder": inner}}
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match="describes a network .* cannot be used"):
        find_backbone(f"kerashub:{folder}")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return saved_preset(tmp_path_factory.mktemp("presets") / "net", "siglip")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, encoder):
    """Returns a preset of images and texts, with the same vision encoder."""
    import keras_hub

    folder = tmp_path_factory.mktemp("presets") / "whole"
    texts = keras_hub.models.SigLIPTextEncoder(
        vocabulary_size=50,
        embedding_dim=16,
        hidden_dim=16,
        num_layers=1,
        num_heads=2,
        intermediate_dim=24,
        max_sequence_length=8,
    )
    images = keras_hub.models.Backbone.from_preset(str(encoder))
    keras_hub.models.SigLIPBackbone(images, texts).save_to_preset(str(folder))
    converter = keras_hub.layers.SigLIPImageConverter(image_size=(64, 64), **TORCH_SCALING)
    converter.save_to_preset(str(folder))
    return folder


@pytest.mark.slow
@needs_kerashub
@pytest.mark.parametrize("kind", ["encoder", "whole"])
def test_pixels_and_features_equal_those_of_kerashub(kind, request):
    import keras_hub

    folder = str(request.getfixturevalue(kind))
    backbone = find_backbone(f"kerashub:{folder}")
    theirs = keras_hub.models.Backbone.from_preset(folder)
    if kind == "whole":
        converter = keras_hub.layers.ImageConverter.from_preset(folder)
        theirs = theirs.vision_encoder
    tokens_of = keras.Model(theirs.inputs, theirs.post_layer_norm.output)
    network = load_backbone(backbone, 64)
    assert network.count_params() == backbone.num_parameters
    for images in (IMAGES, np.full_like(IMAGES, 128.0)):
        pixels = np.array(normalize(backbone.pixels, images))
        if kind == "whole":
            np.testing.assert_array_equal(np.array(converter(images)), pixels)
        maps = np.array(network(pixels))
        pooled, tokens = (np.array(one({"images": pixels})) for one in (theirs, tokens_of))
        np.testing.assert_allclose(maps[:, 0, 0, :16], pooled.reshape(2, 16), atol=1e-5)
        np.testing.assert_allclose(maps[..., 16:].reshape(tokens.shape), tokens, atol=1e-5)
    assert load_backbone(backbone, 96).output_shape == (None, 6, 6, 32)
    assert OTHERS["siglip"][0] == dict(backbone.builder_arguments)["class_name"]


@pytest.mark.slow
@needs_kerashub
def test_a_fit_runs_both_phases_and_its_model_needs_no_kerashub(
    whole, pictures, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    lines = []
    config = small_config(
        pictures,
        "preset",
        tmp_path,
        backbone=f"kerashub:{whole}",
        head={"epochs": 2, "dropout": 0.0},
        finetune={"epochs": 1},
    )
    result = fit(config, say=lines.append)
    assert "finetune  epoch 1/1" in "\n".join(lines)
    assert result.export is not None
    assert keras.models.load_model(result.model).output_shape[-1] > 1
