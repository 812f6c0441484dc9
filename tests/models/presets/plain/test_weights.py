"""Weights of timm in the networks that are built here, held against PyTorch."""

import functools
import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import timm_reference
from messages import parts
from preset_fits import fit_in_both_phases
from timm_files import made_up, timm_directory
from timm_shapes import csp_shapes, cspdarknet_shapes, edge_shapes, efficientnet_shapes

from tfxfer.errors import WeightsError
from tfxfer.models.backbones.efficientnet import efficientnet
from tfxfer.models.backbones.efficientnet_design import Design, Group
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.presets.plain.cspnet import cspnet
from tfxfer.models.presets.plain.cspnets import CspDesign, Stage, csp_architectures
from tfxfer.models.presets.plain.efficientnets import efficientnet_architectures
from tfxfer.models.presets.plain.weights import load_plain_weights
from tfxfer.models.weights import load_backbone

# Every kind of block, with and without a shortcut, at both strides.
EFFICIENTNET = Design(
    (
        Group(3, 2, 16, 4, 1, "fused", expanded=16, is_residual=False),
        Group(3, 2, 16, 1, 1, "plain"),
        Group(3, 2, 24, 2, 2, "fused"),
        Group(5, 2, 32, 3, 2, squeeze=0.25),
        Group(3, 2, 32, 1, 2, squeeze=0.25),
    ),
    stem=8,
    top=48,
    activation="silu",
)
CSPNETS = {
    "cross": CspDesign(
        (
            Stage(2, 16, 1, expansion=2.0, share=1.0, bottleneck=0.5, is_linear=True),
            Stage(1, 32, 2, share=0.5, bottleneck=0.5, is_linear=True),
        ),
        stem=(8, 16),
        stem_stride=2,
        is_pooled=True,
        has_bottlenecks=True,
    ),
    "grown": CspDesign(
        (
            Stage(1, 16, expansion=2.0, share=1.0, bottleneck=0.5, grows=True),
            Stage(2, 32, grows=True),
        ),
        stem=(8,),
    ),
    "short": CspDesign(
        (Stage(1, 16, kind="short"), Stage(2, 32, kind="short")),
        stem=(8,),
        stem_kernel=6,
        stem_stride=2,
        activation="silu",
    ),
    "whole": CspDesign(
        tuple(
            Stage(depth, channels, kind="whole", share=1.0, bottleneck=0.5)
            for depth, channels in ((1, 16), (2, 32))
        ),
        stem=(8,),
    ),
}

SHAPES = {
    "efficientnet": efficientnet_shapes(
        8,
        48,
        (
            ("er", 3, 2, 16, 64, 64, False),
            ("cn", 3, 2, 16, None, None, False),
            ("er", 3, 2, 24, 32, 48, False),
            ("ir", 5, 2, 32, 72, 96, True),
            ("ds", 3, 2, 32, 32, 32, True),
        ),
    ),
    "cross": csp_shapes(
        ((8, 3), (16, 3)),
        ((None, 32, 2, 8, 16, (1, 3, 1), True, 16), (16, 32, 1, 8, 16, (1, 3, 1), True, 32)),
    ),
    "grown": csp_shapes(
        ((8, 3),), ((16, 32, 1, 8, 16, (1, 3), True, 16), (32, 32, 2, 16, 16, (1, 3), True, 32))
    ),
    "short": csp_shapes(
        ((8, 6),), ((8, 16, 1, 8, 8, (1, 3), False, 16), (16, 32, 2, 16, 16, (1, 3), False, 32))
    ),
    "whole": csp_shapes(
        ((8, 3),),
        ((16, None, 1, 8, 16, (1, 3), False, 16), (32, None, 2, 16, 32, (1, 3), False, 32)),
    ),
    "efficientnet_es": edge_shapes(),
    "cspdarknet53": cspdarknet_shapes(),
}

# Of two images of noise: side of the maps, the first pooled features and the standard deviation of
# all, from `forward_features` of these networks of timm 1.0.31 in PyTorch 2.14 on a CPU. The small
# ones are its `EfficientNet` and `CspNet` of these settings, at 33 pixels.
PYTORCH = {
    "efficientnet": (
        3,
        ([0.0241415, 0.1755430, 0.0556035, -0.0554921], 0.1467469),
        ([0.0198799, 0.1856553, 0.0525991, -0.0542543], 0.1489667),
    ),
    "cross": (
        5,
        ([0.0908994, -0.0032994, 0.2928129, 0.1717948], 0.2082299),
        ([0.1407152, -0.0021750, 0.2588300, 0.1863447], 0.2046821),
    ),
    "grown": (
        9,
        ([0.0165945, -0.0036605, -0.0048553, 0.0578832], 0.2059579),
        ([0.0192574, -0.0035399, -0.0050080, 0.0567466], 0.2096353),
    ),
    "short": (
        4,
        ([-0.0431931, -0.1276946, -0.0250669, 0.0638644], 0.0883013),
        ([-0.0490464, -0.1310095, -0.0105504, 0.0760322], 0.0893017),
    ),
    "whole": (
        9,
        ([0.2633264, 0.8808522, 1.0507920, 0.1025167], 0.6206550),
        ([0.2567392, 0.7853378, 1.1561723, 0.0563014], 0.6326220),
    ),
    "efficientnet_es": (
        2,
        ([0.0628024, 0.4104180, 0.7697788, 0.1599424], 0.6700914),
        ([0.0, 0.6316661, 0.5567421, 0.1151626], 0.6014835),
    ),
    "cspdarknet53": (
        2,
        ([1.0700191, -0.0803536, 1.0390654, 2.7873230], 1.8576422),
        ([1.1071582, -0.0800488, 1.0762299, 2.7740080], 1.8570572),
    ),
}


