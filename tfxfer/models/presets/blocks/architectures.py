"""The MobileNetV3 and HGNetV2 of timm: their names, settings and sizes."""

from collections.abc import Iterator, Mapping
from typing import Any

from tfxfer.models.presets.blocks.families import HGNETV2, MOBILENET
from tfxfer.models.presets.family import Family

# Name, family, KerasHub's module that knows the names of its tensors, settings, parameters.
Entry = tuple[str, Family, str, Mapping[str, Any], int]

# Tables 1 and 2 of Howard et al. (2019, arXiv:1905.02244), stage by stage. The first block, which
# has no expansion, and the last convolution are settings of their own.
_SMALL = {
    "stackwise_num_blocks": [2, 3, 2, 3],
    "stackwise_expansion": [[72, 88], [96, 240, 240], [120, 144], [288, 576, 576]],
    "stackwise_num_filters": [[24, 24], [40] * 3, [48] * 2, [96] * 3],
    "stackwise_kernel_size": [[3, 3], [5] * 3, [5] * 2, [5] * 3],
    "stackwise_num_strides": [[2, 1], [2, 1, 1], [1, 1], [2, 1, 1]],
    "stackwise_se_ratio": [[None] * 2, [0.25] * 3, [0.25] * 2, [0.25] * 3],
    "stackwise_activation": [["relu"] * 2, *(["hard_swish"] * count for count in (3, 2, 3))],
    "stackwise_padding": [[1, 1], [2] * 3, [2] * 2, [2] * 3],
    "depthwise_filters": 16,
    "depthwise_stride": 2,
    "depthwise_residual": False,
    "squeeze_and_excite": 0.5,
    "last_layer_filter": 576,
}

_HALF = {
    "stackwise_expansion": [[40, 56], [64, 144, 144], [72, 72], [144, 288, 288]],
    "stackwise_num_filters": [[16, 16], [24] * 3, [24] * 2, [48] * 3],
    "depthwise_filters": 8,
    "last_layer_filter": 288,
}

_LARGE = {
    "stackwise_num_blocks": [2, 3, 4, 2, 3],
    "stackwise_expansion": [
        [64, 72],
        [72, 120, 120],
        [240, 200, 184, 184],
        [480, 672],
        [672, 960, 960],
    ],
    "stackwise_num_filters": [[24] * 2, [40] * 3, [80] * 4, [112] * 2, [160] * 3],
    "stackwise_kernel_size": [[3] * 2, [5] * 3, [3] * 4, [3] * 2, [5] * 3],
    "stackwise_num_strides": [[2, 1], [2, 1, 1], [2, 1, 1, 1], [1, 1], [2, 1, 1]],
    "stackwise_se_ratio": [[None] * 2, [0.25] * 3, [None] * 4, [0.25] * 2, [0.25] * 3],
    "stackwise_activation": [
        ["relu"] * 2,
        ["relu"] * 3,
        *(["hard_swish"] * count for count in (4, 2, 3)),
    ],
    "stackwise_padding": [[1] * 2, [2] * 3, [1] * 4, [1] * 2, [2] * 3],
    "depthwise_filters": 16,
    "depthwise_stride": 1,
    "depthwise_residual": True,
    "squeeze_and_excite": None,
    "last_layer_filter": 960,
}

# Of the head, which the backbone does not have.
_OUTPUT = {"output_num_filters": 1024}


# Channels of the stem; input, middle and output channels of each stage; its blocks; layers of a
# block; parameters.
_HGNETS = {
    "hgnetv2_b0": (
        [3, 16, 16],
        [[16, 16, 64], [64, 32, 256], [256, 64, 512], [512, 128, 1024]],
        [1, 1, 2, 1],
        3,
        1_871_680,
    ),
    "hgnetv2_b1": (
        [3, 24, 32],
        [[32, 32, 64], [64, 48, 256], [256, 96, 512], [512, 192, 1024]],
        [1, 1, 2, 1],
        3,
        2_221_152,
    ),
    "hgnetv2_b2": (
        [3, 24, 32],
        [[32, 32, 96], [96, 64, 384], [384, 128, 768], [768, 256, 1536]],
        [1, 1, 3, 1],
        4,
        6_072_320,
    ),
    "hgnetv2_b3": (
        [3, 24, 32],
        [[32, 32, 128], [128, 64, 512], [512, 128, 1024], [1024, 256, 2048]],
        [1, 1, 3, 1],
        5,
        10_108_288,
    ),
    "hgnetv2_b4": (
        [3, 32, 48],
        [[48, 48, 128], [128, 96, 512], [512, 192, 1024], [1024, 384, 2048]],
        [1, 1, 3, 1],
        6,
        13_599_072,
    ),
    "hgnetv2_b5": (
        [3, 32, 64],
        [[64, 64, 128], [128, 128, 512], [512, 256, 1024], [1024, 512, 2048]],
        [1, 2, 5, 2],
        6,
        33_419_680,
    ),
    "hgnetv2_b6": (
        [3, 48, 96],
        [[96, 96, 192], [192, 192, 512], [512, 384, 1024], [1024, 768, 2048]],
        [2, 3, 6, 3],
        6,
        69_179_888,
    ),
}


def block_architectures() -> Iterator[Entry]:
    """Yields the networks."""
    for name, settings, number in (
        ("mobilenetv3_small_050", _SMALL | _HALF, 278_784),
        ("mobilenetv3_small_100", _SMALL, 939_120),
        ("mobilenetv3_large_100", _LARGE, 2_996_352),
    ):
        yield (
            name,
            MOBILENET,
            "convert_mobilenet",
            {**MOBILENET.defaults, **_OUTPUT, **settings},
            number,
        )
    for name, (stem, channels, blocks, layers, number) in _HGNETS.items():
        yield (
            name,
            HGNETV2,
            "convert_hgnetv2",
            _hgnet(stem, channels, blocks, layers, affine=name[-1] < "4"),
            number,
        )


def _hgnet(
    stem: list[int], channels: list[list[int]], blocks: list[int], layers: int, *, affine: bool
) -> dict[str, Any]:
    """Returns the settings of an HGNetV2.

    Args:
        stem: Channels of its stem.
        channels: Input, middle and output channels of each stage.
        blocks: Blocks of each stage.
        layers: Layers of a block.
        affine: Whether learnable affine blocks follow activations.
    """
    return {
        "depths": blocks,
        "embedding_size": stem[-1],
        "hidden_sizes": [row[2] for row in channels],
        "stem_channels": stem,
        "hidden_act": "relu",
        "use_learnable_affine_block": affine,
        "stackwise_stage_filters": [
            [*row, count, layers, 3 if place < 2 else 5]
            for place, (row, count) in enumerate(zip(channels, blocks, strict=True))
        ],
        "apply_downsample": [False, True, True, True],
        "use_lightweight_conv_block": [False, False, True, True],
    }
