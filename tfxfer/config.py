"""Every setting of a run: its name, type, default and limits, and nothing that computes.

A setting whose default is `None` is open until `recipe.py` decides it; its type is the one that it
has from then on. `| None` marks the few that may stay open. The same names serve everywhere: the
field `head.epochs` is `epochs` under `[head]` in a recipe and `--head-epochs` on the command line.
"""

import dataclasses
import json
import pathlib
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar

from tfxfer.errors import UsageError, did_you_mean
from tfxfer.paths import expand_user, user_path

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
Xla = Literal["auto", "on", "off"]
ClassWeights = Literal["none", "balanced"]

BadImages = Literal["error", "skip"]

GIGABYTE = 10**9

# What a gradient method is told, and L-BFGS is not.
GRADIENT_SETTINGS = ("learning_rate", "warmup_epochs", "weight_decay", "clip_norm")

AnyConfig = TypeVar("AnyConfig", bound="RunConfig")


def _setting(
    default: Any,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    is_path: bool = False,
) -> Any:
    """Returns a dataclass field that knows the limits of its value, and whether `~` is expanded."""
    limits = {"at least": minimum, "at most": maximum, "above": above, "below": below}
    present = {words: limit for words, limit in limits.items() if limit is not None}
    return dataclasses.field(default=default, metadata={"limits": present, "is_path": is_path})


@dataclass(frozen=True)
class PhaseConfig:
    """How one phase is trained."""

    epochs: int = _setting(None, minimum=0)
    optimizer: Literal["sgd", "adam", "adamw", "lbfgs"] = _setting(None)
    learning_rate: float = _setting(None, above=0)  # at the peak, after the warm-up
    warmup_epochs: float = _setting(None, minimum=0)  # linear, from zero to the peak
    decay: Literal["cosine", "constant"] = "cosine"  # from the peak to zero, or not at all
    momentum: float = _setting(0.9, minimum=0, below=1)  # for sgd
    nesterov: bool = False  # for sgd: the gradient is taken where the momentum leads
    weight_decay: float = _setting(None, minimum=0)  # decoupled from the loss; kernels only
    clip_norm: float = _setting(None, minimum=0)  # global gradient norm; 0 clips nothing


@dataclass(frozen=True)
class HeadConfig(PhaseConfig):
    """The new layers, and the phase that trains them with the backbone frozen.

    `lbfgs` solves a head without hidden layers to its end; an epoch is then one iteration, a pass
    over the training images, and the epochs are at most so many under each penalty. Of the rate and
    what belongs to it, it takes nothing.
    """

    penalty: float | None = _setting(None, minimum=0)  # for lbfgs; None chooses on validation
    augmented_views: int = _setting(0, minimum=0)  # of each image, kept beside the image itself
    pooling: Literal["average", "max", "both", "flatten"] = "average"
    hidden_units: tuple[int, ...] = _setting((), minimum=1)
    dropout: float = _setting(None, minimum=0, below=1)


