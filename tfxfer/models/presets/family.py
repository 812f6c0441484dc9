"""What is known of a family of KerasHub's networks before one is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tfxfer.models.backbones.backbone import Stages
from tfxfer.models.presets.settings import Kind

MOST_CHANNELS, MOST_BLOCKS = 8192, 256

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
        min_size: The smallest image size in pixels.
        parameters_at: Their number for images of a size, where presets count other networks, too.
    """

    stages: Stages
    last_resolution: str
    num_features: int
    least_parameters: int
    paper: str
    min_size: int = 32
    parameters_at: Callable[[int], int] | None = None


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
        input_name: What the class calls the shape of the images.
        builder: Module and function that build a network: by default KerasHub's class does.
        defaults: Of the settings that a preset may leave out.
        outer_class: Of a larger network, which presets may have instead; empty if there is none.
        outer_setting: Under which of its settings this one is.
    """

    class_name: str
    presets: str
    kinds: Mapping[str, Kind]
    anatomy: Callable[[Settings], Anatomy]
    batch_norm: bool
    input_name: str = "image_shape"
    builder: tuple[str, str] = ("tfxfer.models.presets.network", "preset_network")
    defaults: Settings = field(default_factory=dict)
    outer_class: str = ""
    outer_setting: str = ""

    @property
    def has_patches(self) -> bool:
        """Whether they are vision transformers, which divide images into patches."""
        return ".tokens." in self.builder[0]


# Name, family, settings and number of parameters of a network of timm.
Entry = tuple[str, Family, Settings, int]


def check_lengths(*groups: tuple[list[int], ...]) -> None:
    """Raises a ValueError if lists of a group differ in length."""
    for group in groups:
        if len({len(values) for values in group}) > 1:
            raise ValueError(f"lists of one length differ: {', '.join(map(str, group))}")


def last_stride(strides: list[int]) -> int:
    """Returns the place of the last stage that lowers the resolution; 0 if none does."""
    return max((place for place, stride in enumerate(strides) if stride > 1), default=0)
