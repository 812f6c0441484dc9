"""The frame of a model: the images that it takes, and how an image is fitted into it.

A size, as settings and exports have it, is the side of a square in pixels, or height and width as
text: "224x320".
"""

import re
from dataclasses import dataclass
from typing import Any, Literal, Union

FitImages = Literal["crop", "stretch", "pad"]
AskedFit = Literal["auto", "crop", "stretch", "pad"]
AnySize = Union[int, str]  # noqa: UP007 - beside `AnyFrame`

# The channels of an image, unless it is said otherwise: red, green and blue.
RGB = 3

# Hyperspectral cameras have more; but a kernel of so many is hardly pretrained any more.
MOST_CHANNELS = 64

_OBLONG = re.compile(r"([0-9]{1,6}) ?[xX] ?([0-9]{1,6})")


def sides(size: AnySize) -> tuple[int, int]:
    """Returns height and width of a size.

    Raises:
        ValueError: It is no size.

    Examples:
        >>> sides(224), sides("224x320")
        ((224, 224), (224, 320))
    """
    if isinstance(size, int):
        return size, size
    found = _OBLONG.fullmatch(size.strip())
    if found is None:
        raise ValueError(f"{size!r} is no size")
    return int(found[1]), int(found[2])


def size_of(height: int, width: int) -> AnySize:
    """Returns the size of a height and a width.

    Examples:
        >>> size_of(224, 320), size_of(224, 224)
        ('224x320', 224)
    """
    return height if height == width else f"{height}x{width}"


def as_size(value: Any) -> Any:
    """Returns what a user may give for a size as a size; what is none is returned as it is.

    Examples:
        >>> [as_size(value) for value in ("224", "224X320", (224, 320), "224x224", "large")]
        [224, '224x320', '224x320', 224, 'large']
    """
    if isinstance(value, tuple | list) and [type(one) for one in value] == [int, int]:
        return size_of(*value)
    if not isinstance(value, str):
        return value
    if re.fullmatch("[0-9]{1,9}", value.strip()):
        return int(value)
    try:
        return size_of(*sides(value))
    except ValueError:
        return value


def settled(fit: AskedFit) -> FitImages:
    """Returns how images are fitted into a frame: cropped where that is open."""
    return "crop" if fit == "auto" else fit


def size_words(size: AnySize) -> str:
    """Returns a size as text, height first: "224 x 320"."""
    return "{} x {}".format(*sides(size))


@dataclass(frozen=True)
class Frame:
    """What every image becomes before a model sees it.

    Attributes:
        height: In pixels.
        width: In pixels.
        fit: How an image of another shape is fitted into it.
        channels: Of every image.
    """

    height: int
    width: int
    fit: FitImages = "crop"
    channels: int = RGB

    @classmethod
    def of(cls, size: "AnyFrame", fit: FitImages = "crop", channels: int = RGB) -> "Frame":
        """Returns a frame of a size.

        Examples:
            >>> Frame.of(224)
            Frame(height=224, width=224, fit='crop', channels=3)
        """
        return size if isinstance(size, Frame) else cls(*sides(size), fit, channels)

    @property
    def size(self) -> AnySize:
        """Its height and width, as settings have them."""
        return size_of(self.height, self.width)

    @property
    def words(self) -> str:
        """What is done to images, as "center crop resized to 224 x 224"."""
        done = {
            "crop": "center crop resized to",
            "stretch": "stretched to",
            "pad": "resized and padded with gray to",
        }
        return f"{done[self.fit]} {self.height} x {self.width}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of an image in it: height, width and channels."""
        return (self.height, self.width, self.channels)

    @property
    def content(self) -> str:
        """What the channels are, for messages: "RGB", "gray" or "4 channels"."""
        return {1: "gray", RGB: "RGB"}.get(self.channels, in_words(self.channels))

    @property
    def longer(self) -> int:
        """Its longer side in pixels."""
        return max(self.height, self.width)


def in_words(channels: int) -> str:
    """Returns a number of channels as text.

    Examples:
        >>> in_words(1), in_words(4)
        ('1 channel', '4 channels')
    """
    return "1 channel" if channels == 1 else f"{channels} channels"


AnyFrame = Union[Frame, int, str]  # noqa: UP007 - a class that is named before it exists