@dataclass(frozen=True)
class FinetuneConfig(PhaseConfig):
    """The phase that trains part or all of the backbone together with the head."""

    optimizer: Literal["sgd", "adam", "adamw"] = _setting(None)
    unfreeze: str = _setting(None)  # "all", "none", or the first stage that is trained
    batch_norm: Literal["frozen", "adapt"] = _setting(None)
    patience: int = _setting(0, minimum=0)  # epochs without improvement; 0 never stops early


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes to the images that the backbone is trained on."""

    flip: bool = _setting(None)  # left to right, half of the images
    shift: float = _setting(None, minimum=0, below=1)  # up to this part of width and height
    zoom: float = _setting(None, minimum=0, below=1)  # in or out by up to this part
    rotation: float = _setting(None, minimum=0, maximum=180)  # up to this many degrees


@dataclass(frozen=True)
class RunConfig:
    """What every run is told: its data, its backbone, and where its results go.

    Raises:
        UsageError: A value is of the wrong type, outside its limits, or contradicts another.
    """

    # A folder, a manifest, TFRecord files, a name of TFDS or "hf:", or "digits".
    data: str = _setting("", is_path=True)
    data_dir: str | None = _setting(None, is_path=True)  # where TFDS data lie
    validation_fraction: float | None = _setting(None, above=0, below=1)  # where it must be carved
    test_fraction: float | None = _setting(None, above=0, below=1)  # likewise
    train_examples: int | None = _setting(None, minimum=1)  # at most; None takes all
    validation_examples: int | None = _setting(None, minimum=1)
    test_examples: int | None = _setting(None, minimum=1)
    bad_images: BadImages = "error"  # what is done about those that cannot be read
    backbone: str = "resnet50"
    image_size: int = _setting(None, minimum=8, maximum=4096)  # pixels the backbone sees
    input_size: int = _setting(None, minimum=1, maximum=4096)  # pixels the model is given
    batch_size: int = _setting(None, minimum=1)
    label_smoothing: float = _setting(None, minimum=0, below=1)
    precision: Precision = "auto"
    xla: Xla = "auto"  # whether it compiles the train steps
    memory_gigabytes: float = _setting(2.0, minimum=0)  # of images, and again of what is computed
    cache_gigabytes: float = _setting(10.0, minimum=0)  # on the disk, in all; 0 keeps nothing there
    # Where; None is TFXFER_CACHE_DIR or the user's cache.
    cache_dir: str | None = _setting(None, is_path=True)
    seed: int = _setting(0, minimum=0, maximum=2**31 - 1)
    checkpoint_minutes: float = _setting(5.0, minimum=0)  # within an epoch; 0 leaves it at its end
    max_minutes: float | None = _setting(None, above=0)  # of training, over all resumptions
    run: str | None = None
    runs_dir: str = _setting("runs", is_path=True)

    def __post_init__(self) -> None:
        for key in setting_keys(type(self)):
            _check(type(self), key, self.get(key))
        for name, field in _fields(self).items():
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
            return typing.cast(Self, _replace(type(self), self, settings, "", where))
        except UsageError as error:
            if origin and origin not in str(error):
                raise UsageError(f"In '{origin}': {error}") from None
            raise


@dataclass(frozen=True)
class FitConfig(RunConfig):
    """Everything that decides what a fit computes and where its results go."""

    # "imagenet", "none", a file, or the backbone's own word.
    weights: str = _setting(None, is_path=True)
    class_weights: ClassWeights = "none"  # "balanced": the same total for each class
    export_dir: str = _setting("saved_models", is_path=True)
    calibrate: bool = False  # probabilities at the temperature that suits validation
    min_accuracy: float = _setting(0.0, minimum=0, maximum=1)  # less is not exported
    compare_scratch: bool = False  # train the same network from random weights, too
    compare_examples: int | None = _setting(None, minimum=1)  # compare on so many training images
    compare_epochs: int | None = _setting(None, minimum=1)  # of the network of random weights
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

    epochs: int = _setting(None, minimum=1)
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    nesterov: bool = True
    augment: AugmentConfig = AugmentConfig()


def setting_field(record: Any, key: str) -> dataclasses.Field[Any]:
    """Returns the dataclass field behind a dotted key such as `head.epochs` of `FitConfig`."""
    *sections, name = key.split(".")
    for section in sections:
        record = _fields(record)[section].type
    return _fields(record)[name]


def setting_keys(record: Any, prefix: str = "") -> Iterator[str]:
    """Yields the dotted key of every setting of `FitConfig`, say: plain ones, then sections."""
    for name, field in _fields(record).items():
        if dataclasses.is_dataclass(field.type):
            yield from setting_keys(field.type, f"{prefix}{name}.")
        else:
            yield prefix + name


def setting_types(record: Any, key: str) -> tuple[Any, ...]:
    """Returns the type a setting may have, as `(int,)`, or all the words of a Literal."""
    annotation = setting_field(record, key).type
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)
    return (annotation,)


def read_recipe(path: str | pathlib.Path, base: AnyConfig) -> AnyConfig:
    """Returns the settings of `base` overridden by what a TOML recipe sets.

    Raises:
        UsageError: The file cannot be read, is not TOML, or sets something it may not.
    """
    path = user_path(path)
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UsageError(f"There is no recipe '{path}'.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Cannot read the recipe '{path}': {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The recipe '{path}' is not valid TOML: {error}.") from None
    return base.with_settings(settings, origin=str(path))


def differing_setting(theirs: RunConfig, ours: RunConfig) -> str | None:
    """Returns the key of the first setting in which two runs differ, None where they are one run.

    What decides nothing of the result may differ: where the runs lie, and how often the state is
    written down.
    """
    for key in setting_keys(type(theirs)):
        if key not in ("run", "runs_dir", "checkpoint_minutes") and theirs.get(key) != ours.get(
            key
        ):
            return key
    return None


def changed_settings(config: RunConfig) -> dict[str, Any]:
    """Returns the settings that have not their default, by their dotted keys."""
    default = type(config)()
    keys = setting_keys(type(config))
    return {key: config.get(key) for key in keys if config.get(key) != default.get(key)}


def to_toml(config: RunConfig) -> str:
    """Returns the settings as a recipe that `read_recipe` reads back to an equal record.

    A setting that is still open is left out, as TOML has no null.
    """
    return _as_toml({key: config.get(key) for key in setting_keys(type(config))})


def changed_to_toml(config: RunConfig) -> str:
    """Returns the settings that have not their default as such a recipe."""
    return _as_toml(changed_settings(config))


def _as_toml(settings: Mapping[str, Any]) -> str:
    """Returns settings, by their dotted keys, in TOML; plain ones come first."""
    lines: list[str] = []
    section = ""
    for key, value in settings.items():
        *sections, name = key.split(".")
        if sections and sections[0] != section:
            section = sections[0]
            lines += ["", f"[{section}]"]
        if value is not None:
            # JSON's strings, numbers, booleans and arrays are TOML's, too; but for one character.
            text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
            lines.append(f"{name} = {text}")
    return "\n".join(lines) + "\n"


def _fields(record: Any) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(record)}


def _replace(
    kind: type[RunConfig], record: Any, settings: Mapping[str, Any], prefix: str, where: str
) -> Any:
    """Returns a record with the given values, going down into its sections."""
    changes: dict[str, Any] = {}
    for name, value in settings.items():
        key = f"{prefix}{name}"
        field = _fields(record).get(name)
        if field is None:
            raise UsageError(
                f"Unknown setting '{key}'{where}.{did_you_mean(key, setting_keys(kind))}"
            )
        if dataclasses.is_dataclass(field.type):
            if not isinstance(value, Mapping):
                raise UsageError(f"'{key}'{where} is a section, such as [{key}], not a value.")
            changes[name] = _replace(kind, getattr(record, name), value, f"{key}.", where)
        elif isinstance(value, Mapping):
            raise UsageError(f"'{key}'{where} is a setting, not a section.")
        else:
            changes[name] = _converted(kind, key, value)
    return dataclasses.replace(record, **changes)


def _converted(kind: type[RunConfig], key: str, value: Any) -> Any:
    """Returns the value in its field's type where nothing is lost: 1 as 1.0, a list as a tuple."""
    (allowed, *_) = setting_types(kind, key)
    if allowed is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return tuple(value) if isinstance(value, list) else value


