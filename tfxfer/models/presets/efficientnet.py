"""EfficientNet of KerasHub: B0 to B5 and Lite0, whose blocks are made of Keras' own layers."""

import math

from tfxfer.models.backbones.backbone import numbered
from tfxfer.models.presets.family import (
    MOST_BLOCKS,
    MOST_CHANNELS,
    Anatomy,
    Family,
    Settings,
    check_lengths,
    last_stride,
)
from tfxfer.models.presets.settings import (
    FLAG,
    each,
    fraction,
    number,
    one_of,
    optional,
    whole_number,
    whole_numbers,
)

_ACTIVATIONS = ("swish", "silu", "relu", "relu6", "gelu", "hard_swish", "hard_silu")

_LISTS = (
    "stackwise_kernel_sizes",
    "stackwise_num_repeats",
    "stackwise_input_filters",
    "stackwise_output_filters",
    "stackwise_expansion_ratios",
    "stackwise_squeeze_and_excite_ratios",
    "stackwise_strides",
    "stackwise_block_types",
    "stackwise_width_coefficients",
    "stackwise_depth_coefficients",
)


def _efficientnet(settings: Settings) -> Anatomy:
    lists = tuple(settings[name] for name in _LISTS)
    check_lengths(lists)
    if len(settings["stackwise_force_input_filters"]) < len(lists[0]):
        raise ValueError("there are too few 'stackwise_force_input_filters'")
    least = 0
    for _, repeats, inner, outer, ratio, squeeze, _, _, width, depth in zip(*lists, strict=True):
        inner, outer = (_rounded(channels, width, settings) for channels in (inner, outer))
        number = math.ceil(depth * repeats)
        if number > MOST_BLOCKS:
            raise ValueError(f"a stage has {number} blocks")
        for channels, times in ((inner, 1), (outer, number - 1)):
            # Without the expansion, which the first block lacks if its ratio is 1.
            least += times * channels * ratio * (outer + 2 * int(channels * squeeze))
    width = settings["stackwise_width_coefficients"][-1]
    num_features = _rounded(settings["num_features"], width, settings)
    return Anatomy(
        stages=(
            ("stem", "stem_activation"),
            *numbered(r"block#\D.*", 1, len(lists[0]), "block#"),
            ("top", "top_activation"),
        ),
        last_resolution=f"block{last_stride(settings['stackwise_strides']) + 1}",
        num_features=num_features,
        least_parameters=least + outer * num_features,
        paper="Tan and Le 2019, arXiv:1905.11946",
    )


def _rounded(channels: int, width: float, settings: Settings) -> int:
    """Returns the channels of a layer, as KerasHub rounds them."""
    unit = settings["depth_divisor"]
    least = unit if settings["use_depth_divisor_as_min_depth"] else settings["min_depth"]
    if least is None:
        raise ValueError("'min_depth' is missing")
    wanted = channels * width
    rounded = int(max(least, int(wanted + unit / 2) // unit * unit))
    is_capped = settings["cap_round_filter_decrease"] and rounded < 0.9 * wanted
    return rounded + unit if is_capped else rounded


EFFICIENTNET = Family(
    class_name="EfficientNetBackbone",
    presets="efficientnet/efficientnet_presets.py",
    kinds={
        "stackwise_kernel_sizes": whole_numbers(31),
        "stackwise_num_repeats": whole_numbers(MOST_BLOCKS),
        "stackwise_input_filters": whole_numbers(MOST_CHANNELS),
        "stackwise_output_filters": whole_numbers(MOST_CHANNELS),
        "stackwise_expansion_ratios": whole_numbers(32),
        "stackwise_squeeze_and_excite_ratios": each(number(0, 1)),
        "stackwise_strides": whole_numbers(8),
        # Others, as of EfficientNetV2, have layers of KerasHub's own.
        "stackwise_block_types": each(one_of("v1")),
        "stackwise_width_coefficients": each(number(0, 16)),
        "stackwise_depth_coefficients": each(number(0, 16)),
        "stackwise_force_input_filters": each(number(0, 0)),
        "dropout": number(0, 0.99),
        "depth_divisor": whole_number(64),
        "min_depth": optional(whole_number(MOST_CHANNELS)),
        "activation": one_of(*_ACTIVATIONS),
        "include_stem_padding": FLAG,
        "use_depth_divisor_as_min_depth": FLAG,
        "cap_round_filter_decrease": FLAG,
        "stem_conv_padding": one_of("valid", "same"),
        "batch_norm_momentum": fraction(),
        "batch_norm_epsilon": fraction(),
        "projection_activation": optional(one_of(*_ACTIVATIONS)),
        "num_features": whole_number(MOST_CHANNELS),
    },
    defaults={
        "stackwise_force_input_filters": [0] * 16,
        "dropout": 0.2,
        "depth_divisor": 8,
        "min_depth": 8,
        "activation": "swish",
        "include_stem_padding": True,
        "use_depth_divisor_as_min_depth": False,
        "cap_round_filter_decrease": False,
        "stem_conv_padding": "valid",
        "batch_norm_momentum": 0.9,
        "batch_norm_epsilon": 1e-5,
        "projection_activation": None,
        "num_features": 1280,
    },
    anatomy=_efficientnet,
    batch_norm=True,
    input_name="input_shape",
)
