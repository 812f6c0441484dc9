"""Directories of timm: their architectures and how they were pretrained."""

import importlib

import numpy as np
import pytest
from messages import parts
from presets import needs_kerashub
from timm_files import timm_directory

from tfxfer.errors import UsageError
from tfxfer.models.backbones.pixels import SCALINGS
from tfxfer.models.preprocessing import normalize
from tfxfer.models.presets.record import preset_backbone
from tfxfer.models.presets.settings import checked_settings
from tfxfer.models.presets.timm import ARCHITECTURES


def record(folder, *arguments, **changes):
    return preset_backbone(f"kerashub:{timm_directory(folder, *arguments, **changes)}")


def test_a_directory_of_timm_makes_a_record(tmp_path):
    found = record(tmp_path / "net")
    assert found.name == f"kerashub:{tmp_path / 'net'}"
    assert found.weights_file == "model.safetensors"
    assert found.preset_architecture == "resnet18"
    assert (found.native_size, found.num_features, found.num_parameters) == (224, 512, 11_186_112)
    image = np.linspace(0, 255, 48, dtype="float32").reshape(1, 4, 4, 3)
    ours, theirs = (np.array(normalize(p, image)) for p in (found.scaling, SCALINGS["torch"]))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert "unknown" in found.license
    assert hash(found) == hash(record(tmp_path / "net"))


def test_the_license_is_that_of_the_file(tmp_path):
    assert record(tmp_path, license="apache-2.0").license == "apache-2.0 (says its config.json)"


@pytest.mark.parametrize(
    "name", ["resnext50_32x4d", "tf_efficientnet_b0", "vit_tiny", "convnext_tiny", "regnety_002"]
)
def test_other_architectures_are_refused_by_name(tmp_path, name):
    with pytest.raises(UsageError, match=parts(f"timm architecture '{name}' ... resnet18")):
        record(tmp_path, architecture=name)


@pytest.mark.parametrize("name", [None, 3, ["resnet18"], {"class_name": "Lambda"}])
def test_an_architecture_is_a_word(tmp_path, name):
    with pytest.raises(UsageError, match="which cannot be used"):
        record(tmp_path, architecture=name)


@pytest.mark.parametrize("name", ["mean", "std", "input_size"])
def test_how_it_was_pretrained_must_be_said(tmp_path, name):
    with pytest.raises(UsageError, match=parts("how the network was trained ... pretrained_cfg")):
        record(tmp_path, **{name: None})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean", 0.5),
        ("mean", [0.5, 0.5]),
        ("mean", "0.5"),
        ("std", [0.5, 0, 0.5]),
        ("std", [0.5, -1, 0.5]),
        ("std", [0.5, float("nan"), 0.5]),
        ("input_size", [1, 224, 224]),
        ("input_size", [3, 224, 240]),
        ("input_size", [3, 10**9, 10**9]),
        ("input_size", 224),
    ],
)
def test_impossible_values_are_refused(tmp_path, name, value):
    with pytest.raises(UsageError, match=r"config\.json"):
        record(tmp_path, **{name: value})


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_architecture_is_one_of_its_family(name):
    architecture = ARCHITECTURES[name]
    family, settings = architecture.family, dict(architecture.settings)
    assert checked_settings(settings, family.kinds, {}, name) == settings
    assert family.anatomy(settings).least_parameters <= architecture.num_parameters


def test_changed_networks_are_refused(tmp_path):
    found = record(tmp_path, model_args={"img_size": 256, "global_pool": "avg"})
    assert found.preset_architecture == "resnet18"
    for changes in ({"act_layer": "gelu_tanh"}, {"block_args": {}}, ["act_layer"]):
        with pytest.raises(UsageError, match="changes the network by 'model_args'"):
            record(tmp_path, model_args=changes)


@pytest.mark.slow
@needs_kerashub
@pytest.mark.parametrize("name", [key for key, one in ARCHITECTURES.items() if one.converter])
def test_settings_are_those_that_kerashub_converts(name):
    architecture = ARCHITECTURES[name]
    converter = importlib.import_module(f"keras_hub.src.utils.timm.{architecture.converter}")
    # KerasHub takes affine blocks from the name of the weights; timm's networks up to B3 have them.
    tag = "" if name < "hgnetv2_b4" else "ssld_stage2_ft_in1k"
    theirs = converter.convert_backbone_config(
        {"architecture": name, "pretrained_cfg": {"tag": tag}}
    )
    assert {key: architecture.settings[key] for key in theirs} == theirs
