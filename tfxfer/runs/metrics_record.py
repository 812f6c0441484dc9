"""What came out of a run: what `metrics.json` holds."""

import dataclasses
import functools
import json
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from tfxfer.errors import UsageError
from tfxfer.system.run_layout import RunDirectory

Record = TypeVar("Record")

# The names under which `metrics.json` has a summary; what else it has is never called so.
_SPLITS = ("train", "validation", "test", "all")


@dataclass(frozen=True)
class Summary:
    """How good a model is on a split. What a file does not say is None.

    Attributes:
        accuracy: Share of examples whose most probable class is the label, in [0, 1].
        balanced_accuracy: Mean recall of the classes that occur, in [0, 1].
        loss: Mean cross-entropy in nats, without label smoothing.
        num_examples: How many there are.
        uneven_classes: Whether their number differs much from class to class.
    """

    accuracy: float
    balanced_accuracy: float | None = None
    loss: float | None = None
    num_examples: int | None = None
    uneven_classes: bool | None = None


@dataclass(frozen=True)
class CalibrationErrors:
    """The expected calibration errors on a split.

    Attributes:
        error: At temperature 1.
        error_at_temperature: At the temperature that suits validation.
    """

    error: float
    error_at_temperature: float


@dataclass(frozen=True)
class CalibrationRecord:
    """The temperature that suits validation.

    Attributes:
        temperature: What logits are divided by.
        errors: By split.
        applied: Whether the model has the temperature.
    """

    temperature: float
    errors: Mapping[str, CalibrationErrors] = field(default_factory=dict)
    applied: bool = False

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns what `as_json` returned."""
        errors = {
            name: _record(CalibrationErrors, found)
            for name, found in content.items()
            if name in _SPLITS
        }
        return cls(content["temperature"], errors, content["applied"])

    def as_json(self) -> dict[str, Any]:
        """Returns what `metrics.json` holds of it."""
        errors = {name: dataclasses.asdict(found) for name, found in self.errors.items()}
        return {"temperature": self.temperature, **errors, "applied": self.applied}


@dataclass(frozen=True)
class BestEpoch:
    """The epoch whose weights are kept.

    Attributes:
        phase: "head" or "finetune".
        epoch: Of that phase, from 1 on.
    """

    phase: str
    epoch: int


@dataclass(frozen=True)
class DataRecord:
    """The data that a run was trained on. What a file does not say is None.

    Attributes:
        name: Of the data set.
        fingerprint: Of its content.
        notes: What was noticed as it was opened.
    """

    name: str | None = None
    fingerprint: str | None = None
    notes: list[str] | None = None


@dataclass(frozen=True)
class Parameters:
    """Numbers of parameters.

    Attributes:
        total: Of the whole classifier.
        trained: Of those, the most that were trained in a phase.
    """

    total: int
    trained: int


@dataclass(frozen=True)
class ComparisonRecord:
    """What pretraining was worth.

    Attributes:
        num_train: Training images that both networks had.
        epochs: Epochs from random weights.
        split: The split on which they are compared.
        pretrained: Scores of the pretrained network on it.
        scratch: Scores of the other.
        gain: The accuracy of the first less that of the other.
        margin: The difference that chance explains.
        verdict: "helped", "made no difference" or "hurt".
    """

    num_train: int
    epochs: int
    split: str
    pretrained: Summary
    scratch: Summary
    gain: float
    margin: float
    verdict: str

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns what `as_json` returned."""
        scores = {name: _record(Summary, content[name]) for name in ("pretrained", "scratch")}
        return _record(cls, {**content, **scores})


