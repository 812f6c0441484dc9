"""The networks of KerasHub that can be used: their settings, stages and sizes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tfxfer.models.backbones.backbone import Stages, numbered
from tfxfer.models.presets.settings import FLAG, Kind, one_of, whole_numbers

_MOST_CHANNELS, _MOST_BLOCKS = 8192, 256

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Anatomy:
    """What of a network follows from its settings.

    Attributes:
        stages: As in the record of a backbone.
        last_resolution: First stage that reaches the lowest resolution.
        num_features: Channels of its last maps.
        least_parameters: A lower bound, not far below their number. It keeps a file from having a
            network built that is larger than the machine.
        paper: Author, year and number on arXiv.
    """

    stages: Stages
    last_resolution: str
    num_features: int
    least_parameters: int
    paper: str


@dataclass(frozen=True)
class Family:
    """The networks of one class of KerasHub.

    Attributes:
        class_name: Of the class, in `keras_hub.models`.
        presets: The module of KerasHub that lists its presets, a path.
        kinds: What each of its settings may be.
        anatomy: From settings, each of its kind, to what follows; ValueError for those that do not
            go together.
        batch_norm: Whether they have BatchNorm.
        defaults: Of the settings that a preset may leave out.
    """

    class_name: str
    presets: str
    kinds: Mapping[str, Kind]
    anatomy: Callable[[Settings], Anatomy]
    batch_norm: bool
    defaults: Settings = field(default_factory=dict)


def _resnet(settings: Settings) -> Anatomy:
    convolutions = settings["input_conv_filters"], settings["input_conv_kernel_sizes"]
    widths, blocks = settings["stackwise_num_filters"], settings["stackwise_num_blocks"]
    strides, kind = settings["stackwise_num_strides"], settings["block_type"]
    _check_lengths(convolutions, (widths, blocks, strides))
    paper = "He et al. 2015, arXiv:1512.03385"
    if settings["use_pre_activation"]:
        paper = "He et al. 2016, arXiv:1603.05027"
    elif kind.endswith("_vd"):
        paper = "He et al. 2018, arXiv:1812.01187"
    stem, channels = 0, 3
    for width, kernel_size in zip(*convolutions, strict=True):
        stem += kernel_size**2 * channels * width
        channels = width
    return Anatomy(
        stages=(("stem", "pool1_pool"), *numbered("stack#_.*", 0, len(widths) - 1, "stack#")),
        last_resolution=f"stack{_last_stride(strides)}",
        num_features=widths[-1] * (4 if kind.startswith("bottleneck") else 1),
        least_parameters=stem
        + sum(9 * width**2 * number for width, number in zip(widths, blocks, strict=True)),
        paper=paper,
    )


def _check_lengths(*groups: tuple[list[int], ...]) -> None:
    """Raises a ValueError if lists of a group differ in length."""
    for group in groups:
        if len({len(values) for values in group}) > 1:
            raise ValueError(f"lists of one length differ: {', '.join(map(str, group))}")


def _last_stride(strides: list[int]) -> int:
    """Returns the place of the last stage that lowers the resolution; 0 if none does."""
    return max((place for place, stride in enumerate(strides) if stride > 1), default=0)


RESNET = Family(
    class_name="ResNetBackbone",
    presets="resnet/resnet_presets.py",
    kinds={
        "input_conv_filters": whole_numbers(_MOST_CHANNELS),
        "input_conv_kernel_sizes": whole_numbers(31),
        "stackwise_num_filters": whole_numbers(_MOST_CHANNELS),
        "stackwise_num_blocks": whole_numbers(_MOST_BLOCKS),
        "stackwise_num_strides": whole_numbers(8),
        "block_type": one_of(
            "basic_block", "bottleneck_block", "basic_block_vd", "bottleneck_block_vd"
        ),
        "use_pre_activation": FLAG,
    },
    defaults={"use_pre_activation": False},
    anatomy=_resnet,
    batch_norm=True,
)

FAMILIES = {family.class_name: family for family in (RESNET,)}
