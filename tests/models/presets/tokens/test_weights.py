"""Weights of vision transformers, held against KerasHub's networks."""

import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest
from conftest import small_config
from dying import Death, dying
from messages import parts
from presets import TOKENS, needs_kerashub, saved_preset

from tfxfer.api.fit import fit
from tfxfer.config.schema import FitConfig
from tfxfer.errors import WeightsError
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.classifier import build_classifier
from tfxfer.models.preprocessing import normalize
from tfxfer.models.weights import load_backbone

pytestmark = [pytest.mark.slow, needs_kerashub]

each = pytest.mark.parametrize("name", list(TOKENS))


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """Returns the directory of a preset by name."""
    known = {}

    def folder(name):
        if name not in known:
            known[name] = saved_preset(tmp_path_factory.mktemp("presets") / name, name)
        return known[name]

    return folder


def images_of(side):
    return np.random.default_rng(0).integers(0, 256, (2, side, side, 3)).astype("float32")


def check_tokens(maps, tokens, registers):
    width = tokens.shape[-1]
    np.testing.assert_allclose(maps[:, 0, 0, :width], tokens[:, 0], atol=1e-5)
    patches = maps[..., width:].reshape(len(maps), -1, width)
    np.testing.assert_allclose(patches, tokens[:, 1 + registers :], atol=1e-5)


@each
def test_pixels_and_tokens_equal_those_of_kerashub(name, preset):
    import keras_hub

    folder, (_, settings, size) = str(preset(name)), TOKENS[name]
    backbone = find_backbone(f"kerashub:{folder}")
    images = images_of(size)
    pixels = np.array(keras_hub.layers.ImageConverter.from_preset(folder)(images))
    np.testing.assert_array_equal(np.array(normalize(backbone.pixels, images)), pixels)
    theirs = keras_hub.models.Backbone.from_preset(folder)
    tokens = np.array(theirs({"images": pixels} if name != "vit" else pixels))
    maps = np.array(load_backbone(backbone, size)(pixels))
    check_tokens(maps, tokens, settings.get("num_register_tokens", 0))
    assert maps.shape[-1] == backbone.num_features


@pytest.mark.parametrize("name", ["dinov2", "dinov2_registers"])
@pytest.mark.parametrize("size", [42, 70, 98])
def test_positions_are_interpolated_as_in_kerashub(name, size, preset):
    import keras_hub

    folder = str(preset(name))
    theirs = keras_hub.models.Backbone.from_preset(folder, image_shape=(size, size, 3))
    images = images_of(size) / 255
    maps = np.array(load_backbone(find_backbone(f"kerashub:{folder}"), size)(images))
    registers = TOKENS[name][1].get("num_register_tokens", 0)
    check_tokens(maps, np.array(theirs({"images": images})), registers)


def test_a_vit_takes_images_of_another_size(preset):
    backbone = find_backbone(f"kerashub:{preset('vit')}")
    networks = [load_backbone(backbone, size) for size in (64, 128)]
    small, large = (one.get_layer("positions").get_weights()[0] for one in networks)
    np.testing.assert_array_equal(small[0], large[0])
    # The mean of a smooth enlargement is about that of the original.
    assert large[1:].mean() == pytest.approx(small[1:].mean(), abs=0.05)
    assert networks[1].output_shape == (None, 8, 8, 32)


@pytest.mark.parametrize("name", ["vit", "dinov2"])
def test_the_network_is_cut_at_its_blocks(name, preset):
    backbone = find_backbone(f"kerashub:{preset(name)}")
    size = backbone.native_size
    settings = {"precision": "float32", "head": {"dropout": 0.0}}
    config = FitConfig(image_size=size, input_size=size).with_settings(settings)
    classifier = build_classifier(backbone, config, config.head, "preset", 3)
    assert list(classifier.cuts) == list(backbone.stage_names)
    generator = np.random.default_rng(0)
    classifier.head.set_weights([generator.normal(size=w.shape) for w in classifier.head.weights])
    images = images_of(size)
    expected = np.array(classifier.model(images))
    for stage in backbone.stage_names:
        classifier.unfreeze(stage, "frozen")
        halves = classifier.halves()
        assert halves.costly is (stage != "stem")
        found = np.array(halves.trained(np.array(halves.frozen(images))))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "place", "change", "reason"),
    [
        ("vit", "layers/vi_t_encoder/layer_norm/vars/0", None, "none"),
        ("vit", "layers/vi_t_encoder/layer_norm/vars/0", np.zeros(17), "has (17,)"),
        ("vit", "layers/vi_t_encoder/layer_norm/vars/0", np.zeros(16, "int32"), "has (16,)"),
        (
            "vit",
            "layers/vi_t_patching_and_embedding/position_embedding/vars/0",
            np.zeros((12, 16), "float32"),
            "11 positions are no square",
        ),
        (
            "vit",
            "layers/vi_t_patching_and_embedding/position_embedding/vars/0",
            np.zeros((1, 16), "float32"),
            "0 positions are no square",
        ),
        ("dinov2", "layers/dinov2_embedding/vars/3", np.zeros((25, 16)), "has (25, 16)"),
        ("dinov2", "layers/dinov2_encoder/layers/dinov2_layer_2/layer_scale1/vars/0", None, "none"),
    ],
)
def test_arrays_that_do_not_fit_are_named(name, place, change, reason, preset, tmp_path):
    import shutil

    folder = shutil.copytree(preset(name), tmp_path / "net")
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        del file[place]
        if change is not None:
            file[place] = change
    with pytest.raises(WeightsError, match=parts(f"do not fit ... {reason}")):
        load_backbone(find_backbone(f"kerashub:{folder}"), TOKENS[name][2])


def test_links_out_of_the_file_are_not_followed(preset, tmp_path):
    import shutil

    folder = shutil.copytree(preset("vit"), tmp_path / "net")
    place = "layers/vi_t_encoder/layer_norm/vars/0"
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        del file[place]
        file[place] = h5py.ExternalLink(str(preset("vit") / "model.weights.h5"), place)
    with pytest.raises(WeightsError, match="the file none"):
        load_backbone(find_backbone(f"kerashub:{folder}"), 64)


def test_a_fit_runs_both_phases_resumes_and_its_model_needs_no_kerashub(preset, pictures, tmp_path):
    def config(folder):
        return small_config(
            pictures,
            "preset",
            folder,
            backbone=f"kerashub:{preset('vit')}",
            run="one",
            head={"epochs": 3, "dropout": 0.0},
            finetune={"epochs": 2, "layer_decay": 0.8},
        )

    lines = []
    result = fit(config(tmp_path / "whole"), say=lines.append)
    assert "finetune  epoch 2/2" in "\n".join(lines)
    assert result.export is not None

    with pytest.raises(Death):
        fit(config(tmp_path / "killed"), say=dying("finetune  epoch 1"))
    fit(resume=tmp_path / "killed" / "runs" / "one", say=lambda _: None)
    models = [
        keras.models.load_model(tmp_path / name / "runs" / "one" / "model.keras")
        for name in ("whole", "killed")
    ]
    for ours, theirs in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    program = (
        "import sys, keras, numpy as np\n"
        "sys.modules['tfxfer'] = sys.modules['keras_hub'] = None\n"
        f"model = keras.models.load_model({str(result.model)!r})\n"
        "np.save('found.npy', model.predict(np.load('images.npy'), verbose=0))\n"
    )
    np.save(tmp_path / "images.npy", images_of(32))
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    expected = models[0].predict(images_of(32), verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=1e-5)
