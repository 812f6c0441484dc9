"""The vision transformers of timm."""

import pytest

from tfxfer.models.presets.tokens.architectures import token_architectures
from tfxfer.models.presets.tokens.vision_transformer import dinov2, vit

ALL = {name: entry for name, *entry in token_architectures()}


def test_names_are_those_of_timm():
    assert len(ALL) == 26
    for name in (
        *("vit_tiny_patch16_224", "vit_base_patch32_384", "deit_small_patch16_224"),
        *("vit_small_patch14_dinov2", "vit_large_patch14_reg4_dinov2"),
    ):
        assert name in ALL
    assert "deit_tiny_distilled_patch16_224" not in ALL


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # Those of timm, less the class token, which is part of the first position, and less the
        # scales of branches, which are part of the layers before them.
        ("vit_tiny_patch16_224", 5_524_416 - 192),
        ("vit_small_patch14_dinov2", 22_056_192 - 384 - 2 * 12 * 384),
    ],
)
def test_parameters_are_counted_for_the_size_of_the_pretraining(name, parameters):
    assert ALL[name][2] == parameters


@pytest.mark.slow
def test_the_number_of_parameters_is_that_of_the_network():
    for name, size, build in (
        ("vit_tiny_patch16_224", 224, vit),
        ("vit_tiny_patch16_384", 384, vit),
        ("vit_small_patch14_reg4_dinov2", 518, dinov2),
    ):
        family, settings, parameters = ALL[name]
        network = build((size, size, 3), family.class_name, tuple(settings.items()))
        assert network.count_params() == parameters