_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def _check(record: type[RunConfig], key: str, value: Any) -> None:
    """Raises a UsageError unless the value is of its field's type and within its limits."""
    field = setting_field(record, key)
    allowed = setting_types(record, key)
    if value is None and field.default is None:
        return
    if isinstance(allowed[0], str):
        if value not in allowed:
            choices = ", ".join(f"'{word}'" for word in allowed)
            raise UsageError(
                f"Setting '{key}' is {value!r}; allowed are {choices}."
                f"{did_you_mean(str(value), allowed)}"
            )
        return
    numbers = value
    kind = allowed[0]
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, tuple) or any(type(item) is not int for item in value):
            raise UsageError(f"Setting '{key}' is {value!r}; it must be a list of whole numbers.")
    elif type(value) is not kind:
        raise UsageError(f"Setting '{key}' is {value!r}; it must be {_KINDS[kind]}.")
    else:
        numbers = (value,)
    tests = {
        "at least": lambda number, limit: number >= limit,
        "at most": lambda number, limit: number <= limit,
        "above": lambda number, limit: number > limit,
        "below": lambda number, limit: number < limit,
    }
    for words, limit in field.metadata.get("limits", {}).items():
        if not all(tests[words](number, limit) for number in numbers):  # nan fails every one
            raise UsageError(f"Setting '{key}' is {value!r}; it must be {words} {limit}.")
