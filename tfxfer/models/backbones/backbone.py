"""The record of a backbone."""

from dataclasses import dataclass
from typing import Any

from tfxfer.models.backbones.pixels import Pixels

Stages = tuple[tuple[str, str], ...]

STORAGE = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class Backbone:
    """One pretrained network without its classifier, and how to build it.

    `stages` lists, from the image to the features, the name of each stage and a regular expression.
    A stage takes every layer after the one before it, up to the last layer in the order of
    `model.layers` whose whole name matches; the last stage takes what remains. Automatic names are
    matched as in a fresh process (`add`, `add_1`). A boundary is a cut of the graph: later stages
    see earlier ones through one tensor only. The exception is NASNet, each of whose cells reads the
    two cells before it.
    """

    name: str  # what users type: the Keras name in lower case
    builder: str  # attribute of `module`
    pixels: Pixels  # how they are scaled; see `SCALINGS`
    native_size: int  # pixels, the resolution of the weights
    min_size: int  # pixels, the smallest input it accepts
    num_features: int  # channels of the last feature map
    num_parameters: int  # trainable or not, without the classifier
    stages: Stages
    last_resolution: str  # first of the stages that work at, or come down to, the lowest resolution
    batch_norm: bool
    license: str  # of the weights, and its holder in parentheses
    paper: str
    weights_file: str  # its name in KERAS_HOME/models, or among the files of this package
    weights_url: str = ""  # where they are downloaded from; empty for bundled weights
    weights_hash: str = ""  # MD5 or SHA-256; empty where Keras publishes none
    weights_name: str = "imagenet"  # what `--weights` calls them: the dataset they were trained on
    imagenet_top1: float | None = None  # accuracy on ImageNet validation, in [0, 1]; None: unknown
    module: str = "keras.applications"
    builder_arguments: tuple[tuple[str, Any], ...] = ()

    @property
    def bundled(self) -> bool:
        """Whether the weights are part of the package."""
        return not self.weights_url

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The names of the stages, from the image to the features."""
        return tuple(name for name, _ in self.stages)


def numbered(pattern: str, first: int, last: int, stage: str) -> Stages:
    """Returns stages whose names and patterns hold a number, written `#`."""
    return tuple(
        (stage.replace("#", str(number)), pattern.replace("#", str(number)))
        for number in range(first, last + 1)
    )