@functools.cache
def tensors_of(name):
    return {key: made_up(key, shape) for key, shape in SHAPES[name].items()}


def small_network(name, folder, tensors):
    """Returns one of the small networks, with tensors of timm."""
    if name in CSPNETS:
        architecture, network = "cspdarknet53", cspnet((33, 33, 3), CSPNETS[name], name)
    else:
        architecture, network = "efficientnet_es", efficientnet((33, 33, 3), EFFICIENTNET, name)
    backbone = find_backbone(f"kerashub:{timm_directory(folder, tensors, architecture)}")
    load_plain_weights(network, backbone, folder / "model.safetensors")
    return network


def assert_features_of_pytorch(network, name, size):
    images = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype("float32")
    found = np.array(network(images))
    side, *expected = PYTORCH[name]
    assert found.shape[1:3] == (side, side)
    pooled = found.mean(axis=(1, 2))
    first, spread = zip(*expected, strict=True)
    np.testing.assert_allclose(pooled[:, :4], first, atol=1e-6, rtol=2e-6)
    np.testing.assert_allclose(pooled.std(axis=1), spread, rtol=2e-6)


@pytest.mark.parametrize("name", ["efficientnet", *CSPNETS])
def test_small_networks_compute_what_timm_computes_at_an_odd_size(name, tmp_path):
    classifier = {
        "classifier.weight": np.zeros((9, 48), "float32"),
        "head.fc.bias": np.zeros(9, "float32"),
    }
    network = small_network(name, tmp_path, tensors_of(name) | classifier)
    assert_features_of_pytorch(network, name, 33)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientnet_es", "cspdarknet53"])
def test_features_are_those_of_pytorch(name, tmp_path):
    folder = timm_directory(tmp_path, tensors_of(name), architecture=name)
    backbone = find_backbone(f"kerashub:{folder}")
    network = load_backbone(backbone, 64)
    assert_features_of_pytorch(network, name, 64)
    assert network.count_params() == backbone.num_parameters
    assert network.output_shape[-1] == backbone.num_features


@pytest.mark.parametrize(
    ("name", "tensor", "change", "reason"),
    [
        ("efficientnet", "blocks.3.1.se.conv_reduce.bias", None, "has none of that name"),
        ("efficientnet", "blocks.4.0.conv_dw.weight", (1, 32, 3, 3), "the file has (1, 32, 3, 3)"),
        ("efficientnet", "bn2.running_var", (48, 1), "the file has (48, 1)"),
        ("short", "stages.1.blocks.1.conv2.bn.running_mean", None, "has none of that name"),
    ],
)
def test_tensors_that_do_not_fit_are_named(name, tensor, change, reason, tmp_path):
    tensors = dict(tensors_of(name))
    found = tensors.pop(tensor)
    if change is not None:
        tensors[tensor] = found.reshape(change)
    with pytest.raises(WeightsError, match=parts(f"do not fit ... '{tensor}' ... {reason}")):
        small_network(name, tmp_path, tensors)


def test_the_weights_of_a_deeper_network_are_refused(tmp_path):
    # All that the network needs is there.
    more = {"blocks.2.2.conv_exp.weight": np.zeros((48, 24, 3, 3), "float32")}
    tensors = tensors_of("efficientnet") | more
    with pytest.raises(
        WeightsError, match=parts("do not fit ... 'blocks.2.2.conv_exp.weight' ... no layer")
    ):
        small_network("efficientnet", tmp_path, tensors)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "stage"), [("efficientnet_es", "block6"), ("cspdarknet53", "stage5")]
)
def test_a_fit_runs_both_phases(name, stage, pictures, tmp_path):
    folder = timm_directory(tmp_path / "net", tensors_of(name), architecture=name)
    fit_in_both_phases(folder, pictures, tmp_path, batch_norm="frozen", unfreeze=stage)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="needs pip install timm")
@pytest.mark.parametrize(
    "name", [one[0] for one in (*efficientnet_architectures(), *csp_architectures())]
)
def test_each_network_computes_what_timm_computes(name, tmp_path):
    command = [sys.executable, timm_reference.__file__, name, str(tmp_path)]
    subprocess.run(command, check=True)
    backbone = find_backbone(f"kerashub:{tmp_path}")
    for size in timm_reference.SIZES:
        network = load_backbone(backbone, size)
        found = np.array(network(timm_reference.noise(size)))
        expected = np.load(tmp_path / f"{size}.npy")
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5 * np.abs(expected).max())
    assert network.count_params() == backbone.num_parameters
    assert network.output_shape[-1] == backbone.num_features
