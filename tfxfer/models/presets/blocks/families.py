"""MobileNetV3 and HGNetV2 of KerasHub."""

import itertools

from tfxfer.models.backbones.backbone import numbered
from tfxfer.models.backbones.efficientnet_design import rounded_channels
from tfxfer.models.presets.family import (
    MOST_BLOCKS,
    MOST_CHANNELS,
    Anatomy,
    Family,
    Settings,
    check_lengths,
)
from tfxfer.models.presets.settings import (
    FLAG,
    each,
    number,
    one_of,
    optional,
    whole_number,
    whole_numbers,
)

BUILDER = ("tfxfer.models.presets.blocks.opening", "opened_network")

_ACTIVATIONS = one_of("relu", "relu6", "hard_swish", "swish", "silu", "gelu")

_MOBILENET_LISTS = (
    "stackwise_expansion",
    "stackwise_num_filters",
    "stackwise_kernel_size",
    "stackwise_num_strides",
    "stackwise_se_ratio",
    "stackwise_activation",
    "stackwise_padding",
)


def _mobilenet(settings: Settings) -> Anatomy:
    numbers = settings["stackwise_num_blocks"]
    for name in _MOBILENET_LISTS:
        if [len(row) for row in settings[name]] != numbers:
            raise ValueError(f"'{name}' has other lengths than 'stackwise_num_blocks'")
    channels = settings["depthwise_filters"]
    least = 0
    expansions, filters_of_all = (
        itertools.chain.from_iterable(settings[name])
        for name in ("stackwise_expansion", "stackwise_num_filters")
    )
    for expanded, filters in zip(expansions, filters_of_all, strict=True):
        rounded = rounded_channels(filters)
        least += expanded * (channels + rounded)
        channels = rounded
    last = rounded_channels(settings["last_layer_filter"])
    lowering = [
        place
        for place, strides in enumerate(settings["stackwise_num_strides"], start=1)
        if max(strides) > 1
    ]
    return Anatomy(
        stages=(
            ("stem", r"block_0_.*"),
            *numbered("block_#_.*", 1, len(numbers), "block#"),
            ("top", rf"block_{len(numbers) + 1}_.*"),
        ),
        last_resolution=f"block{lowering[-1]}" if lowering else "stem",
        num_features=last,
        least_parameters=least + channels * last,
        paper="Howard et al. 2019, arXiv:1905.02244",
    )


MOBILENET = Family(
    class_name="MobileNetBackbone",
    presets="mobilenet/mobilenet_presets.py",
    kinds={
        "stackwise_num_blocks": whole_numbers(MOST_BLOCKS),
        "stackwise_expansion": each(whole_numbers(MOST_CHANNELS)),
        "stackwise_num_filters": each(whole_numbers(MOST_CHANNELS)),
        "stackwise_kernel_size": each(whole_numbers(31)),
        "stackwise_num_strides": each(whole_numbers(8)),
        "stackwise_se_ratio": each(each(optional(number(0, 1)))),
        "stackwise_activation": each(each(_ACTIVATIONS)),
        "stackwise_padding": each(each(number(0, 15))),
        "output_num_filters": optional(whole_number(MOST_CHANNELS)),
        "depthwise_filters": whole_number(MOST_CHANNELS),
        "depthwise_stride": whole_number(8),
        "depthwise_residual": FLAG,
        "last_layer_filter": whole_number(MOST_CHANNELS),
        "squeeze_and_excite": optional(number(0, 1)),
        "input_activation": _ACTIVATIONS,
        "output_activation": _ACTIVATIONS,
        "input_num_filters": whole_number(MOST_CHANNELS),
    },
    defaults={
        "squeeze_and_excite": None,
        "input_activation": "hard_swish",
        "output_activation": "hard_swish",
        "input_num_filters": 16,
    },
    anatomy=_mobilenet,
    batch_norm=True,
    builder=BUILDER,
)


def _hgnet(settings: Settings) -> Anatomy:
    rows = settings["stackwise_stage_filters"]
    lowers, lights = settings["apply_downsample"], settings["use_lightweight_conv_block"]
    check_lengths((rows, lowers, lights))
    if len(settings["stem_channels"]) != 3:
        raise ValueError("the stem has three numbers of channels")
    least = 0
    for row, light in zip(rows, lights, strict=True):
        if len(row) != 6:
            raise ValueError("a row of 'stackwise_stage_filters' has six numbers")
        inner, middle, outer, blocks, layers, side = row
        if max(blocks, layers) > MOST_BLOCKS:
            raise ValueError(f"a stage has {max(blocks, layers)} blocks or layers")
        area = 1 if light else side**2
        for channels in (inner, *[outer] * (blocks - 1)):
            least += area * middle * (channels + (layers - 1) * middle)
            least += (channels + layers * middle) * (outer // 2) + (outer // 2) * outer
    return Anatomy(
        stages=(
            ("stem", "embedder_.*"),
            *((f"stage{place + 1}", f"encoder_stage_{place}_.*") for place in range(len(rows))),
        ),
        last_resolution=f"stage{max((i for i, low in enumerate(lowers, 1) if low), default=1)}",
        num_features=rows[-1][2],
        least_parameters=least,
        paper="PaddleClas 2022, after Ning et al. 2021, arXiv:2109.15099 (PP-LCNet), and "
        "Zhao et al. 2023, arXiv:2304.08069",
    )


HGNETV2 = Family(
    class_name="HGNetV2Backbone",
    presets="hgnetv2/hgnetv2_presets.py",
    kinds={
        "depths": whole_numbers(MOST_BLOCKS),
        "embedding_size": whole_number(MOST_CHANNELS),
        "hidden_sizes": whole_numbers(MOST_CHANNELS),
        "stem_channels": whole_numbers(MOST_CHANNELS),
        "hidden_act": one_of("relu", "gelu"),
        "use_learnable_affine_block": FLAG,
        "stackwise_stage_filters": each(whole_numbers(MOST_CHANNELS)),
        "apply_downsample": each(FLAG),
        "use_lightweight_conv_block": each(FLAG),
    },
    anatomy=_hgnet,
    batch_norm=True,
    builder=BUILDER,
)
