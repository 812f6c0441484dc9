"""Every setting of a run as it is asked for: its name, type, default and limits.

A setting that is `None` is open. What `decided.py` has of the same name without `| None` is then
decided by a rule; the others may stay open. The same names serve everywhere: the field
`head.epochs` is `epochs` under `[head]` in a recipe and `--head-epochs` on the command line.
"""

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar

from tfxfer.config.paths import expand_user
from tfxfer.config.settings import check_value, fields_of, replaced, setting, setting_keys
from tfxfer.errors import UsageError

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]

Xla = Literal["auto", "on", "off"]

ClassWeights = Literal["none", "balanced"]

BadImages = Literal["error", "skip"]

GIGABYTE = 10**9

# What a gradient method is told, and L-BFGS is not.
GRADIENT_SETTINGS = ("learning_rate", "warmup_epochs", "weight_decay", "clip_norm")

AnyConfig = TypeVar("AnyConfig", bound="RunConfig")


@dataclass(frozen=True)
class PhaseConfig:
    """How one phase is trained."""

    epochs: int | None = setting(None, minimum=0)
    optimizer: Literal["sgd", "adam", "adamw", "lbfgs"] | None = setting(None)
    learning_rate: float | None = setting(None, above=0)  # at the peak, after the warm-up
    warmup_epochs: float | None = setting(None, minimum=0)  # linear, from zero to the peak
    decay: Literal["cosine", "constant"] = "cosine"  # from the peak to zero, or not at all
    momentum: float = setting(0.9, minimum=0, below=1)  # for sgd
    nesterov: bool = False  # for sgd: the gradient is taken where the momentum leads
    weight_decay: float | None = setting(None, minimum=0)  # decoupled from the loss; kernels only
    clip_norm: float | None = setting(None, minimum=0)  # global gradient norm; 0 clips nothing


@dataclass(frozen=True)
class HeadConfig(PhaseConfig):
    """The new layers, and the phase that trains them with the backbone frozen.

    `lbfgs` solves a head without hidden layers to its end; an epoch is then one iteration, a pass
    over the training images, and the epochs are at most so many under each penalty. Of the rate and
    what belongs to it, it takes nothing.
    """

    penalty: float | None = setting(None, minimum=0)  # for lbfgs; None chooses on validation
    augmented_views: int = setting(0, minimum=0)  # of each image, kept beside the image itself
    pooling: Literal["average", "max", "both", "flatten"] = "average"
    hidden_units: tuple[int, ...] = setting((), minimum=1)
    dropout: float | None = setting(None, minimum=0, below=1)


