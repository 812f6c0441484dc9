"""Local directories of timm: `config.json` with an architecture, and `model.safetensors`."""

import itertools
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfxfer.errors import UsageError, did_you_mean
from tfxfer.models.backbones.pixels import Scaling
from tfxfer.models.presets.blocks.architectures import block_architectures
from tfxfer.models.presets.convolutional import RESNET, VGG
from tfxfer.models.presets.family import Family
from tfxfer.models.presets.files import described_scaling, read_numbers, read_size
from tfxfer.models.presets.plain.cspnets import csp_architectures
from tfxfer.models.presets.plain.efficientnets import efficientnet_architectures
from tfxfer.models.presets.tokens.architectures import token_architectures

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Architecture:
    """A network of timm that can be used.

    Attributes:
        family: Its family.
        num_parameters: Without its classifier.
        settings: As KerasHub's class takes them, but for the defaults.
        converter: The module of KerasHub that knows the names of its tensors; empty for
            networks that are built here.
    """

    family: Family
    num_parameters: int
    converter: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def _resnet(blocks: list[int], kind: str, num_parameters: int, *, v2: bool = False) -> Architecture:
    return Architecture(
        RESNET,
        num_parameters,
        "convert_resnet",
        {
            "input_conv_filters": [64],
            "input_conv_kernel_sizes": [7],
            "stackwise_num_filters": [64, 128, 256, 512],
            "stackwise_num_blocks": blocks,
            "stackwise_num_strides": [1, 2, 2, 2],
            "block_type": f"{kind}_block",
            "use_pre_activation": v2,
        },
    )


def _vgg(repeats: list[int], num_parameters: int) -> Architecture:
    settings = {
        "stackwise_num_repeats": repeats,
        "stackwise_num_filters": [64, 128, 256, 512, 512],
    }
    return Architecture(VGG, num_parameters, "convert_vgg", settings)


# Those whose features equal PyTorch's. DenseNets are not among them: KerasHub pads their first
# layers otherwise, and at 64 pixels features differ by up to 7% of the largest.
ARCHITECTURES = {
    "resnet18": _resnet([2, 2, 2, 2], "basic", 11_186_112),
    "resnet26": _resnet([2, 2, 2, 2], "bottleneck", 13_977_024),
    "resnet34": _resnet([3, 4, 6, 3], "basic", 21_301_696),
    "resnet50": _resnet([3, 4, 6, 3], "bottleneck", 23_561_152),
    "resnet101": _resnet([3, 4, 23, 3], "bottleneck", 42_605_504),
    "resnet152": _resnet([3, 8, 36, 3], "bottleneck", 58_295_232),
    "resnetv2_50": _resnet([3, 4, 6, 3], "bottleneck", 23_545_792, v2=True),
    "vgg11": _vgg([1, 1, 2, 2, 2], 9_220_480),
    "vgg13": _vgg([2, 2, 2, 2, 2], 9_404_992),
    "vgg16": _vgg([2, 2, 3, 3, 3], 14_714_688),
    "vgg19": _vgg([2, 2, 4, 4, 4], 20_024_384),
}
ARCHITECTURES |= {
    name: Architecture(family, number, converter, settings)
    for name, family, converter, settings, number in block_architectures()
}
ARCHITECTURES |= {
    name: Architecture(family, number, "", settings)
    for name, family, settings, number in itertools.chain(
        efficientnet_architectures(), csp_architectures(), token_architectures()
    )
}

# What `model_args` may change: none of it changes the features.
_HARMLESS_ARGUMENTS = {"img_size", "num_classes", "global_pool", "drop_rate", "drop_path_rate"}


def find_architecture(name: Any, path: pathlib.Path) -> Architecture:
    """Returns the architecture of a name.

    Args:
        name: As `config.json` has it.
        path: Of that file, for the message.

    Raises:
        UsageError: It cannot be used.
    """
    if isinstance(name, str) and name in ARCHITECTURES:
        return ARCHITECTURES[name]
    hint = did_you_mean(name, ARCHITECTURES) if isinstance(name, str) else ""
    raise UsageError(
        f"'{path}' is of the timm architecture {name!r:.60}, which cannot be used.{hint} "
        f"Architectures are {', '.join(ARCHITECTURES)}."
    )


def read_pretrained(
    config: Mapping[str, Any], path: pathlib.Path
) -> tuple[Scaling, int, str | None]:
    """Returns how a network of timm was trained: scaling, size of the images, and its license.

    timm divides by 255, subtracts the mean and divides by the standard deviation.

    Args:
        config: The content of `config.json`; `pretrained_cfg` is read.
        path: Of that file, for messages.

    Raises:
        UsageError: The file does not say it.
    """
    changes = config.get("model_args") or {}
    if not isinstance(changes, dict) or not changes.keys() <= _HARMLESS_ARGUMENTS:
        raise UsageError(
            f"'{path}' changes the network by 'model_args': {changes!r:.60}. Such networks cannot "
            "be used."
        )
    found = config.get("pretrained_cfg")
    if not isinstance(found, dict) or not {"mean", "std", "input_size"} <= found.keys():
        raise UsageError(
            f"'{path}' does not say how the network was trained: 'pretrained_cfg' must have "
            "'mean', 'std' and 'input_size', as the files of timm at the Hugging Face hub do."
        )
    mean, std = (read_numbers(found, name, 0.0, path) for name in ("mean", "std"))
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise UsageError(
            f"'{path}' must have three numbers for 'mean', and three above 0 for 'std'; it has "
            f"{mean} and {std}."
        )
    size = found["input_size"]
    if not isinstance(size, list) or len(size) != 3 or size[0] != 3:
        raise UsageError(f"'{path}' has {size!r:.60} for 'input_size'; it must be [3, SIZE, SIZE].")
    license = found.get("license")
    return (
        described_scaling(
            tuple(1 / 255 / one for one in std),
            tuple(-a / b for a, b in zip(mean, std, strict=True)),
        ),
        read_size(size[1:], path),
        f"{license} (says its {path.name})" if isinstance(license, str) and license else None,
    )
