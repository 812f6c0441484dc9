"""Every setting of a run as it is asked for: its name, type, default and limits.

A setting that is `None` is open. What `decided.py` has of the same name without `| None` is then
decided by a rule; the others may stay open. The same names serve everywhere: the field
`head.epochs` is `epochs` under `[head]` in a recipe and `--head-epochs` on the command line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar

from tfxfer.config.paths import expand_user
from tfxfer.config.settings import changed, check_value, fields_of, setting, setting_keys
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
    """How one phase is trained.

    The rate rises from zero in a straight line. Weight decay is for kernels only.
    """

    epochs: int | None = setting(None, "Passes over the training images.", minimum=0)
    optimizer: Literal["sgd", "adam", "adamw", "lbfgs"] | None = setting(None, "Update rule.")
    learning_rate: float | None = setting(None, "Peak learning rate.", above=0)
    warmup_epochs: float | None = setting(None, "Epochs until the peak.", minimum=0)
    decay: Literal["cosine", "constant"] = setting("cosine", "What the rate does after the peak.")
    momentum: float = setting(0.9, "Of sgd.", minimum=0, below=1)
    nesterov: bool = setting(False, "Nesterov's momentum for sgd.")
    weight_decay: float | None = setting(None, "Decoupled weight decay.", minimum=0)
    clip_norm: float | None = setting(
        None, "Largest global gradient norm; 0 clips nothing.", minimum=0
    )


@dataclass(frozen=True)
class HeadConfig(PhaseConfig):
    """The new layers, and the phase that trains them with the backbone frozen.

    `lbfgs` solves a head without hidden layers to its end; an epoch is then one iteration, a pass
    over the training images, and the epochs are at most so many under each penalty. Of the rate and
    what belongs to it, it takes nothing.
    """

    epochs: int | None = setting(None, "Epochs with the backbone frozen.", minimum=0)
    optimizer: Literal["sgd", "adam", "adamw", "lbfgs"] | None = setting(
        None, "Update rule; lbfgs solves a head without hidden layers to its end."
    )
    penalty: float | None = setting(
        None, "Of the squared weights, for lbfgs  [default: chosen on validation]", minimum=0
    )
    augmented_views: int = setting(
        0, "Changed views of each image that the head learns from, too.", minimum=0
    )
    pooling: Literal["average", "max", "both", "flatten"] = setting(
        "average", "From feature maps to features."
    )
    hidden_units: tuple[int, ...] = setting(
        (), "Units of a hidden layer; repeat it for several.", minimum=1
    )
    dropout: float | None = setting(
        None, "Share of the features dropped in training.", minimum=0, below=1
    )


@dataclass(frozen=True)
class FinetuneConfig(PhaseConfig):
    """The phase that trains part or all of the backbone together with the head."""

    epochs: int | None = setting(None, "Epochs with the backbone unfrozen.", minimum=0)
    optimizer: Literal["sgd", "adam", "adamw"] | None = setting(None, "Update rule.")
    unfreeze: str | None = setting(
        None, "'all', 'none', or the first stage trained.", short="--unfreeze"
    )
    batch_norm: Literal["frozen", "adapt"] | None = setting(
        None, "'frozen' keeps its statistics; 'adapt' lets them learn.", short="--batch-norm"
    )
    patience: int = setting(
        0, "Stop after so many epochs without a better one; 0 never.", minimum=0
    )


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes to the images that the backbone is trained on."""

    flip: bool | None = setting(None, "Mirror half of the images.")  # left to right
    shift: float | None = setting(None, "Shift by up to this part of the side.", minimum=0, below=1)
    zoom: float | None = setting(None, "Zoom in or out by up to this part.", minimum=0, below=1)
    rotation: float | None = setting(
        None, "Rotate by up to this many degrees.", minimum=0, maximum=180
    )


