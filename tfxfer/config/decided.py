"""The settings once they are decided: the records of `schema` in which what was open has a value.

They have the fields of those records, and may be given wherever those may. Only the annotations
differ, so that the type checker tells `int` from `int | None`. What computes takes these.
"""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, Literal

from tfxfer.config.schema import (
    AugmentConfig,
    FinetuneConfig,
    FitConfig,
    HeadConfig,
    PhaseConfig,
    PretrainConfig,
    RunConfig,
)
from tfxfer.config.settings import Record, fields_of
from tfxfer.errors import UsageError

# These classes are not decorated as dataclasses: their fields, with defaults and limits, and
# `__init__` are those of the record that was asked for.


class GradientPhase(PhaseConfig):
    """A phase that a gradient method trains."""

    epochs: int
    optimizer: Literal["sgd", "adam", "adamw"]
    learning_rate: float
    warmup_epochs: float
    weight_decay: float
    clip_norm: float


class DecidedHead(HeadConfig):
    """The new layers, whatever trains them."""

    epochs: int
    dropout: float


class SolvedHead(DecidedHead):
    """A head that L-BFGS solves; what gradient methods are told is None."""

    optimizer: Literal["lbfgs"]


class GradientHead(GradientPhase, DecidedHead):
    """A head that a gradient method trains."""


class DecidedFinetune(GradientPhase, FinetuneConfig):
    """The finetune phase."""

    unfreeze: str
    batch_norm: Literal["frozen", "adapt"]


class DecidedAugment(AugmentConfig):
    """The random changes."""

    flip: bool
    shift: float
    zoom: float
    rotation: float


class DecidedRun(RunConfig):
    """What every run is told.

    Raises:
        UsageError: A setting is open that this class says is not.
    """

    image_size: int
    input_size: int
    batch_size: int
    label_smoothing: float

    def __post_init__(self) -> None:
        super().__post_init__()
        key = _open_setting(self)
        if key is not None:
            raise UsageError(f"Setting '{key}' is open; in the settings of a run it is decided.")


class DecidedFit(DecidedRun, FitConfig):
    """Everything that decides what a fit computes."""

    weights: str
    head: SolvedHead | GradientHead
    finetune: DecidedFinetune
    augment: DecidedAugment


class DecidedPretrain(DecidedRun, GradientPhase, PretrainConfig):
    """Everything that decides what a pretraining computes."""

    augment: DecidedAugment


def filled(kind: type[Record], record: Any, choices: Mapping[str, Any]) -> Record:
    """Returns a record as one of another kind of the same fields, its open values filled.

    Args:
        kind: What it becomes, such as `DecidedFinetune` of a `FinetuneConfig`.
        record: Settings, or a section of them.
        choices: Values by name; each is taken only where the record has None.
    """
    values = {name: getattr(record, name) for name in fields_of(record)}
    missing = {name: value for name, value in choices.items() if values[name] is None}
    return kind(**{**values, **missing})


def decided_fit(config: FitConfig) -> DecidedFit:
    """Returns settings of a run, which were decided when it was begun, as such.

    Raises:
        UsageError: One of them is open.
    """
    solved = config.head.optimizer == "lbfgs"
    sections = dataclasses.replace(
        config,
        head=filled(SolvedHead if solved else GradientHead, config.head, {}),
        finetune=filled(DecidedFinetune, config.finetune, {}),
        augment=filled(DecidedAugment, config.augment, {}),
    )
    return filled(DecidedFit, sections, {})


def reopened(config: DecidedFit, **changes: Any) -> FitConfig:
    """Returns decided settings as ones that may be open, with some changed."""
    values = {name: getattr(config, name) for name in fields_of(config)}
    return FitConfig(**{**values, **changes})


def _open_setting(record: Any) -> str | None:
    """Returns the key of a setting that is None though its annotation does not allow it."""
    for name, annotation in typing.get_type_hints(type(record)).items():
        value = getattr(record, name)
        if dataclasses.is_dataclass(value):
            key = _open_setting(value) if isinstance(value, annotation) else ""
            if key is not None:
                return f"{name}.{key}".rstrip(".")
        elif value is None and type(None) not in typing.get_args(annotation):
            return name
    return None