@dataclass(frozen=True)
class FitMetrics:
    """What came out of a fit. What a file of an earlier version does not say is None or empty.

    Attributes:
        splits: How good the model is, by split.
        calibration: How far its probabilities can be believed.
        best: The epoch whose weights are kept.
        data: What it was trained on.
        num_classes: How many classes there are.
        parameters: How many parameters.
        skipped: By split, how many images were left out because they cannot be read.
        penalty: Of the head, where L-BFGS solved it.
        export: The version directory of the SavedModel.
        seconds: What the parts of the run took, and "total".
        comparison: What pretraining was worth, where that was measured.
        further: What a later version has written, too, by key.
    """

    splits: Mapping[str, Summary] = field(default_factory=dict)
    calibration: CalibrationRecord | None = None
    best: BestEpoch | None = None
    data: DataRecord | None = None
    num_classes: int | None = None
    parameters: Parameters | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)
    penalty: float | None = None
    export: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    comparison: ComparisonRecord | None = None
    further: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns what `as_json` returned, or a fit of an earlier or later version wrote.

        Raises:
            TypeError, KeyError, AttributeError: It is something else.
        """
        names = {one.name for one in dataclasses.fields(cls)} - {"splits", "further"}
        known: dict[str, Any] = {key: value for key, value in content.items() if key in names}
        for key, of_json in _PARTS.items():
            if known.get(key) is not None:
                known[key] = of_json(known[key])
        splits = {k: _record(Summary, one) for k, one in content.items() if k in _SPLITS}
        further = {k: v for k, v in content.items() if k not in names and k not in _SPLITS}
        return cls(**known, splits=splits, further=further)

    @property
    def judged(self) -> Summary:
        """How good the model is on the split that judges it."""
        return self.splits[judging_split(self.splits)]

    def as_json(self) -> dict[str, Any]:
        """Returns what `metrics.json` holds."""
        parts = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        splits, further = parts.pop("splits"), parts.pop("further")
        kept = {key: part for key, part in parts.items() if key == "best" or part not in (None, {})}
        return {**_as_json(splits), **_as_json(kept), **further}


@dataclass(frozen=True)
class PretrainMetrics:
    """What came out of a pretraining.

    Attributes:
        splits: How good the network is, by split.
        seconds: What the parts of the run took, and "total".
        num_classes: How many classes there are.
        parameters: How many parameters.
        epoch: The epoch whose weights are kept, from 1 on; 0 where no epoch was run.
        training_seconds: What all epochs took, of all processes that ran some.
    """

    splits: Mapping[str, Summary]
    seconds: Mapping[str, float]
    num_classes: int
    parameters: Parameters
    epoch: int
    training_seconds: float

    def as_json(self) -> dict[str, Any]:
        """Returns what `metrics.json` holds."""
        content = _as_json(self)
        return {**content.pop("splits"), **content}


def read_metrics(run: RunDirectory) -> FitMetrics:
    """Returns what came out of a fit.

    Raises:
        UsageError: It does not say, or not what can be read.
    """
    content = read_metrics_json(run)
    try:
        return FitMetrics.of_json(content)
    except (TypeError, KeyError, AttributeError) as error:
        raise _unreadable(run, error) from None


def read_metrics_json(run: RunDirectory) -> dict[str, Any]:
    """Returns what came out of a fit or a pretraining, as it stands in `metrics.json`.

    Raises:
        UsageError: It does not say, or not what can be read.
    """
    try:
        return dict(json.loads(run.metrics.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise _unreadable(run, error) from None


def judging_split(splits: Container[str]) -> str:
    """Returns the split that judges a model: the test or, where there is none, validation."""
    return "test" if "test" in splits else "validation"


def _record(kind: type[Record], content: Mapping[str, Any]) -> Record:
    """Returns a record of the keys that it has; others are of a later version."""
    names = {one.name for one in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in content.items() if name in names})


def _as_json(value: Any) -> Any:
    """Returns a record, or what is in one, as JSON has it; fields that are None are left out."""
    if isinstance(value, CalibrationRecord):
        return value.as_json()
    if isinstance(value, Mapping):
        return {key: _as_json(part) for key, part in value.items()}
    if dataclasses.is_dataclass(value):
        parts = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
        return {name: _as_json(part) for name, part in parts.items() if part is not None}
    return value


# The parts of a fit's metrics that are records themselves.
_PARTS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "calibration": CalibrationRecord.of_json,
    "best": functools.partial(_record, BestEpoch),
    "data": functools.partial(_record, DataRecord),
    "parameters": functools.partial(_record, Parameters),
    "comparison": ComparisonRecord.of_json,
}


def _unreadable(run: RunDirectory, error: Exception) -> UsageError:
    return UsageError(f"Cannot read '{run.metrics}', which the fit leaves: {error}.")
