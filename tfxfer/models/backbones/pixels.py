"""How a backbone expects its pixels: the scaling from RGB in [0, 255], and its description."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tfxfer.config.frame import RGB

Pixels = Literal["caffe", "symmetric", "torch", "lite", "inside"]

# Channel means of ImageNet in [0, 255], RGB, as Caffe's models subtract them (Simonyan & Zisserman
# 2014, arXiv:1409.1556), and mean and standard deviation in [0, 1] as Torch's models use them.
_CAFFE_MEAN = (123.68, 116.779, 103.939)

_TORCH_MEAN = (0.485, 0.456, 0.406)

_TORCH_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Scaling:
    """The input that a backbone was trained on: pixels times `scale` plus `offset`.

    Attributes:
        short: A short description.
        meaning: The full description, for using the network without tfxfer.
        scale: One factor, or one each for red, green and blue.
        offset: One summand, or one each for red, green and blue.
        is_bgr: Whether the channels are then reversed to blue, green, red.
    """

    short: str
    meaning: str
    scale: float | tuple[float, ...] = 1.0
    offset: float | tuple[float, ...] = 0.0
    is_bgr: bool = False

    @property
    def changes_pixels(self) -> bool:
        """Whether it differs from RGB in [0, 255]."""
        return self.is_bgr or self.scale != 1.0 or self.offset != 0.0

    def of_channels(self, channels: int) -> "Scaling":
        """Returns the scaling of images of so many channels; with three it is the same.

        Mean and standard deviation are those of red, green and blue, averaged for one channel and
        repeated in turn for others, whose order stays.
        """
        if channels == RGB:
            return self
        scale, offset = self.scale, self.offset
        if isinstance(scale, tuple) or isinstance(offset, tuple):
            scales, offsets = _of_each(scale), _of_each(offset)
            stds = in_turn([1 / one for one in scales], channels)
            pairs = zip(offsets, scales, strict=True)
            means = in_turn([-summand / factor for summand, factor in pairs], channels)
            scale = tuple(1 / std for std in stds)
            offset = tuple(-mean / std for mean, std in zip(means, stds, strict=True))
        return dataclasses.replace(self, scale=scale, offset=offset, is_bgr=False)


def in_turn(colors: Sequence[float], channels: int) -> tuple[float, ...]:
    """Returns values of channels by those of red, green and blue: the mean for one, or in turn.

    Examples:
        >>> in_turn((1.0, 2.0, 6.0), 1), in_turn((1.0, 2.0, 6.0), 4)
        ((3.0,), (1.0, 2.0, 6.0, 1.0))
    """
    if channels == 1:
        return (sum(colors) / RGB,)
    return tuple(colors[number % RGB] for number in range(channels))


def _of_each(values: float | tuple[float, ...]) -> tuple[float, ...]:
    return values if isinstance(values, tuple) else (values,) * RGB


def _joined(numbers: tuple[float, ...]) -> str:
    return ", ".join(map(str, numbers))


SCALINGS: dict[Pixels, Scaling] = {
    "caffe": Scaling(
        short="BGR, ImageNet mean subtracted",
        meaning=f"BGR in [0, 255] minus the ImageNet means {_joined(_CAFFE_MEAN[::-1])}",
        offset=tuple(-mean for mean in _CAFFE_MEAN),
        is_bgr=True,
    ),
    "symmetric": Scaling(
        short="[-1, 1]",
        meaning="RGB in [-1, 1], computed as [0, 255] / 127.5 - 1",
        scale=1 / 127.5,
        offset=-1.0,
    ),
    "torch": Scaling(
        short="ImageNet mean and standard deviation",
        meaning="RGB in [0, 1], normalized as (x - mean) / std with the ImageNet mean "
        f"{_joined(_TORCH_MEAN)} and std {_joined(_TORCH_STD)}",
        scale=tuple(1 / (255 * std) for std in _TORCH_STD),
        offset=tuple(-mean / std for mean, std in zip(_TORCH_MEAN, _TORCH_STD, strict=True)),
    ),
    "lite": Scaling(
        short="(x - 127) / 128",
        meaning="RGB in [-127/128, 1], computed as ([0, 255] - 127) / 128",
        scale=1 / 128,
        offset=-127 / 128,
    ),
    "inside": Scaling(short="by the first layers of the network", meaning="RGB in [0, 255]"),
}
