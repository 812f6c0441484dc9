"""The EfficientNets of timm, and its MobileNetV2: their names, groups of blocks and sizes."""

import dataclasses
from collections.abc import Iterator

from tfxfer.models.backbones.backbone import numbered
from tfxfer.models.backbones.efficientnet_design import (
    B0,
    Design,
    Group,
    rounded_channels,
    scaled,
)
from tfxfer.models.presets.family import Anatomy, Entry, Family, Settings, last_stride
from tfxfer.models.presets.settings import one_of

# Table 2 of Sandler et al. (2018, arXiv:1801.04381).
_MOBILENETV2 = (
    Group(3, 1, 16, 1, 1),
    Group(3, 2, 24, 6, 2),
    Group(3, 3, 32, 6, 2),
    Group(3, 4, 64, 6, 2),
    Group(3, 3, 96, 6, 1),
    Group(3, 3, 160, 6, 2),
    Group(3, 1, 320, 6, 1),
)

# Google, github.com/tensorflow/tpu, models/official/efficientnet/edgetpu. The first blocks
# expand the 24 channels that the stem would have, and add nothing.
_EDGE = (
    Group(3, 1, 24, 4, 1, "fused", expanded=24, is_residual=False),
    Group(3, 2, 32, 8, 2, "fused"),
    Group(3, 4, 48, 8, 2, "fused"),
    Group(5, 5, 96, 8, 2),
    Group(5, 4, 144, 8, 1),
    Group(5, 2, 192, 8, 2),
)

_SQUEEZE = 0.25

# Table 4 of Tan and Le (2021, arXiv:2104.00298), for which repeats are given apart.
_V2 = (
    Group(3, 2, 24, 1, 1, "plain"),
    Group(3, 4, 48, 4, 2, "fused"),
    Group(3, 4, 64, 4, 2, "fused"),
    Group(3, 6, 128, 4, 2, squeeze=_SQUEEZE),
    Group(3, 9, 160, 6, 1, squeeze=_SQUEEZE),
    Group(3, 15, 256, 6, 2, squeeze=_SQUEEZE),
)

# As Wightman read an earlier figure of theirs.
_V2_RW = (
    Group(3, 2, 24, 1, 1, "fused"),
    *_V2[1:-1],
    Group(3, 15, 272, 6, 2, squeeze=_SQUEEZE),
)
_V2_RW_M = scaled(_V2_RW[:4], 1.2, 1.2) + scaled(_V2_RW[4:], 1.2, 1.6)


def _efficientnet(width: float, depth: float) -> Design:
    return Design(
        scaled((dataclasses.replace(group, squeeze=_SQUEEZE) for group in B0), width, depth),
        stem=rounded_channels(32 * width),
        top=rounded_channels(1280 * width),
        activation="silu",
    )


def _edge(width: float, depth: float) -> Design:
    return Design(
        scaled(_EDGE, width, depth),
        stem=rounded_channels(32 * width),
        top=rounded_channels(1280 * width),
        activation="relu",
    )


def _lite(width: float, depth: float) -> Design:
    return Design(scaled(B0, width, depth, keeps_ends=True))


def _v2(groups: tuple[Group, ...], stem: int, top: int) -> Design:
    return Design(groups, stem, top, activation="silu")


def _mobilenet(width: float, depth: float = 1.0, *, keeps_ends: bool = False) -> Design:
    return Design(
        scaled(_MOBILENETV2, width, depth, keeps_ends=keeps_ends),
        stem=32 if keeps_ends else rounded_channels(32 * width),
        top=1280 if keeps_ends else max(1280, rounded_channels(1280 * width)),
    )


# With the number of parameters.
_NETWORKS = {
    "efficientnet_b0": (_efficientnet(1.0, 1.0), 4_049_564),
    "efficientnet_b1": (_efficientnet(1.0, 1.1), 6_575_232),
    "efficientnet_b2": (_efficientnet(1.1, 1.2), 7_768_562),
    "efficientnet_b3": (_efficientnet(1.2, 1.4), 10_783_528),
    "efficientnet_b4": (_efficientnet(1.4, 1.8), 17_673_816),
    "efficientnet_b5": (_efficientnet(1.6, 2.2), 28_513_520),
    "efficientnet_es": (_edge(1.0, 1.0), 4_208_832),
    "efficientnet_es_pruned": (_edge(1.0, 1.0), 4_208_832),
    "efficientnet_em": (_edge(1.0, 1.1), 5_686_304),
    "efficientnet_el": (_edge(1.2, 1.4), 9_144_920),
    "efficientnet_el_pruned": (_edge(1.2, 1.4), 9_144_920),
    "efficientnet_lite0": (_lite(1.0, 1.0), 3_413_024),
    "efficientnet_lite1": (_lite(1.0, 1.1), 4_189_344),
    "efficientnet_lite2": (_lite(1.1, 1.2), 4_869_168),
    "efficientnet_lite3": (_lite(1.2, 1.4), 6_992_768),
    "efficientnet_lite4": (_lite(1.4, 1.8), 11_837_936),
    "efficientnetv2_rw_t": (_v2(scaled(_V2, 0.8, 0.9), 24, 1024), 12_743_412),
    "efficientnetv2_rw_s": (_v2(_V2_RW, 24, 1792), 22_309_144),
    "efficientnetv2_rw_m": (_v2(_V2_RW_M, 32, 2152), 51_390_674),
    "mobilenetv2_050": (_mobilenet(0.5), 706_224),
    "mobilenetv2_100": (_mobilenet(1.0), 2_257_984),
    "mobilenetv2_110d": (_mobilenet(1.1, 1.2, keeps_ends=True), 3_283_008),
    "mobilenetv2_120d": (_mobilenet(1.2, 1.4, keeps_ends=True), 4_613_920),
    "mobilenetv2_140": (_mobilenet(1.4), 4_363_712),
}

_PAPERS = {
    "mobilenetv2": "Sandler et al. 2018, arXiv:1801.04381",
    "efficientnetv2": "Tan and Le 2021, arXiv:2104.00298",
    "efficientnet_e": "Gupta and Akin 2020, arXiv:2003.02838",
    "efficientnet": "Tan and Le 2019, arXiv:1905.11946",
}


def design_of(name: str) -> Design:
    """Returns the design of the network of a name."""
    return _NETWORKS[name][0]


def _anatomy(settings: Settings) -> Anatomy:
    name = settings["architecture"]
    design, number = _NETWORKS[name]
    strides = [group.stride for group in design.groups]
    return Anatomy(
        stages=(
            ("stem", "stem_activation"),
            *numbered(r"block#\D.*", 1, len(strides), "block#"),
            ("top", "top_activation"),
        ),
        last_resolution=f"block{last_stride(strides) + 1}",
        num_features=design.top,
        least_parameters=number,
        paper=next(paper for start, paper in _PAPERS.items() if name.startswith(start)),
    )


EFFICIENTNETS = Family(
    class_name="EfficientNet",
    presets="",
    kinds={"architecture": one_of(*_NETWORKS)},
    anatomy=_anatomy,
    batch_norm=True,
    builder=("tfxfer.models.presets.plain.efficientnet", "timm_efficientnet"),
)


def efficientnet_architectures() -> Iterator[Entry]:
    """Yields the networks."""
    for name, (_, number) in _NETWORKS.items():
        yield name, EFFICIENTNETS, {"architecture": name}, number
