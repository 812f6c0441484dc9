"""The networks of timm that are built here: what follows from their names."""

import keras
import pytest

from tfxfer.models.presets.plain.cspnet import timm_cspnet
from tfxfer.models.presets.plain.cspnets import CSPNETS, csp_architectures, csp_design_of
from tfxfer.models.presets.plain.efficientnet import timm_efficientnet
from tfxfer.models.presets.plain.efficientnets import (
    EFFICIENTNETS,
    design_of,
    efficientnet_architectures,
)


def anatomy(family, name):
    return family.anatomy({"architecture": name})


@pytest.mark.parametrize(
    ("name", "features", "last", "repeats", "paper"),
    [
        ("efficientnet_es", 1280, "block6", (1, 2, 4, 5, 4, 2), "2003.02838"),
        ("efficientnet_em", 1280, "block6", (2, 3, 5, 6, 5, 3), "2003.02838"),
        ("efficientnet_el", 1536, "block6", (2, 3, 6, 7, 6, 3), "2003.02838"),
        ("efficientnet_lite4", 1280, "block6", (1, 4, 4, 6, 6, 8, 1), "1905.11946"),
        ("efficientnet_b4", 1792, "block6", (2, 4, 4, 6, 6, 8, 2), "1905.11946"),
        ("efficientnetv2_rw_m", 2152, "block6", (3, 5, 5, 8, 15, 24), "2104.00298"),
        ("mobilenetv2_120d", 1280, "block6", (1, 3, 5, 6, 5, 5, 1), "1801.04381"),
    ],
)
def test_an_efficientnet_has_a_stage_for_each_group(name, features, last, repeats, paper):
    found = anatomy(EFFICIENTNETS, name)
    groups = [f"block{number}" for number in range(1, len(repeats) + 1)]
    assert [stage for stage, _ in found.stages] == ["stem", *groups, "top"]
    assert (found.num_features, found.last_resolution) == (features, last)
    assert paper in found.paper
    assert tuple(group.repeats for group in design_of(name).groups) == repeats


@pytest.mark.parametrize(
    ("name", "features", "depths", "paper"),
    [
        ("cspdarknet53", 1024, (1, 2, 8, 8, 4), "1911.11929"),
        ("darknet53", 1024, (1, 2, 8, 8, 4), "1804.02767"),
        ("cspresnet50", 1024, (3, 3, 5, 2), "1911.11929"),
        ("cs3darknet_x", 1280, (3, 7, 11, 3), "1911.11929"),
    ],
)
def test_a_cspnet_has_its_own_stages(name, features, depths, paper):
    found = anatomy(CSPNETS, name)
    stages = [f"stage{number}" for number in range(1, len(depths) + 1)]
    assert [stage for stage, _ in found.stages] == ["stem", *stages]
    assert (found.num_features, found.last_resolution) == (features, stages[-1])
    assert paper in found.paper
    assert tuple(stage.depth for stage in csp_design_of(name).stages) == depths


@pytest.mark.parametrize(
    ("build", "name"), [(timm_efficientnet, "efficientnet_es"), (timm_cspnet, "cs3darknet_s")]
)
def test_they_are_of_keras_own_layers_and_of_the_size_that_is_listed(build, name):
    entries = {one[0]: one[3] for one in (*efficientnet_architectures(), *csp_architectures())}
    network = build((32, 32, 3), "Net", (("architecture", name),))
    assert network.count_params() == entries[name]
    assert all(type(one).__module__.startswith("keras.") for one in network.operations)
    assert {one.epsilon for one in network.layers if _is_norm(one)} == {1e-5}
    assert network.name == "net"


def _is_norm(layer):
    return isinstance(layer, keras.layers.BatchNormalization)
