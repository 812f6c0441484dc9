"""Weights of transformers, held against KerasHub's converters; fitting does not need KerasHub."""

import importlib

import keras
import numpy as np
import pytest
from messages import parts
from preset_fits import fit_in_both_phases
from presets import needs_kerashub
from timm_files import safetensors_bytes
from transformers_files import MODELS, shapes, transformers_directory

from tfxfer.errors import WeightsError
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.presets.safetensors import TensorFile
from tfxfer.models.weights import load_backbone

pytestmark = pytest.mark.slow


class Tensors:
    """What KerasHub's converters read tensors with, which its own needs a package for."""

    def __init__(self, path):
        self.file = TensorFile(path)

    def port_weight(self, keras_variable, hf_weight_key, hook_fn=None):
        value = self.file.read(hf_weight_key, self.file.shape(hf_weight_key))
        value = hook_fn(value, list(keras_variable.shape)) if hook_fn else value
        keras_variable.assign(value)


@needs_kerashub
@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("larger", [False, True])
def test_tokens_are_those_of_kerashubs_converter(name, larger, tmp_path):
    config, _ = MODELS[name]
    is_vit = name == "vit"
    # KerasHub's converter of ViT takes names of a classifier only.
    prefix = "vit." if is_vit else ""
    folder = transformers_directory(tmp_path / "net", name, prefix)
    size = config["image_size"] + (28 if larger and not is_vit else 0)
    kind = "vit" if is_vit else "dinov2"
    converter = importlib.import_module(f"keras_hub.src.utils.transformers.convert_{kind}")
    settings = {"drop_path_rate": 0.0, **config}
    arguments = converter.convert_backbone_config(settings) | {"image_shape": (size, size, 3)}
    theirs = converter.backbone_cls(**arguments)
    converter.convert_weights(theirs, Tensors(folder / "model.safetensors"), settings)
    images = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype("float32")
    tokens = np.array(theirs(images if is_vit else {"images": images}))
    backbone = find_backbone(f"kerashub:{folder}")
    network = load_backbone(backbone, size)
    maps = np.array(network(images))
    np.testing.assert_allclose(maps[:, 0, 0, :16], tokens[:, 0], atol=1e-5)
    patches = tokens[:, 1 + config.get("num_register_tokens", 0) :]
    np.testing.assert_allclose(maps[..., 16:].reshape(patches.shape), patches, atol=1e-5)
    if not larger:
        assert network.count_params() == backbone.num_parameters


def test_tensors_are_found_with_the_prefix_of_a_larger_model(tmp_path):
    images = np.random.default_rng(0).normal(size=(1, 56, 56, 3)).astype("float32")
    found = []
    for prefix in ("", "dinov2."):
        folder = transformers_directory(tmp_path / f"net{prefix}", "dinov2")
        if prefix:
            file = TensorFile(folder / "model.safetensors")
            plain = shapes(MODELS["dinov2"][0])
            tensors = {f"{prefix}{name}": file.read(name, shape) for name, shape in plain.items()}
            (folder / "model.safetensors").write_bytes(safetensors_bytes(tensors))
        found.append(np.array(load_backbone(find_backbone(f"kerashub:{folder}"), 56)(images)))
    np.testing.assert_array_equal(*found)


def test_tensors_that_do_not_fit_are_named(tmp_path):
    folder = transformers_directory(tmp_path)
    plain = {name: np.zeros(shape, "float32") for name, shape in shapes(MODELS["vit"][0]).items()}
    plain["encoder.layer.1.output.dense.weight"] = np.zeros((16, 23), "float32")
    (folder / "model.safetensors").write_bytes(safetensors_bytes(plain))
    expected = "'encoder.layer.1.output.dense.weight' of shape (16, 24), the file has (16, 23)"
    with pytest.raises(WeightsError, match=parts(expected)):
        load_backbone(find_backbone(f"kerashub:{folder}"), 64)


def test_a_fit_runs_both_phases(pictures, tmp_path):
    import sys

    folder = transformers_directory(tmp_path / "net", "dinov2_with_registers")
    sys.modules["keras_hub"], before = None, sys.modules.get("keras_hub")
    try:
        result = fit_in_both_phases(folder, pictures, tmp_path)
    finally:
        del sys.modules["keras_hub"]
        sys.modules |= {"keras_hub": before} if before else {}
    assert keras.models.load_model(result.model).output_shape[-1] > 1
