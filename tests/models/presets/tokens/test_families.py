"""Vision transformers: what follows from their settings."""

import pytest
from presets import DINOV2, VIT

from tfxfer.models.presets.settings import checked_settings
from tfxfer.models.presets.tokens import families


def vit(**changes):
    return families.VIT.anatomy({**families.VIT.defaults, **VIT, **changes})


def test_each_block_is_a_stage():
    found = vit()
    assert [name for name, _ in found.stages] == ["stem", "block1", "block2", "block3", "block4"]
    assert (found.num_features, found.min_size) == (32, 16)
    assert found.least_parameters == 4 * (4 * 16**2 + 2 * 16 * 24)


@pytest.mark.parametrize(("blocks", "first"), [(1, 1), (3, 3), (4, 4), (12, 10), (24, 19)])
def test_the_last_quarter_of_the_blocks_counts_as_the_last_resolution(blocks, first):
    assert vit(num_layers=blocks).last_resolution == f"block{first}"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_heads": 3}, "3 heads"),
        ({"use_class_token": False}, "no class token"),
        ({"patch_size": [16, 8]}, "not square"),
        ({"patch_size": [16, 16, 16]}, "not square"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, reason):
    with pytest.raises(ValueError, match=reason):
        vit(**changes)


def test_the_giant_dinov2_is_refused():
    settings = {**families.DINOV2.defaults, **DINOV2}
    assert families.DINOV2.anatomy(settings).num_features == 32
    with pytest.raises(ValueError, match="SwiGLU"):
        families.DINOV2.anatomy({**settings, "use_swiglu_ffn": True})


@pytest.mark.parametrize("patch", [16, [16, 16]])
def test_patches_are_given_as_one_side_or_two(patch):
    found = checked_settings(
        VIT | {"patch_size": patch}, families.VIT.kinds, families.VIT.defaults, "it"
    )
    assert families.patch_size(found) == 16
