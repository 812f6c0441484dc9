"""Decided settings: the records of `schema` with a value for every setting that was open.

They have the same fields as those records and can be used in their place. Only the annotations
differ: `int` in place of `int | None`. Code that computes takes these records.
"""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, Literal, Self

from tfxfer.config.frame import AnySize
from tfxfer.config.schema import (
    NEUTRAL_FINETUNING,
    AugmentConfig,
    FinetuneConfig,
    FitConfig,
    HeadConfig,
    PhaseConfig,
    PretrainConfig,
    RunConfig,
    TextConfig,
)
from tfxfer.config.settings import Record, fields_of
from tfxfer.errors import UsageError

# These classes are not decorated as dataclasses: they inherit the fields, with defaults and limits,
# and `__init__`.


class GradientPhase(PhaseConfig):
    """A phase trained by SGD, Adam or AdamW."""

    epochs: int
    optimizer: Literal["sgd", "adam", "adamw"]
    learning_rate: float
    warmup_epochs: float
    weight_decay: float
    clip_norm: float


class DecidedHead(HeadConfig):
    """The new layers, trained by any optimizer."""

    epochs: int
    dropout: float


class SolvedHead(DecidedHead):
    """A head trained by L-BFGS. The settings of gradient methods are None."""

    optimizer: Literal["lbfgs"]


class GradientHead(GradientPhase, DecidedHead):
    """A head trained by SGD, Adam or AdamW."""


class DecidedFinetune(GradientPhase, FinetuneConfig):
    """The finetune phase."""

    unfreeze: str
    batch_norm: Literal["frozen", "adapt"]
    ema: float
    echo: int

    def left_out(self, unfreeze: str) -> Self:
        """Returns the settings of a fit that keeps the head alone.

        Args:
            unfreeze: What the phase would train.
        """
        changes: dict[str, Any] = {"unfreeze": unfreeze, "epochs": 0, **NEUTRAL_FINETUNING}
        return dataclasses.replace(self, **changes)


class DecidedAugment(AugmentConfig):
    """The random augmentation."""

    flip: bool
    shift: float
    zoom: float
    rotation: float

    def unmixed(self) -> Self:
        """Returns the augmentation of the head phase, in which images are not mixed."""
        return dataclasses.replace(self, mixup=0.0, cutmix=0.0)


class DecidedText(TextConfig):
    """The words and layers of a text backbone."""

    max_words: int
    vocabulary: int
    dimensions: int
    units: int
    dropout: float


class DecidedTraining(RunConfig):
    """The settings that training needs, whatever it is trained on.

    Raises:
        UsageError: A setting that must be decided is open.
    """

    batch_size: int
    label_smoothing: float

    def __post_init__(self) -> None:
        super().__post_init__()
        key = _open_setting(self)
        if key is not None:
            raise UsageError(f"Setting '{key}' has no value. The settings of a run must have one.")


class DecidedRun(DecidedTraining):
    """The settings of every run on images."""

    image_size: AnySize
    input_size: AnySize


class DecidedFit(DecidedRun, FitConfig):
    """The settings of a fit."""

    weights: str
    head: SolvedHead | GradientHead
    finetune: DecidedFinetune
    augment: DecidedAugment


class DecidedTextRun(DecidedTraining):
    """The settings of every run on texts."""

    text: DecidedText


class DecidedTextFit(DecidedTextRun, FitConfig):
    """The settings of a fit on texts. Those that only images have are open."""

    weights: str
    head: SolvedHead | GradientHead
    finetune: DecidedFinetune


class DecidedTextPretrain(DecidedTextRun, GradientPhase, PretrainConfig):
    """The settings of a pretraining on texts."""


class DecidedPretrain(DecidedRun, GradientPhase, PretrainConfig):
    """The settings of a pretraining."""

    augment: DecidedAugment


def filled(kind: type[Record], record: Any, choices: Mapping[str, Any]) -> Record:
    """Returns a record as another type with the same fields, its open values filled in.

    Args:
        kind: The new type, such as `DecidedFinetune` for a `FinetuneConfig`.
        record: Settings, or a section of them.
        choices: Values by name, used where the record has None.
    """
    values = {name: getattr(record, name) for name in fields_of(record)}
    missing = {name: value for name, value in choices.items() if values[name] is None}
    return kind(**{**values, **missing})


def decided_head(head: HeadConfig, choices: Mapping[str, Any]) -> SolvedHead | GradientHead:
    """Returns the settings of a head as those of its optimizer; see `filled`."""
    optimizer = head.optimizer or choices.get("optimizer")
    if optimizer == "lbfgs":
        return filled(SolvedHead, head, choices)
    return filled(GradientHead, head, choices)


def decided_fit(config: FitConfig) -> DecidedFit:
    """Returns the settings of a run as decided settings.

    Raises:
        UsageError: One of them is open.
    """
    sections = dataclasses.replace(
        config,
        head=decided_head(config.head, {}),
        # Older runs do not have these settings, and did neither.
        finetune=filled(DecidedFinetune, config.finetune, {"ema": 0.0, "echo": 1}),
        augment=filled(DecidedAugment, config.augment, {}),
    )
    return filled(DecidedFit, sections, {})


def reopened(config: DecidedFit, **changes: Any) -> FitConfig:
    """Returns decided settings as settings that may be open, with some changed."""
    values = {name: getattr(config, name) for name in fields_of(config)}
    return FitConfig(**{**values, **changes})


def _open_setting(record: Any) -> str | None:
    """Returns the key of a setting that is None although its annotation does not allow it."""
    for name, annotation in typing.get_type_hints(type(record)).items():
        value = getattr(record, name)
        if dataclasses.is_dataclass(value):
            key = _open_setting(value) if isinstance(value, annotation) else ""
            if key is not None:
                return f"{name}.{key}".rstrip(".")
        elif value is None and type(None) not in typing.get_args(annotation):
            return name
    return None
