"""The metrics of a run, as `metrics.json` holds them."""

import dataclasses
import functools
import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from tfxfer.errors import UsageError
from tfxfer.runs.scores.calibration import CalibrationRecord
from tfxfer.runs.scores.caution import CautionScores
from tfxfer.runs.scores.folds import FoldsRecord
from tfxfer.runs.scores.summary import OUT_OF_FOLD, SPLITS, Summary
from tfxfer.runs.search.average import AverageRecord
from tfxfer.runs.search.record import SearchRecord
from tfxfer.system.files import write_json
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.timing.clock import Clock

Record = TypeVar("Record")


@dataclass(frozen=True)
class BestEpoch:
    """The epoch whose weights are kept.

    Attributes:
        phase: "head" or "finetune".
        epoch: Number within that phase, from 1.
    """

    phase: str
    epoch: int


@dataclass(frozen=True)
class DataRecord:
    """The data that a run was trained on. Values missing in a file are None.

    Attributes:
        name: Name of the dataset.
        fingerprint: Digest of its content.
        notes: Notes made when it was opened.
    """

    name: str | None = None
    fingerprint: str | None = None
    notes: list[str] | None = None


@dataclass(frozen=True)
class Parameters:
    """Numbers of parameters.

    Attributes:
        total: Parameters of the whole classifier.
        trained: Trained parameters, the maximum over phases.
    """

    total: int
    trained: int


@dataclass(frozen=True)
class ComparisonRecord:
    """How much pretraining helped.

    Attributes:
        num_train: Number of training images, the same for both networks.
        epochs: Epochs of the network trained from scratch.
        split: Split on which they are compared.
        pretrained: Scores of the pretrained network on it.
        scratch: Scores of the network trained from scratch.
        gain: Accuracy of the pretrained network minus that of the other.
        margin: 95% margin of error of the gain.
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
        """Returns the record that `as_json` wrote."""
        scores = {name: Summary.of_json(content[name]) for name in ("pretrained", "scratch")}
        return _record(cls, {**content, **scores})


@dataclass(frozen=True)
class FitMetrics:
    """The metrics of a fit. Values missing in a file of an earlier version are None or empty.

    Attributes:
        splits: Scores of the model by split.
        calibration: Calibration of its probabilities.
        best: The epoch whose weights are kept.
        data: The data it was trained on.
        num_classes: Number of classes.
        parameters: Numbers of parameters.
        skipped: Number of unreadable images left out, by split.
        penalty: L2 penalty of the head, if it was fitted by L-BFGS.
        start_penalty: That of the head that the finetune phase started from, if it is another.
        export: The version directory of the SavedModel.
        seconds: Duration of each part of the run, and "total".
        thresholds: Threshold of each label, where an image may have several.
        tasks: The classes of each of several tasks.
        target: What is known of the training numbers of a target; see `data.labels.numbers`.
        comparison: How much pretraining helped, if that was measured.
        search: The way to fine-tune that was chosen, if there was a search.
        average: What became of the average of the weights, if one was tried.
        folds: The scores of a cross-validation, if there was one.
        caution: What the model calls unknown, if it tells.
        further: Unknown keys, written by a later version.
    """

    splits: Mapping[str, Summary] = field(default_factory=dict)
    calibration: CalibrationRecord | None = None
    best: BestEpoch | None = None
    data: DataRecord | None = None
    num_classes: int | None = None
    parameters: Parameters | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)
    penalty: float | None = None
    start_penalty: float | None = None
    export: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] | None = None
    tasks: Mapping[str, Sequence[str]] | None = None
    target: Mapping[str, Any] | None = None
    comparison: ComparisonRecord | None = None
    search: SearchRecord | None = None
    average: AverageRecord | None = None
    folds: FoldsRecord | None = None
    caution: CautionScores | None = None
    further: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns the metrics that `as_json` of this, an earlier or a later version returned.

        Raises:
            TypeError, KeyError, AttributeError: The content is something else.
        """
        names = {one.name for one in dataclasses.fields(cls)} - {"splits", "further"}
        known: dict[str, Any] = {key: value for key, value in content.items() if key in names}
        for key, of_json in _PARTS.items():
            if known.get(key) is not None:
                known[key] = of_json(known[key])
        splits = {k: Summary.of_json(one) for k, one in content.items() if k in SPLITS}
        further = {k: v for k, v in content.items() if k not in names and k not in SPLITS}
        return cls(**known, splits=splits, further=further)

    @property
    def evaluation_scores(self) -> Summary:
        """Scores on the evaluation split; see `evaluation_split`."""
        return self.splits[evaluation_split(self.splits)]

    def as_json(self) -> dict[str, Any]:
        """Returns the content of `metrics.json`."""
        parts = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        splits, further = parts.pop("splits"), parts.pop("further")
        kept = {key: part for key, part in parts.items() if key == "best" or part not in (None, {})}
        return {**_as_json(splits), **_as_json(kept), **further}