@dataclass(frozen=True)
class FinetuneConfig(PhaseConfig):
    """The phase that trains part or all of the backbone together with the head."""

    optimizer: Literal["sgd", "adam", "adamw"] | None = setting(None)
    unfreeze: str | None = setting(None)  # "all", "none", or the first stage that is trained
    batch_norm: Literal["frozen", "adapt"] | None = setting(None)
    patience: int = setting(0, minimum=0)  # epochs without improvement; 0 never stops early


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes to the images that the backbone is trained on."""

    flip: bool | None = setting(None)  # left to right, half of the images
    shift: float | None = setting(None, minimum=0, below=1)  # up to this part of width and height
    zoom: float | None = setting(None, minimum=0, below=1)  # in or out by up to this part
    rotation: float | None = setting(None, minimum=0, maximum=180)  # up to this many degrees


@dataclass(frozen=True)
class RunConfig:
    """What every run is told: its data, its backbone, and where its results go.

    Raises:
        UsageError: A value is of the wrong type, outside its limits, or contradicts another.
    """

    # A folder, a manifest, TFRecord files, a name of TFDS or "hf:", or "digits".
    data: str = setting("", is_path=True)
    data_dir: str | None = setting(None, is_path=True)  # where TFDS data lie
    validation_fraction: float | None = setting(None, above=0, below=1)  # where it must be carved
    test_fraction: float | None = setting(None, above=0, below=1)  # likewise
    train_examples: int | None = setting(None, minimum=1)  # at most; None takes all
    validation_examples: int | None = setting(None, minimum=1)
    test_examples: int | None = setting(None, minimum=1)
    bad_images: BadImages = "error"  # what is done about those that cannot be read
    backbone: str = "resnet50"
    image_size: int | None = setting(None, minimum=8, maximum=4096)  # pixels the backbone sees
    input_size: int | None = setting(None, minimum=1, maximum=4096)  # pixels the model is given
    batch_size: int | None = setting(None, minimum=1)
    label_smoothing: float | None = setting(None, minimum=0, below=1)
    precision: Precision = "auto"
    xla: Xla = "auto"  # whether it compiles the train steps
    memory_gigabytes: float = setting(2.0, minimum=0)  # of images, and again of what is computed
    cache_gigabytes: float = setting(10.0, minimum=0)  # on the disk, in all; 0 keeps nothing there
    # Where; None is TFXFER_CACHE_DIR or the user's cache.
    cache_dir: str | None = setting(None, is_path=True)
    seed: int = setting(0, minimum=0, maximum=2**31 - 1)
    checkpoint_minutes: float = setting(5.0, minimum=0)  # within an epoch; 0 leaves it at its end
    max_minutes: float | None = setting(None, above=0)  # of training, over all resumptions
    run: str | None = None
    runs_dir: str = setting("runs", is_path=True)

    def __post_init__(self) -> None:
        for key in setting_keys(type(self)):
            check_value(type(self), key, self.get(key))
        for name, field in fields_of(self).items():
            path = getattr(self, name)
            if field.metadata.get("is_path") and path:
                object.__setattr__(self, name, expand_user(path, f"Setting '{name}'"))

    @property
    def memory_bytes(self) -> float:
        """The most that is kept in memory of images, and again of what is computed of them."""
        return self.memory_gigabytes * GIGABYTE

    def get(self, key: str) -> Any:
        """Returns the value of a setting by its dotted key, such as `head.epochs`."""
        value: Any = self
        for name in key.split("."):
            value = getattr(value, name)
        return value

    def with_settings(self, settings: Mapping[str, Any], origin: str = "") -> Self:
        """Returns a copy in which some settings have other values.

        Args:
            settings: New values, nested as in a recipe: `{"seed": 1, "head": {"epochs": 5}}`.
            origin: The file the settings come from, for messages.

        Raises:
            UsageError: A key is unknown or a value is not allowed.
        """
        where = f" in '{origin}'" if origin else ""
        try:
            return typing.cast(Self, replaced(type(self), self, settings, "", where))
        except UsageError as error:
            if origin and origin not in str(error):
                raise UsageError(f"In '{origin}': {error}") from None
            raise


@dataclass(frozen=True)
class FitConfig(RunConfig):
    """Everything that decides what a fit computes and where its results go."""

    # "imagenet", "none", a file, or the backbone's own word.
    weights: str | None = setting(None, is_path=True)
    class_weights: ClassWeights = "none"  # "balanced": the same total for each class
    export_dir: str = setting("saved_models", is_path=True)
    calibrate: bool = False  # probabilities at the temperature that suits validation
    min_accuracy: float = setting(0.0, minimum=0, maximum=1)  # less is not exported
    compare_scratch: bool = False  # train the same network from random weights, too
    compare_examples: int | None = setting(None, minimum=1)  # compare on so many training images
    compare_epochs: int | None = setting(None, minimum=1)  # of the network of random weights
    head: HeadConfig = HeadConfig()
    finetune: FinetuneConfig = FinetuneConfig()
    augment: AugmentConfig = AugmentConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head.epochs == 0 and self.finetune.epochs == 0:
            raise UsageError(
                "Settings 'head.epochs' and 'finetune.epochs' are both 0: nothing would be trained."
            )
        self._check_head()
        if self.compare_examples and not self.compare_scratch:
            raise UsageError(
                "Setting 'compare_examples' says on how many images to compare, but "
                "'compare_scratch' (--compare-scratch) is off."
            )
        if self.compare_scratch and self.weights == "none":
            raise UsageError(
                "Setting 'compare_scratch' compares pretrained weights with random ones, but "
                "'weights' is 'none'."
            )

    def _check_head(self) -> None:
        """Raises a UsageError where settings of the head belong to another optimizer."""
        head = self.head
        if head.optimizer == "lbfgs":
            if head.hidden_units:
                raise UsageError(
                    "Setting 'head.optimizer' is 'lbfgs', which solves a head without hidden "
                    "layers, but 'head.hidden_units' is set. Choose 'adam', 'adamw' or 'sgd'."
                )
            for name in GRADIENT_SETTINGS:
                if getattr(head, name) is not None:
                    raise UsageError(
                        f"Setting 'head.{name}' is of no use to 'lbfgs'; leave it out, or set "
                        "'head.optimizer' to 'adam', 'adamw' or 'sgd'."
                    )
        elif head.penalty is not None and head.optimizer is not None:
            raise UsageError(
                f"Setting 'head.penalty' is for 'lbfgs', but 'head.optimizer' is "
                f"'{head.optimizer}'. Use 'head.weight_decay'."
            )


@dataclass(frozen=True)
class PretrainConfig(PhaseConfig, RunConfig):
    """Everything that decides what a pretraining computes and where its results go."""

    epochs: int | None = setting(None, minimum=1)
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    nesterov: bool = True
    augment: AugmentConfig = AugmentConfig()
