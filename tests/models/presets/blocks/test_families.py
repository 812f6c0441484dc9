"""MobileNetV3 and HGNetV2: what follows from their settings."""

import pytest
from presets import HGNETV2, MOBILENET

from tfxfer.models.presets.blocks import families


def mobilenet(**changes):
    return families.MOBILENET.anatomy({**families.MOBILENET.defaults, **MOBILENET, **changes})


def test_a_mobilenet_has_a_stage_for_each_group_of_blocks():
    found = mobilenet()
    assert [name for name, _ in found.stages] == ["stem", "block1", "block2", "top"]
    assert found.last_resolution == "block2"
    assert found.num_features == 48
    assert mobilenet(stackwise_num_strides=[[2, 1], [1, 1]]).last_resolution == "block1"
    assert mobilenet(stackwise_num_strides=[[1, 1], [1, 1]]).last_resolution == "stem"


@pytest.mark.parametrize(("asked", "given"), [(288, 288), (3, 8), (11, 16), (20, 24), (90, 88)])
def test_channels_are_rounded_as_in_kerashub(asked, given):
    assert families.rounded_channels(asked) == given


@pytest.mark.parametrize("name", ["stackwise_se_ratio", "stackwise_padding"])
def test_lists_of_other_lengths_are_refused(name):
    with pytest.raises(ValueError, match=f"'{name}' has other lengths"):
        mobilenet(**{name: [[1], [1, 1]]})


def test_an_hgnet_has_a_stage_for_each_row():
    found = families.HGNETV2.anatomy(HGNETV2)
    assert [name for name, _ in found.stages] == ["stem", "stage1", "stage2"]
    assert found.last_resolution == "stage2"
    assert found.num_features == 64


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"apply_downsample": [True]}, "differ"),
        ({"stem_channels": [3, 16]}, "three numbers"),
        ({"stackwise_stage_filters": [[16, 16, 32], [32, 16, 64]]}, "six numbers"),
        ({"stackwise_stage_filters": [[16, 16, 32, 999, 2, 3], [8] * 6]}, "999 blocks"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changes, reason):
    with pytest.raises(ValueError, match=reason):
        families.HGNETV2.anatomy(HGNETV2 | changes)
