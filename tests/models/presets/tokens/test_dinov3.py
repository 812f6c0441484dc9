"""DINOv3, held against KerasHub's network."""

import shutil
import sys

import h5py
import keras
import numpy as np
import pytest
from conftest import small_config
from messages import parts
from presets import DINOV3, OTHERS, needs_kerashub, saved_preset

from tfxfer.api.fit import fit
from tfxfer.config.schema import FitConfig
from tfxfer.errors import WeightsError
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.classifier import build_classifier
from tfxfer.models.preprocessing import normalize
from tfxfer.models.presets.tokens import families
from tfxfer.models.weights import load_backbone

NAMES = ["dinov3", "dinov3_gated"]


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    known = {}

    def folder(name):
        if name not in known:
            known[name] = saved_preset(tmp_path_factory.mktemp("presets") / name, name)
        return known[name]

    return folder


def images_of(side):
    return np.random.default_rng(0).integers(0, 256, (2, side, side, 3)).astype("float32")


@pytest.mark.parametrize(
    ("changes", "reason"), [({"num_heads": 3}, "3 heads"), ({"num_heads": 8}, "multiple of 4")]
)
def test_settings_that_cannot_be_are_refused(changes, reason):
    with pytest.raises(ValueError, match=reason):
        families.DINOV3.anatomy({**families.DINOV3.defaults, **DINOV3, **changes})


@pytest.mark.slow
@needs_kerashub
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [64, 96])
def test_pixels_and_tokens_equal_those_of_kerashub(name, size, preset):
    import keras_hub

    folder, registers = str(preset(name)), OTHERS[name][1]["num_register_tokens"]
    backbone = find_backbone(f"kerashub:{folder}")
    network = load_backbone(backbone, size)
    theirs = keras_hub.models.Backbone.from_preset(folder, image_shape=(size, size, 3))
    for images in (images_of(size), np.full((1, size, size, 3), 128.0, "float32")):
        pixels = np.array(normalize(backbone.pixels, images))
        if size == 64:
            converter = keras_hub.layers.ImageConverter.from_preset(folder)
            np.testing.assert_array_equal(np.array(converter(images)), pixels)
        tokens = np.array(theirs({"pixel_values": pixels}))
        maps = np.array(network(pixels))
        np.testing.assert_allclose(maps[:, 0, 0, :16], tokens[:, 0], atol=1e-5)
        patches = tokens[:, 1 + registers :]
        np.testing.assert_allclose(maps[..., 16:].reshape(patches.shape), patches, atol=1e-5)
    assert maps.shape[-1] == backbone.num_features


@pytest.mark.slow
@needs_kerashub
def test_the_network_is_cut_at_its_blocks(preset):
    backbone = find_backbone(f"kerashub:{preset('dinov3')}")
    settings = {"precision": "float32", "head": {"dropout": 0.0}}
    config = FitConfig(image_size=64, input_size=64).with_settings(settings)
    classifier = build_classifier(backbone, config, config.head, "preset", 3)
    assert list(classifier.cuts) == list(backbone.stage_names)
    generator = np.random.default_rng(0)
    classifier.head.set_weights([generator.normal(size=w.shape) for w in classifier.head.weights])
    images = images_of(64)
    expected = np.array(classifier.model(images))
    classifier.unfreeze("block2", "frozen")
    halves = classifier.halves()
    found = np.array(halves.trained(np.array(halves.frozen(images))))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
@needs_kerashub
def test_arrays_that_do_not_fit_are_named(preset, tmp_path):
    folder = shutil.copytree(preset("dinov3"), tmp_path / "net")
    place = "layers/dinov3_encoder/layers/dinov3_layer_1/layer_scale2/vars/0"
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        del file[place]
    with pytest.raises(WeightsError, match=parts(f"'{place}' of shape (16,), the file none")):
        load_backbone(find_backbone(f"kerashub:{folder}"), 64)


@pytest.mark.slow
@needs_kerashub
def test_a_fit_runs_both_phases_and_its_model_needs_no_kerashub(
    preset, pictures, tmp_path, monkeypatch
):
    backbone = f"kerashub:{preset('dinov3_gated')}"
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    lines = []
    config = small_config(
        pictures,
        "preset",
        tmp_path,
        backbone=backbone,
        head={"epochs": 2, "dropout": 0.0},
        finetune={"epochs": 1},
    )
    result = fit(config, say=lines.append)
    assert "finetune  epoch 1/1" in "\n".join(lines)
    assert result.export is not None
    assert keras.models.load_model(result.model).output_shape[-1] > 1
