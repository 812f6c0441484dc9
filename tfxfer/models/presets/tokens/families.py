"""The families of vision transformers: their settings, stages and sizes."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfxfer.models.backbones.backbone import numbered
from tfxfer.models.presets.family import (
    MOST_CHANNELS,
    Anatomy,
    Family,
    Settings,
    check_lengths,
)
from tfxfer.models.presets.settings import (
    FLAG,
    either,
    fraction,
    number,
    one_of,
    optional,
    whole_number,
    whole_numbers,
)

_MOST_BLOCKS = 128

_PATCH = either(whole_number(128), whole_numbers(128))

_MODULE = "tfxfer.models.presets.tokens.vision_transformer"


def _anatomy(settings: Settings, mlp_width: int, paper: str) -> Anatomy:
    """Returns what follows from the settings; their features are class token and patch tokens."""
    width, blocks = settings["hidden_dim"], settings["num_layers"]
    if width % settings["num_heads"]:
        raise ValueError(f"{settings['num_heads']} heads do not divide {width} channels")
    return Anatomy(
        stages=(("stem", "positions_sum"), *numbered("block#_.*", 1, blocks, "block#")),
        # All have one resolution: the last quarter, as of a convolutional network.
        last_resolution=f"block{blocks - blocks // 4 + 1 if blocks >= 4 else blocks}",
        num_features=2 * width,
        least_parameters=blocks * (4 * width**2 + 2 * width * mlp_width),
        paper=paper,
        min_size=patch_size(settings),
    )


def patch_size(settings: Mapping[str, Any]) -> int:
    """Returns the side of a patch in pixels.

    Raises:
        ValueError: Patches are not square.
    """
    found = settings["patch_size"]
    sides = [found] if isinstance(found, int) else list(found)
    if len(set(sides)) != 1 or len(sides) > 2:
        raise ValueError(f"patches of {sides} pixels are not square")
    return int(sides[0])


def _vit(settings: Settings) -> Anatomy:
    if not settings["use_class_token"]:
        raise ValueError("the network has no class token")
    return _anatomy(settings, settings["mlp_dim"], "Dosovitskiy et al. 2020, arXiv:2010.11929")


def _dinov2(settings: Settings) -> Anatomy:
    if settings["use_swiglu_ffn"]:
        raise ValueError("its SwiGLU layers, as of the giant DINOv2, are not supported")
    mlp_width = settings["intermediate_dim"]
    return _anatomy(settings, mlp_width, "Oquab et al. 2023, arXiv:2304.07193")


def _dinov3(settings: Settings) -> Anatomy:
    mlp_width = settings["intermediate_dim"] * (3 if settings["use_gated_mlp"] else 2) // 2
    found = _anatomy(settings, mlp_width, "Simeoni et al. 2025, arXiv:2508.10104")
    if settings["hidden_dim"] // settings["num_heads"] % 4:
        raise ValueError("the channels of a head are no multiple of 4")
    return found


def _siglip(settings: Settings) -> Anatomy:
    width, hidden = settings["hidden_dim"], settings["intermediate_dim"]
    patch = patch_size(settings)
    # Four matrices of attention and two of the perceptron, with biases; two normalizations.
    block = 4 * width**2 + 2 * width * hidden + 9 * width + hidden
    # The pooling is a block with one normalization and a probe.
    others = (3 * patch**2 + 1) * width + 2 * width + block - width

    def parameters_at(size: int) -> int:
        return int(settings["num_layers"] * block + others + (size // patch) ** 2 * width)

    found = _anatomy(settings, hidden, "Zhai et al. 2023, arXiv:2303.15343")
    return dataclasses.replace(found, parameters_at=parameters_at)


_SIZES = {
    "patch_size": _PATCH,
    "num_layers": whole_number(_MOST_BLOCKS),
    "num_heads": whole_number(128),
    "hidden_dim": whole_number(MOST_CHANNELS),
}

VIT = Family(
    class_name="ViTBackbone",
    presets="vit/vit_presets.py",
    kinds={
        **_SIZES,
        "mlp_dim": whole_number(8 * MOST_CHANNELS),
        "dropout_rate": number(0, 0.9),
        "attention_dropout": number(0, 0.9),
        "layer_norm_epsilon": fraction(),
        "use_mha_bias": FLAG,
        "use_mlp_bias": FLAG,
        "use_class_token": FLAG,
        "use_patch_bias": FLAG,
    },
    defaults={
        "dropout_rate": 0.0,
        "attention_dropout": 0.0,
        "layer_norm_epsilon": 1e-6,
        "use_mha_bias": True,
        "use_mlp_bias": True,
        "use_class_token": True,
        "use_patch_bias": True,
    },
    anatomy=_vit,
    batch_norm=False,
    builder=(_MODULE, "vit"),
)

DINOV2 = Family(
    class_name="DINOV2Backbone",
    presets="dinov2/dinov2_presets.py",
    kinds={
        **_SIZES,
        "intermediate_dim": whole_number(8 * MOST_CHANNELS),
        "layer_scale_init_value": number(0, 100),
        "num_register_tokens": number(0, 64),
        "use_mask_token": FLAG,
        "use_swiglu_ffn": FLAG,
        "dropout_rate": number(0, 0.9),
        "drop_path_rate": number(0, 0.9),
        "position_embedding_shape": optional(whole_numbers(4096)),
        "antialias_in_interpolation": FLAG,
        "apply_layernorm": FLAG,
    },
    defaults={
        "layer_scale_init_value": 1.0,
        "num_register_tokens": 0,
        "use_mask_token": True,
        "use_swiglu_ffn": False,
        "dropout_rate": 0.0,
        "drop_path_rate": 0.0,
        "position_embedding_shape": None,
        "antialias_in_interpolation": False,
        "apply_layernorm": False,
    },
    anatomy=_dinov2,
    batch_norm=False,
    builder=(_MODULE, "dinov2"),
)

DINOV3 = Family(
    class_name="DINOV3Backbone",
    presets="dinov3/dinov3_presets.py",
    kinds={
        **_SIZES,
        "patch_size": whole_number(128),
        "intermediate_dim": whole_number(8 * MOST_CHANNELS),
        "layer_scale_init_value": number(0, 100),
        "num_register_tokens": number(0, 64),
        "use_mask_token": FLAG,
        "hidden_activation": one_of("gelu", "silu", "swish", "relu"),
        "use_gated_mlp": FLAG,
        "use_query_bias": FLAG,
        "use_key_bias": FLAG,
        "use_value_bias": FLAG,
        "use_proj_bias": FLAG,
        "use_mlp_bias": FLAG,
        "attention_dropout": number(0, 0.9),
        "drop_path_rate": number(0, 0.9),
        "layer_norm_eps": fraction(),
        "rope_theta": number(1, 1e6),
        "apply_layernorm": FLAG,
    },
    defaults={
        "layer_scale_init_value": 1.0,
        "num_register_tokens": 4,
        "use_mask_token": True,
        "hidden_activation": "gelu",
        "use_gated_mlp": False,
        "use_query_bias": True,
        "use_key_bias": True,
        "use_value_bias": True,
        "use_proj_bias": True,
        "use_mlp_bias": True,
        "attention_dropout": 0.0,
        "drop_path_rate": 0.0,
        "layer_norm_eps": 1e-5,
        "rope_theta": 100.0,
        "apply_layernorm": False,
    },
    anatomy=_dinov3,
    batch_norm=False,
    builder=("tfxfer.models.presets.tokens.dinov3", "dinov3"),
)

SIGLIP = Family(
    class_name="SigLIPVisionEncoder",
    presets="siglip/siglip_presets.py",
    kinds={
        **_SIZES,
        "intermediate_dim": whole_number(8 * MOST_CHANNELS),
        "intermediate_activation": one_of("gelu_approximate", "gelu"),
        "layer_norm_epsilon": fraction(),
    },
    defaults={"intermediate_activation": "gelu_approximate", "layer_norm_epsilon": 1e-6},
    anatomy=_siglip,
    batch_norm=False,
    builder=("tfxfer.models.presets.tokens.siglip", "siglip"),
    outer_class="SigLIPBackbone",
    outer_setting="vision_encoder",
)


def _swin(settings: Settings) -> Anatomy:
    depths, heads, width = settings["depths"], settings["num_heads"], settings["embed_dim"]
    check_lengths((depths, heads))
    least = 0
    for stage, (depth, number_of_heads) in enumerate(zip(depths, heads, strict=True)):
        channels = width * 2**stage
        if channels > MOST_CHANNELS or channels % number_of_heads:
            raise ValueError(f"{number_of_heads} heads and {channels} channels do not fit")
        least += depth * (4 + 2 * int(settings["mlp_ratio"])) * channels**2
        least += 8 * channels**2 if stage + 1 < len(depths) else 0
    lowering = settings["patch_size"] * 2 ** (len(depths) - 1)
    return Anatomy(
        stages=(
            ("stem", "patch_norm" if settings["patch_norm"] else "patches"),
            *numbered("stage#_.*", 1, len(depths), "stage#"),
        ),
        last_resolution=f"stage{len(depths)}",
        num_features=width * 2 ** (len(depths) - 1),
        least_parameters=least,
        paper="Liu et al. 2021, arXiv:2103.14030",
        min_size=lowering * settings["window_size"],
    )


SWIN = Family(
    class_name="SwinTransformerBackbone",
    presets="swin_transformer/swin_transformer_presets.py",
    kinds={
        "embed_dim": whole_number(MOST_CHANNELS),
        "depths": whole_numbers(_MOST_BLOCKS),
        "num_heads": whole_numbers(128),
        "window_size": whole_number(64),
        "patch_size": whole_number(64),
        "mlp_ratio": number(1, 16),
        "qkv_bias": FLAG,
        "dropout_rate": number(0, 0.9),
        "attention_dropout": number(0, 0.9),
        "drop_path": number(0, 0.9),
        "patch_norm": FLAG,
    },
    defaults={
        "patch_size": 4,
        "mlp_ratio": 4.0,
        "qkv_bias": True,
        "dropout_rate": 0.0,
        "attention_dropout": 0.0,
        "drop_path": 0.1,
        "patch_norm": True,
    },
    anatomy=_swin,
    batch_norm=False,
    builder=("tfxfer.models.presets.tokens.swin", "swin"),
)
