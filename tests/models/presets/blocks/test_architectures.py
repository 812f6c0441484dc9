"""Networks of timm whose blocks are opened."""

from tfxfer.models.presets.blocks.architectures import block_architectures

NETWORKS = {name: (family, settings) for name, family, _, settings, _ in block_architectures()}


def test_the_depth_and_the_features_are_those_of_the_papers():
    blocks = {
        name: sum(settings["stackwise_num_blocks"])
        for name, (_, settings) in NETWORKS.items()
        if name.startswith("mobilenet")
    }
    # Without the first, which has no expansion: tables 1 and 2 of arXiv:1905.02244.
    assert blocks == {
        "mobilenetv3_small_050": 10,
        "mobilenetv3_small_100": 10,
        "mobilenetv3_large_100": 14,
    }
    features = {name: family.anatomy(own).num_features for name, (family, own) in NETWORKS.items()}
    assert features["mobilenetv3_small_100"] == 576
    assert features["mobilenetv3_large_100"] == 960
    assert features["hgnetv2_b0"] == 1_024
    assert features["hgnetv2_b6"] == 2_048


def test_the_smaller_hgnets_have_affine_blocks():
    affine = [
        name
        for name, (_, settings) in NETWORKS.items()
        if settings.get("use_learnable_affine_block")
    ]
    assert affine == ["hgnetv2_b0", "hgnetv2_b1", "hgnetv2_b2", "hgnetv2_b3"]
