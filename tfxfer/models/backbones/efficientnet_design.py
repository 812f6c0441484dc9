"""What an EfficientNet, or a network like it, is made of: groups of blocks, and their scaling."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["depthwise", "fused", "plain"]


@dataclass(frozen=True)
class Group:
    """Blocks of one kind and size, of which only the first lowers the resolution.

    Attributes:
        kernel_size: Side of the kernels in pixels.
        repeats: Number of blocks.
        channels: Of the output of each.
        expansion: Factor from the input channels to those inside.
        stride: Of the first block.
        kind: "depthwise" is an inverted residual block (Sandler et al. 2018, arXiv:1801.04381);
            "fused" has one whole convolution in place of the expansion and the depthwise one (Gupta
            and Akin 2020, arXiv:2003.02838); "plain" is a convolution and nothing else.
        squeeze: Channels of squeeze-and-excitation by those of the input; 0 for none.
        expanded: What blocks expand, if not their input channels.
        is_residual: Whether blocks add their input to their output where the shape stays.
    """

    kernel_size: int
    repeats: int
    channels: int
    expansion: int
    stride: int
    kind: Kind = "depthwise"
    squeeze: float = 0.0
    expanded: int | None = None
    is_residual: bool = True


# EfficientNet-B0, without squeeze-and-excitation (Tan and Le 2019, arXiv:1905.11946, table 1).
B0 = (
    Group(3, 1, 16, 1, 1),
    Group(3, 2, 24, 6, 2),
    Group(5, 2, 40, 6, 2),
    Group(3, 3, 80, 6, 2),
    Group(5, 3, 112, 6, 1),
    Group(5, 4, 192, 6, 2),
    Group(3, 1, 320, 6, 1),
)


@dataclass(frozen=True)
class Design:
    """A whole network.

    Attributes:
        groups: Its blocks.
        stem: Channels of the first convolution.
        top: Channels of the last convolution.
        activation: "relu6", "relu" or "silu".
        epsilon: Of BatchNorm.
        momentum: Of BatchNorm.
        is_symmetric: Whether maps are padded alike at all sides, as by PyTorch; otherwise as by
            TensorFlow's "same", which differs where the resolution is halved.
    """

    groups: tuple[Group, ...]
    stem: int = 32
    top: int = 1280
    activation: str = "relu6"
    epsilon: float = 1e-5
    momentum: float = 0.9
    is_symmetric: bool = True


def scaled(
    groups: Iterable[Group], width: float, depth: float, *, keeps_ends: bool = False
) -> tuple[Group, ...]:
    """Returns groups of other channels and repeats (Tan and Le 2019, arXiv:1905.11946).

    Args:
        groups: Those of the smallest network.
        width: Factor on the channels.
        depth: Factor on the repeats, rounded up.
        keeps_ends: Whether the first and the last group have the repeats that they had.
    """
    groups = tuple(groups)
    ends = (0, len(groups) - 1) if keeps_ends else ()
    return tuple(
        dataclasses.replace(
            group,
            channels=rounded_channels(width * group.channels),
            repeats=group.repeats if place in ends else math.ceil(depth * group.repeats),
            expanded=group.expanded and rounded_channels(width * group.expanded),
        )
        for place, group in enumerate(groups)
    )


def rounded_channels(channels: float) -> int:
    """Returns the nearest multiple of 8 that is not more than a tenth below.

    Examples:
        >>> rounded_channels(40), rounded_channels(11), rounded_channels(3), rounded_channels(35.2)
        (40, 16, 8, 32)
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