@dataclass(frozen=True)
class PretrainMetrics:
    """The metrics of a pretraining.

    Attributes:
        splits: Scores of the network by split.
        seconds: Duration of each part of the run, and "total".
        num_classes: Number of classes.
        parameters: Numbers of parameters.
        epoch: The epoch whose weights are kept, from 1; 0 if none was trained.
        training_seconds: Duration of all epochs, including those before an interruption.
    """

    splits: Mapping[str, Summary]
    seconds: Mapping[str, float]
    num_classes: int
    parameters: Parameters
    epoch: int
    training_seconds: float

    def as_json(self) -> dict[str, Any]:
        """Returns the content of `metrics.json`."""
        content = _as_json(self)
        return {**content.pop("splits"), **content}


def write_metrics(run: RunDirectory, metrics: FitMetrics, clock: Clock) -> FitMetrics:
    """Writes the metrics of a fit with the duration so far, and returns them."""
    metrics = dataclasses.replace(metrics, seconds=clock.seconds)
    write_json(run.metrics, metrics.as_json())
    return metrics


def read_metrics(run: RunDirectory) -> FitMetrics:
    """Reads the metrics of a fit.

    Raises:
        UsageError: `metrics.json` is missing or cannot be read.
    """
    try:
        return FitMetrics.of_json(read_metrics_json(run))
    except (TypeError, KeyError, AttributeError) as error:
        raise _unreadable(run, error) from None


def read_metrics_json(run: RunDirectory) -> dict[str, Any]:
    """Reads `metrics.json` of a fit or a pretraining as a dict, as `read_metrics` does a fit's."""
    try:
        return dict(json.loads(run.metrics.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise _unreadable(run, error) from None


def evaluation_split(splits: Container[str]) -> str:
    """Returns the split that a model is evaluated on: "test" if there is one, else "validation".

    Where it was trained on validation, too, that is `OUT_OF_FOLD`.
    """
    names = ("test", "validation", OUT_OF_FOLD)
    return next((name for name in names if name in splits), "validation")


def _record(kind: type[Record], content: Mapping[str, Any]) -> Record:
    """Returns a record of the known keys; others were written by a later version."""
    names = {one.name for one in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in content.items() if name in names})


def _as_json(value: Any) -> Any:
    """Returns a record, or a part of one, JSON-serializable; fields that are None are left out."""
    if isinstance(value, CalibrationRecord):
        return value.as_json()
    if isinstance(value, Summary):
        return _as_json(value.as_json())
    if isinstance(value, Mapping):
        return {key: _as_json(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return list(value)
    if dataclasses.is_dataclass(value):
        parts = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
        return {name: _as_json(part) for name, part in parts.items() if part is not None}
    return value


# Parts of the metrics that are records themselves.
_PARTS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "calibration": CalibrationRecord.of_json,
    "best": functools.partial(_record, BestEpoch),
    "data": functools.partial(_record, DataRecord),
    "parameters": functools.partial(_record, Parameters),
    "comparison": ComparisonRecord.of_json,
    "search": SearchRecord.of_json,
    "average": AverageRecord.of_json,
    "folds": FoldsRecord.of_json,
    "caution": CautionScores.of_json,
}


def _unreadable(run: RunDirectory, error: Exception) -> UsageError:
    return UsageError(f"Cannot read the metrics '{run.metrics}': {error}.")
