"""The CSPNets and DarkNets of timm: their names, stages and sizes."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tfxfer.models.backbones.backbone import numbered
from tfxfer.models.backbones.efficientnet_design import rounded_channels
from tfxfer.models.presets.family import Anatomy, Entry, Family, Settings, last_stride
from tfxfer.models.presets.settings import one_of


@dataclass(frozen=True)
class Stage:
    """Blocks that half of the channels pass, or all.

    Attributes:
        depth: Number of blocks.
        channels: Of its output.
        stride: Of the convolution before it; with 1 there is none.
        kind: "cross" splits the channels; those that passed the blocks pass one more convolution
            (Wang et al. 2019, arXiv:1911.11929). "short" does without it; "whole" does not split.
        expansion: Channels that are split, by those of the output.
        share: Channels of the blocks, by those of the output.
        bottleneck: Channels inside a block, by those of the block.
        grows: Whether the convolution before it has the channels of the output already.
        is_linear: Whether nothing follows the convolution before the split.
    """

    depth: int
    channels: int
    stride: int = 2
    kind: Literal["cross", "short", "whole"] = "cross"
    expansion: float = 1.0
    share: float = 0.5
    bottleneck: float = 1.0
    grows: bool = False
    is_linear: bool = False


@dataclass(frozen=True)
class CspDesign:
    """A whole network.

    Attributes:
        stages: In order.
        stem: Channels of each of the first convolutions.
        stem_kernel: Side of their kernels in pixels.
        stem_stride: Of the first of them.
        is_pooled: Whether the stem ends in a pooling.
        has_bottlenecks: Whether blocks are of three convolutions, as those of a ResNet, or of two.
        activation: "leaky_relu" or "silu".
        paper: Author, year and number on arXiv.
    """

    stages: tuple[Stage, ...]
    stem: tuple[int, ...] = (32,)
    stem_kernel: int = 3
    stem_stride: int = 1
    is_pooled: bool = False
    has_bottlenecks: bool = False
    activation: str = "leaky_relu"
    paper: str = "Wang et al. 2019, arXiv:1911.11929"


_WIDTHS = (64, 128, 256, 512, 1024)

_DARK_DEPTHS = (1, 2, 8, 8, 4)

# Redmon and Farhadi (2018, arXiv:1804.02767), table 1, and with its stages split.
_DARKNET = CspDesign(
    tuple(
        Stage(depth, channels, kind="whole", share=1.0, bottleneck=0.5)
        for depth, channels in zip(_DARK_DEPTHS, _WIDTHS, strict=True)
    ),
    paper="Redmon and Farhadi 2018, arXiv:1804.02767",
)

_CSP_DARKNET = CspDesign(
    (
        Stage(1, 64, expansion=2.0, share=1.0, bottleneck=0.5, grows=True),
        *(
            Stage(depth, channels, grows=True)
            for depth, channels in zip(_DARK_DEPTHS[1:], _WIDTHS[1:], strict=True)
        ),
    )
)


def _csp_resnet(stem: tuple[int, ...], stem_kernel: int, width: int, stage: Stage) -> CspDesign:
    """Returns a ResNet-50 whose stages are split, the first of so many channels."""
    return CspDesign(
        tuple(
            dataclasses.replace(
                stage, depth=depth, channels=width * 2**place, stride=2 if place else 1
            )
            for place, depth in enumerate((3, 3, 5, 2))
        ),
        stem=stem,
        stem_kernel=stem_kernel,
        stem_stride=2,
        is_pooled=True,
        has_bottlenecks=True,
    )


_HALVED = Stage(0, 0, expansion=2.0, share=1.0, bottleneck=0.5, is_linear=True)

_QUARTERED = Stage(0, 0, bottleneck=0.25, is_linear=True)


def _short_darknet(width: float, depth: float, *, is_focus: bool = False) -> CspDesign:
    """Returns the network of YOLOv5 and YOLOX, of this factor on its channels and its blocks.

    With `is_focus` the first convolution has a kernel of 6 pixels, and is the only one.
    """
    stem = (64,) if is_focus else (32, 64)
    return CspDesign(
        tuple(
            Stage(int(depth * number), rounded_channels(width * channels), kind="short")
            for number, channels in zip((3, 6, 9, 3), _WIDTHS[1:], strict=True)
        ),
        stem=tuple(rounded_channels(width * channels) for channels in stem),
        stem_kernel=6 if is_focus else 3,
        stem_stride=2,
        activation="silu",
    )


# With the number of parameters.
_NETWORKS = {
    "cspdarknet53": (_CSP_DARKNET, 26_652_512),
    "darknet53": (_DARKNET, 40_620_640),
    "cspresnet50": (_csp_resnet((64,), 7, 128, _HALVED), 20_631_488),
    "cspresnet50d": (_csp_resnet((32, 32, 64), 3, 128, _HALVED), 20_650_848),
    "cspresnet50w": (_csp_resnet((32, 32, 64), 3, 256, _QUARTERED), 26_109_536),
    "cs3darknet_s": (_short_darknet(0.5, 0.5), 2_772_208),
    "cs3darknet_m": (_short_darknet(0.75, 0.67), 8_558_184),
    "cs3darknet_l": (_short_darknet(1.0, 1.0), 20_168_160),
    "cs3darknet_x": (_short_darknet(1.25, 1.33), 33_804_760),
    "cs3darknet_focus_s": (_short_darknet(0.5, 0.5, is_focus=True), 2_770_560),
    "cs3darknet_focus_m": (_short_darknet(0.75, 0.67, is_focus=True), 8_552_256),
    "cs3darknet_focus_l": (_short_darknet(1.0, 1.0, is_focus=True), 20_155_648),
}


def csp_design_of(name: str) -> CspDesign:
    """Returns the design of the network of a name."""
    return _NETWORKS[name][0]


def _anatomy(settings: Settings) -> Anatomy:
    design, number = _NETWORKS[settings["architecture"]]
    strides = [stage.stride for stage in design.stages]
    return Anatomy(
        stages=(("stem", "stem_.*"), *numbered("stage#_.*", 1, len(strides), "stage#")),
        last_resolution=f"stage{last_stride(strides) + 1}",
        num_features=design.stages[-1].channels,
        least_parameters=number,
        paper=design.paper,
    )


CSPNETS = Family(
    class_name="CspNet",
    presets="",
    kinds={"architecture": one_of(*_NETWORKS)},
    anatomy=_anatomy,
    batch_norm=True,
    builder=("tfxfer.models.presets.plain.cspnet", "timm_cspnet"),
)


def csp_architectures() -> Iterator[Entry]:
    """Yields the networks."""
    for name, (_, number) in _NETWORKS.items():
        yield name, CSPNETS, {"architecture": name}, number
