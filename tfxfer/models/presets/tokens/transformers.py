"""Directories of Hugging Face's transformers: `config.json` with a `model_type`, and what it means.

The tensors are in `model.safetensors`; how pixels are scaled is in `preprocessor_config.json`.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from tfxfer.errors import UsageError
from tfxfer.models.backbones.pixels import Scaling
from tfxfer.models.foreign.tables import read_json
from tfxfer.models.presets.family import Family
from tfxfer.models.presets.files import described_scaling, read_numbers, read_size
from tfxfer.models.presets.settings import checked_settings
from tfxfer.models.presets.tokens.families import DINOV2, VIT

PREPROCESSOR = "preprocessor_config.json"

# Begins the name of the architecture in the record of such a backbone.
KIND = "transformers "

_FAMILIES = {"vit": VIT, "dinov2": DINOV2, "dinov2_with_registers": DINOV2}

_WHAT_IS_SAID = ("hidden_size", "num_hidden_layers", "num_attention_heads", "patch_size")


def is_of_transformers(config: Mapping[str, Any]) -> bool:
    """Tells whether a `config.json` is one of transformers."""
    return "model_type" in config and not {"class_name", "architecture"} & config.keys()


def read_network(
    config: Mapping[str, Any], path: pathlib.Path
) -> tuple[Family, dict[str, Any], int]:
    """Returns the network that a `config.json` describes: family, settings, number of parameters.

    Args:
        config: Its content.
        path: Of the file, for messages.

    Raises:
        UsageError: The network cannot be used.
    """
    kind = config["model_type"]
    family = _FAMILIES.get(kind) if isinstance(kind, str) else None
    if family is None:
        raise UsageError(
            f"'{path}' is of the model type {kind!r:.60} of transformers, which cannot be used. "
            f"Model types are {', '.join(_FAMILIES)}."
        )
    missing = [name for name in _WHAT_IS_SAID if name not in config]
    if missing:
        raise UsageError(f"'{path}' lacks the setting '{missing[0]}' of its network.")
    _check(config, family, path)
    found = {
        "patch_size": config["patch_size"],
        "num_layers": config["num_hidden_layers"],
        "num_heads": config["num_attention_heads"],
        "hidden_dim": config["hidden_size"],
        **(_of_vit(config) if family is VIT else _of_dinov2(config)),
    }
    settings = checked_settings(found, family.kinds, family.defaults, f"'{path}'")
    return family, settings, _num_parameters(config, settings, family, path)


def _check(config: Mapping[str, Any], family: Family, path: pathlib.Path) -> None:
    """Raises a UsageError where a network is not quite ViT or DINOv2."""
    expected = {"hidden_act": "gelu", "num_channels": 3, "qkv_bias": True}
    if family is DINOV2:
        expected |= {"use_swiglu_ffn": False, "layer_norm_eps": 1e-6}
    for name, value in expected.items():
        found = config.get(name, value)
        if found != value:
            raise UsageError(
                f"'{path}' has {found!r:.60} for '{name}'; only networks with {value!r} can be "
                "used."
            )


def _of_vit(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "mlp_dim": config.get("intermediate_size"),
        "dropout_rate": config.get("hidden_dropout_prob", 0.0),
        "attention_dropout": config.get("attention_probs_dropout_prob", 0.0),
        "layer_norm_epsilon": config.get("layer_norm_eps", 1e-12),
    }


def _of_dinov2(config: Mapping[str, Any]) -> dict[str, Any]:
    width, ratio = config["hidden_size"], config.get("mlp_ratio", 4)
    numbers = isinstance(width, int) and isinstance(ratio, int | float)
    has_registers = config["model_type"] == "dinov2_with_registers"
    return {
        "intermediate_dim": int(width * ratio) if numbers else None,
        "dropout_rate": config.get("hidden_dropout_prob", 0.0),
        "num_register_tokens": config.get("num_register_tokens", 4) if has_registers else 0,
        # The authors' two versions differ in this.
        "antialias_in_interpolation": has_registers,
    }


def _num_parameters(
    config: Mapping[str, Any], settings: Mapping[str, Any], family: Family, path: pathlib.Path
) -> int:
    """Returns the number of parameters of our network for images of the pretraining's size."""
    width, blocks = settings["hidden_dim"], settings["num_layers"]
    hidden = settings["mlp_dim" if family is VIT else "intermediate_dim"]
    patch = settings["patch_size"]
    side = read_size([config.get("image_size")] * 2, path)
    if not isinstance(patch, int):
        raise UsageError(f"'{path}' has {patch!r:.60} for 'patch_size'; it must be one number.")
    block = 4 * width**2 + 2 * width * hidden + 9 * width + hidden
    tokens = 1 + settings.get("num_register_tokens", 0) + (side // patch) ** 2
    return int(blocks * block + (3 * patch**2 + 1 + tokens + 2) * width)


def read_preprocessor(folder: pathlib.Path) -> tuple[Scaling, int]:
    """Returns how pixels are scaled, and the size of the images, from `preprocessor_config.json`.

    Raises:
        UsageError: The file is missing, or does not say it.
    """
    path = folder / PREPROCESSOR
    if not path.is_file():
        raise UsageError(
            f"'{folder}' does not say how its pixels are scaled: it has no '{PREPROCESSOR}'. "
            "Copy the whole directory, or save the image processor of the model there, too."
        )
    found = read_json(path)
    factor = 1.0
    if found.get("do_rescale", True):
        factor = read_numbers(found, "rescale_factor", 1 / 255, path)[0]
    mean: tuple[float, ...] = (0.0,) * 3
    std: tuple[float, ...] = (1.0,) * 3
    if found.get("do_normalize", True):
        mean, std = (read_numbers(found, name, -1.0, path) for name in ("image_mean", "image_std"))
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise UsageError(
            f"'{path}' must have three numbers for 'image_mean', and three above 0 for "
            f"'image_std'; it has {found.get('image_mean')!r:.60} and "
            f"{found.get('image_std')!r:.60}."
        )
    scaling = described_scaling(
        tuple(factor / one for one in std), tuple(-a / b for a, b in zip(mean, std, strict=True))
    )
    return scaling, _size(found, path)


def _size(found: Mapping[str, Any], path: pathlib.Path) -> int:
    """Returns the side of the images: that of the crop where they are cropped."""
    size = found.get("crop_size") if found.get("do_center_crop") else None
    size = found.get("size") if size is None else size
    if isinstance(size, dict):
        size = [size.get(name, size.get("shortest_edge")) for name in ("height", "width")]
    return read_size(size if isinstance(size, list) else [size, size], path)
