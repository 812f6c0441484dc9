"""EfficientNet: what follows from its settings."""

import pytest
from presets import EFFICIENTNET

from tfxfer.models.presets.efficientnet import EFFICIENTNET as FAMILY
from tfxfer.models.presets.settings import checked_settings


def anatomy(**changes):
    return FAMILY.anatomy({**FAMILY.defaults, **EFFICIENTNET, **changes})


def test_it_has_a_stage_for_each_group_of_blocks():
    found = anatomy()
    names = ["stem", "block1", "block2", "block3", "block4", "top"]
    assert [name for name, _ in found.stages] == names
    assert found.last_resolution == "block4"
    assert found.num_features == 1408


@pytest.mark.parametrize(
    ("width", "capped", "expected"),
    [(1.0, True, 1280), (1.1, True, 1408), (1.2, False, 1536), (0.001, True, 8)],
)
def test_channels_are_rounded_as_in_kerashub(width, capped, expected):
    coefficients = [1.0, 1.0, 1.0, width]
    found = anatomy(stackwise_width_coefficients=coefficients, cap_round_filter_decrease=capped)
    assert found.num_features == expected


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stackwise_strides": [1, 2]}, "differ"),
        ({"stackwise_force_input_filters": [0]}, "too few"),
        ({"stackwise_depth_coefficients": [1.0, 1.0, 1.0, 300.0]}, "300 blocks"),
        ({"use_depth_divisor_as_min_depth": False, "min_depth": None}, "min_depth"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changes, reason):
    with pytest.raises(ValueError, match=reason):
        anatomy(**changes)


def test_blocks_with_layers_of_kerashub_are_refused():
    found = EFFICIENTNET | {"stackwise_block_types": ["fused"] * 4}
    with pytest.raises(Exception, match="'stackwise_block_types'; it must be a list .* v1"):
        checked_settings(found, FAMILY.kinds, FAMILY.defaults, "it")
