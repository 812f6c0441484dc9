"""The frame of a model: the height and width that it takes, and how an image is fitted into it."""

from dataclasses import dataclass
from typing import Literal, Union

FitImages = Literal["crop", "stretch", "pad"]


@dataclass(frozen=True)
class Frame:
    """What every image becomes before a model sees it.

    Attributes:
        height: In pixels.
        width: In pixels.
        fit: How an image of another shape is fitted into it.
    """

    height: int
    width: int
    fit: FitImages = "crop"

    @classmethod
    def of(cls, size: "AnyFrame", fit: FitImages = "crop") -> "Frame":
        """Returns a frame; a number is the side of a square.

        Examples:
            >>> Frame.of(224)
            Frame(height=224, width=224, fit='crop')
        """
        return size if isinstance(size, Frame) else cls(size, size, fit)

    @property
    def size(self) -> int:
        """Its side in pixels, as settings have it."""
        return self.height

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
        """The shape of an image in it: height, width and three channels."""
        return (self.height, self.width, 3)

    @property
    def longer(self) -> int:
        """Its longer side in pixels."""
        return max(self.height, self.width)


AnyFrame = Union[Frame, int]  # noqa: UP007 - a class that is named before it exists
