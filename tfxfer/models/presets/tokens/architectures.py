"""The vision transformers of timm that are ViT or DINOv2: their names, settings and sizes."""

from collections.abc import Iterator
from typing import Any

from tfxfer.models.presets.family import Entry
from tfxfer.models.presets.tokens.families import DINOV2, VIT

# Channels, blocks and heads (Dosovitskiy et al. 2020, arXiv:2010.11929, table 1; Touvron et al.
# 2020, arXiv:2012.12877, table 1).
_WIDTHS = {
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
}

_NAMES = {
    "vit_tiny_patch16": (224, 384),
    "vit_small_patch8": (224,),
    "vit_small_patch16": (224, 384),
    "vit_small_patch32": (224, 384),
    "vit_base_patch8": (224,),
    "vit_base_patch16": (224, 384),
    "vit_base_patch32": (224, 384),
    "vit_large_patch16": (224, 384),
    "vit_large_patch32": (224, 384),
    "deit_tiny_patch16": (224,),
    "deit_small_patch16": (224,),
    "deit_base_patch16": (224, 384),
}

_DINOV2_SIZE, _DINOV2_PATCH = 518, 14


def token_architectures() -> Iterator[Entry]:
    """Yields name, family, settings and number of parameters of each network."""
    for stem, sizes in _NAMES.items():
        _, variant, patch = stem.split("_")
        for size in sizes:
            side = int(patch.removeprefix("patch"))
            settings = {**VIT.defaults, **_shape(variant, side, "mlp_dim")}
            yield f"{stem}_{size}", VIT, settings, _num_parameters(variant, side, size, 1)
    for variant in ("small", "base", "large"):
        for registers, word in ((0, ""), (4, "reg4_")):
            settings = {
                **DINOV2.defaults,
                **_shape(variant, _DINOV2_PATCH, "intermediate_dim"),
                "num_register_tokens": registers,
                "antialias_in_interpolation": True,
            }
            number = _num_parameters(variant, _DINOV2_PATCH, _DINOV2_SIZE, 1 + registers)
            yield f"vit_{variant}_patch14_{word}dinov2", DINOV2, settings, number


def _shape(variant: str, patch: int, mlp_name: str) -> dict[str, Any]:
    width, blocks, heads = _WIDTHS[variant]
    return {
        "patch_size": patch,
        "num_layers": blocks,
        "num_heads": heads,
        "hidden_dim": width,
        mlp_name: 4 * width,
    }


def _num_parameters(variant: str, patch: int, size: int, extra_tokens: int) -> int:
    """Returns the number of parameters of our network for images of a size."""
    width, blocks, _ = _WIDTHS[variant]
    block = 12 * width**2 + 13 * width  # four matrices of attention, two of eight widths; biases
    positions = (extra_tokens + (size // patch) ** 2) * width
    return blocks * block + (3 * patch**2 + 1) * width + positions + 2 * width