@dataclass(frozen=True)
class RunConfig:
    """What every run is told: its data, its backbone, and where its results go.

    Raises:
        UsageError: A value is of the wrong type, outside its limits, or contradicts another.
    """

    data: str = setting(
        "",
        "A folder with one folder per class, a manifest (.csv, .jsonl), TFRecord files, a name of "
        "TFDS, 'hf:' and one of Hugging Face, or 'digits'.",
        is_path=True,
    )
    data_dir: str | None = setting(
        None, "Where TFDS data lie  [default: TFDS_DATA_DIR, else TFDS's own]", is_path=True
    )
    validation_fraction: float | None = setting(
        None, "Share of the images carved for validation where there is none.", above=0, below=1
    )
    test_fraction: float | None = setting(
        None, "Share carved for the test where the data have no splits at all.", above=0, below=1
    )
    train_examples: int | None = setting(
        None, "Train on at most this many images, the same share of each class.", minimum=1
    )
    validation_examples: int | None = setting(None, "Likewise for validation.", minimum=1)
    test_examples: int | None = setting(None, "Likewise for the test.", minimum=1)
    bad_images: BadImages = setting(
        "error", "Images that cannot be read: stop before the work begins, or leave them out."
    )
    backbone: str = setting("resnet50", "Network; `tfxfer backbones` lists them.")
    image_size: int | None = setting(
        None, "Pixels of the square image that the backbone sees.", minimum=8, maximum=4096
    )
    input_size: int | None = setting(
        None,
        "Pixels of the square image that the model takes and upsamples.",
        minimum=1,
        maximum=4096,
    )
    batch_size: int | None = setting(None, "Images per step.", minimum=1)
    label_smoothing: float | None = setting(
        None, "Share of the target spread over all classes.", minimum=0, below=1
    )
    precision: Precision = setting("auto", "Arithmetic of the backbone.")
    xla: Xla = setting(
        "auto", "Compile the train steps: takes a minute; on a GPU they are then twice as fast."
    )
    memory_gigabytes: float = setting(
        2.0, "Most memory for images, and as much again for what is computed of them.", minimum=0
    )
    cache_gigabytes: float = setting(
        10.0, "Most disk for the features and images of all runs; 0 keeps none.", minimum=0
    )
    cache_dir: str | None = setting(
        None, "Where these are  [default: TFXFER_CACHE_DIR, else ~/.cache/tfxfer]", is_path=True
    )
    seed: int = setting(
        0,
        "Decides the splits, the order, the augmentation and the initial weights.",
        minimum=0,
        maximum=2**31 - 1,
    )
    checkpoint_minutes: float = setting(
        5.0, "Write the state down so often within an epoch; 0 only at its end.", minimum=0
    )
    max_minutes: float | None = setting(
        None,
        "Train no longer than about this, with a schedule to suit  [default: no limit]",
        above=0,
    )
    run: str | None = setting(None, "Name of the run  [default: made from data and backbone]")
    runs_dir: str = setting("runs", "Where runs go.", is_path=True)

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
        return changed(self, settings, origin)


@dataclass(frozen=True)
class FitConfig(RunConfig):
    """Everything that decides what a fit computes and where its results go."""

    weights: str | None = setting(
        None,
        "'none', or a .h5, .weights.h5 or .keras file  [default: the backbone's own]",
        is_path=True,
    )
    class_weights: ClassWeights = setting(
        "none", "'balanced' counts each class the same, however few its images."
    )
    export_dir: str = setting("saved_models", "Where exports go.", is_path=True)
    calibrate: bool = setting(
        False, "Have the model give probabilities that agree with how often it is right."
    )
    min_accuracy: float = setting(
        0.0,
        "Export nothing less accurate, on the test split or else validation.",
        minimum=0,
        maximum=1,
    )
    compare_scratch: bool = setting(
        False, "Train from random weights, too, and say what transfer was worth."
    )
    compare_examples: int | None = setting(
        None, "Compare on so many training images  [default: all]", minimum=1
    )
    compare_epochs: int | None = setting(
        None, "Epochs from random weights  [default: the budget of the pretrained]", minimum=1
    )
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

    epochs: int | None = setting(None, "Passes over the training images.", minimum=1)
    optimizer: Literal["sgd", "adam", "adamw"] = setting("sgd", "Update rule.")
    nesterov: bool = setting(True, "Nesterov's momentum for sgd.")
    augment: AugmentConfig = AugmentConfig()
