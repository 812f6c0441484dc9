"""Weights of timm in vision transformers, held against PyTorch; KerasHub is not needed."""

import sys

import numpy as np
import pytest
from messages import parts
from preset_fits import fit_in_both_phases
from timm_files import made_up, timm_directory
from timm_shapes import vit_shapes

from tfxfer.errors import WeightsError
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.weights import load_backbone

TINY = {name: made_up(name, shape) for name, shape in vit_shapes(192, 16, 577).items()}


@pytest.fixture(autouse=True)
def without_kerashub(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)


def loaded(folder, tensors, size=32, **changes):
    changes = {"architecture": "vit_tiny_patch16_384"} | changes
    backbone = find_backbone(f"kerashub:{timm_directory(folder, tensors, **changes)}")
    return load_backbone(backbone, size)


# Of two images of noise, from `forward_features` of timm 1.0.31 in PyTorch 2.14 on a CPU, after
# `set_input_size`: the first five channels of the class token and of the mean of the patch tokens.
PYTORCH = {
    "vit_tiny_patch16_384": (
        128,
        {"width": 192, "patch": 16, "positions": 577},
        [
            [0.390219, 0.724005, 1.417585, 0.515557, -0.953192],
            [-0.328302, 0.771183, 1.422619, 0.486608, -1.017713],
        ],
        [
            [-0.336427, 0.562415, 0.99661, 0.16487, -0.877555],
            [-0.725058, 0.196551, 1.142244, 0.33252, -1.126405],
        ],
    ),
    "vit_small_patch14_dinov2": (
        112,
        {"width": 384, "patch": 14, "positions": 1370, "scaled": True},
        [
            [0.945431, 2.244169, -0.750277, -1.238915, -1.408966],
            [0.016848, 1.144105, -0.724169, -0.883125, -1.81566],
        ],
        [
            [0.57563, 1.633215, -0.419976, -0.753778, -1.48341],
            [0.603305, 1.236242, -0.57693, -0.746448, -1.611062],
        ],
    ),
    # With its register tokens among the patches' mean, as timm gives them.
    "vit_small_patch14_reg4_dinov2": (
        112,
        {"width": 384, "patch": 14, "positions": 1369, "scaled": True, "registers": 4},
        [
            [1.019123, 2.357844, -0.69213, -1.280103, -1.428166],
            [0.169613, 1.214843, -0.7382, -1.02254, -1.772744],
        ],
        None,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PYTORCH))
def test_tokens_are_those_of_pytorch(name, tmp_path):
    size, shapes, first, mean = PYTORCH[name]
    tensors = {key: made_up(key, shape) for key, shape in vit_shapes(**shapes).items()}
    network = loaded(tmp_path, tensors, size, architecture=name)
    images = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype("float32")
    maps = np.array(network(images, training=False)).mean(axis=(1, 2))
    np.testing.assert_allclose(maps[:, :5], first, atol=1e-4)
    if mean:
        width = shapes["width"]
        np.testing.assert_allclose(maps[:, width : width + 5], mean, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "shape", "reason"),
    [
        ("blocks.11.attn.qkv.weight", None, "none of that name"),
        ("blocks.0.attn.qkv.weight", (192, 576), "has (192, 576)"),
        ("norm.bias", (1,), "has (1,)"),
        ("pos_embed", None, "none of that name"),
        ("pos_embed", (577, 192), "has (577, 192)"),
        ("pos_embed", (1, 13, 192), "12 positions are no square"),
    ],
)
def test_tensors_that_do_not_fit_are_named(name, shape, reason, tmp_path):
    tensors = dict(TINY)
    if shape is None:
        del tensors[name]
    else:
        tensors[name] = np.zeros(shape, "float32")
    with pytest.raises(WeightsError, match=parts(f"do not fit ... {reason}")):
        loaded(tmp_path, tensors)


@pytest.mark.slow
def test_a_fit_runs_both_phases(pictures, tmp_path):
    folder = timm_directory(tmp_path / "net", TINY, "vit_tiny_patch16_384")
    fit_in_both_phases(folder, pictures, tmp_path, unfreeze="block12")
