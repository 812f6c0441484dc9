"""How pixels are scaled for a backbone, from RGB in [0, 255]: the numbers, and what they mean."""

from dataclasses import dataclass
from typing import Literal

Pixels = Literal["caffe", "symmetric", "torch", "inside"]

# Channel means of ImageNet in [0, 255], RGB, as Caffe's models subtract them (Simonyan & Zisserman
# 2014, arXiv:1409.1556), and mean and standard deviation in [0, 1] as Torch's models use them.
_CAFFE_MEAN = (123.68, 116.779, 103.939)

_TORCH_MEAN = (0.485, 0.456, 0.406)

_TORCH_DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Scaling:
    """What a backbone was trained to see: pixels times `scale` plus `offset`.

    Attributes:
        short: What that is, in a few words.
        meaning: In full, for whoever feeds the network by itself.
        scale: One factor, or one for each of red, green and blue.
        offset: Likewise.
        is_bgr: Whether the channels then come in the order blue, green, red.
    """

    short: str
    meaning: str
    scale: float | tuple[float, ...] = 1.0
    offset: float | tuple[float, ...] = 0.0
    is_bgr: bool = False

    @property
    def changes_pixels(self) -> bool:
        """Whether it is other than RGB in [0, 255]."""
        return self.is_bgr or self.scale != 1.0 or self.offset != 0.0


def _joined(numbers: tuple[float, ...]) -> str:
    return ", ".join(map(str, numbers))


SCALINGS: dict[Pixels, Scaling] = {
    "caffe": Scaling(
        short="BGR, ImageNet's mean subtracted",
        meaning=f"BGR, [0, 255] less the means {_joined(_CAFFE_MEAN[::-1])}",
        offset=tuple(-mean for mean in _CAFFE_MEAN),
        is_bgr=True,
    ),
    "symmetric": Scaling(
        short="[-1, 1]",
        meaning="RGB in [-1, 1], that is [0, 255] / 127.5 - 1",
        scale=1 / 127.5,
        offset=-1.0,
    ),
    "torch": Scaling(
        short="ImageNet's mean and deviation",
        meaning="RGB, ([0, 1] - mean) / deviation of ImageNet: "
        f"{_joined(_TORCH_MEAN)} and {_joined(_TORCH_DEVIATION)}",
        scale=tuple(1 / (255 * deviation) for deviation in _TORCH_DEVIATION),
        offset=tuple(
            -mean / deviation for mean, deviation in zip(_TORCH_MEAN, _TORCH_DEVIATION, strict=True)
        ),
    ),
    "inside": Scaling(short="by the network's own first layers", meaning="RGB in [0, 255]"),
}
