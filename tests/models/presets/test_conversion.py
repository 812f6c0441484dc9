"""Weights of timm in networks of Keras, held against PyTorch."""

import numpy as np
import pytest
from messages import parts
from preset_fits import fit_in_both_phases
from presets import needs_kerashub
from timm_files import made_up, timm_directory
from timm_shapes import hgnet_shapes, mobilenet_shapes, resnet18_shapes

from tfxfer.errors import WeightsError
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.weights import load_backbone

pytestmark = [pytest.mark.slow, needs_kerashub]

RESNET18 = {name: made_up(name, shape) for name, shape in resnet18_shapes().items()}


def loaded(folder, tensors, **changes):
    backbone = find_backbone(f"kerashub:{timm_directory(folder, tensors, **changes)}")
    return load_backbone(backbone, 64)


# Of two images of noise: the first five pooled features and the standard deviation of all, from
# `timm.create_model(NAME).forward_features` of timm 1.0.31 in PyTorch 2.14 on a CPU.
PYTORCH = {
    "resnet18": [
        ([0.27130, 0.35438, 2.14891, 3.84523, 0.85938], 1.5883232),
        ([0.24324, 0.77172, 2.11132, 4.58845, 0.78829], 1.5202129),
    ],
    "mobilenetv3_small_050": [
        ([-0.1139953, 0.0772491, 0.0522685, 0.2199089, 0.1340571], 0.1390151),
        ([-0.1149460, 0.0762807, 0.0520574, 0.2200091, 0.1314997], 0.1387200),
    ],
    # Nearly the same for both images: made-up affine blocks add much and let little through.
    "hgnetv2_b0": [
        ([-0.1200305, 0.0901378, -0.1834260, -0.1883751, -0.1831887], 0.1112807),
        ([-0.1197899, 0.0900142, -0.1835058, -0.1883751, -0.1831821], 0.1112615),
    ],
}

SHAPES = {
    "resnet18": resnet18_shapes() | {"fc.weight": (1000, 512), "fc.bias": (1000,)},
    "mobilenetv3_small_050": mobilenet_shapes(),
    "hgnetv2_b0": hgnet_shapes(),
}


@pytest.mark.parametrize("name", PYTORCH)
def test_features_are_those_of_pytorch(name, tmp_path, capsys):
    tensors = {key: made_up(key, shape) for key, shape in SHAPES[name].items()}
    network = loaded(tmp_path, tensors, architecture=name)
    images = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")
    found = np.array(network(images)).mean(axis=(1, 2))
    first, spread = zip(*PYTORCH[name], strict=True)
    atol = 1e-4 if name == "resnet18" else 1e-6
    np.testing.assert_allclose(found[:, :5], first, atol=atol)
    np.testing.assert_allclose(found.std(axis=1), spread, atol=atol)
    backbone = find_backbone(f"kerashub:{tmp_path}")
    assert network.count_params() == backbone.num_parameters
    assert network.output_shape[-1] == backbone.num_features
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "shape", "reason"),
    [
        ("layer4.0.conv1.weight", None, "is missing"),
        ("layer4.0.conv1.weight", (512, 256, 3, 2), "in the file (512, 256, 3, 2)"),
        ("layer4.0.conv1.weight", (3, 3, 256, 512), "in the file (3, 3, 256, 512)"),
        ("layer4.0.conv1.weight", (512 * 256 * 9,), "in the file (1179648,)"),
        ("bn1.running_var", (64, 1), "in the file (64, 1)"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, name, shape, reason):
    tensors = dict(RESNET18)
    if shape is None:
        del tensors[name]
    else:
        tensors[name] = np.zeros(shape, "float32")
    with pytest.raises(WeightsError, match=parts(f"do not fit ... '{name}' ... {reason}")):
        loaded(tmp_path, tensors)


def test_weights_of_another_architecture_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="do not fit"):
        loaded(tmp_path / "a", RESNET18, architecture="resnet50")
    with pytest.raises(WeightsError, match="do not fit"):
        loaded(tmp_path / "b", RESNET18, architecture="efficientnet_b0")


def test_weights_that_are_missing_are_named(tmp_path):
    with pytest.raises(WeightsError, match=parts("has no weights ... model.safetensors")):
        loaded(tmp_path, None)


def test_a_fit_runs_both_phases(pictures, tmp_path):
    folder = timm_directory(tmp_path / "net", RESNET18)
    fit_in_both_phases(folder, pictures, tmp_path, batch_norm="frozen", unfreeze="stack3")
