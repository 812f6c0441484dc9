"""`export` of classifiers of texts."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from tfxfer.config.paths import user_path
from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.evaluation.calibration import divide_logits, fit_temperature
from tfxfer.runs.metrics_record import FitMetrics, read_metrics
from tfxfer.runs.places import run_settings
from tfxfer.runs.scores.calibration import CalibrationRecord
from tfxfer.runs.scores.summary import Summary
from tfxfer.runs.versions import prune_versions
from tfxfer.system.files import check_writable
from tfxfer.system.names import check_name, safe_name
from tfxfer.system.run_layout import RunDirectory
from tfxfer.text.data.source import TextSource
from tfxfer.text.models.classifier import HEAD
from tfxfer.text.serving.loading import ServedTexts, TrainedTexts, load_texts
from tfxfer.text.serving.publishing import export_text_model
from tfxfer.text.serving.scoring import score_texts


def export(
    model: str | pathlib.Path,
    *,
    data: str | None = None,
    data_dir: str | None = None,
    say: Callable[[str], None] = print,
    name: str | None = None,
    export_dir: str | None = None,
    calibrate: bool = False,
    **more: Any,
) -> pathlib.Path:
    """Exports a classifier of texts as a new SavedModel version; see `tfxfer.export`."""
    keep, min_accuracy = more.pop("keep", None), more.pop("min_accuracy", 0.0)
    _refuse_unknown(model, more)
    if name is not None:
        check_name(name, "name", "--export-dir")
    trained = load_texts(model)
    if isinstance(trained, ServedTexts):
        raise UsageError(f"'{model}' is already an export: use the run, or its '.keras' file.")
    directory = _folder(trained, export_dir) / (name or _name(trained))
    check_writable(directory, "export_dir")
    source = trained.open_source(data, data_dir)
    metrics = FitMetrics()
    if calibrate:
        temperature = _calibrate(trained, source, is_own=data is None)
        applied = CalibrationRecord(temperature, applied=True)
        metrics = dataclasses.replace(
            _evaluated(trained, source, is_own=data is None), calibration=applied
        )
    elif trained.config and data is None:
        metrics = read_metrics(RunDirectory(trained.path.parent))
    elif min_accuracy:
        metrics = _evaluated(trained, source, is_own=data is None)
    sample = source.splits.get("validation") or next(iter(source.splits.values()))
    version = export_text_model(trained, directory, sample.texts, metrics, min_accuracy)
    if keep is not None:
        prune_versions(directory, keep)
    return version


def _refuse_unknown(model: str | pathlib.Path, settings: Mapping[str, Any]) -> None:
    """Raises a UsageError if unknown texts are to be told."""
    if settings.get("unknown"):
        raise UsageError(
            f"Setting 'unknown' (--unknown) is for models of images, but '{model}' takes texts. "
            "Leave it out."
        )


def _name(trained: TrainedTexts) -> str:
    """Returns the name of a model on a server: that of its run, or of its file or folder."""
    folder = trained.path.resolve().parent.name
    own = folder if trained.config or trained.path.stem == "model" else trained.path.stem
    return safe_name(own, "model")


def _folder(trained: TrainedTexts, export_dir: str | None) -> pathlib.Path:
    if export_dir is None and trained.config is not None:
        export_dir = run_settings(RunDirectory(trained.path.parent), FitConfig).export_dir
    return user_path(export_dir or "saved_models")


def _calibrate(trained: TrainedTexts, source: TextSource, *, is_own: bool) -> float:
    """Divides the logits by the temperature fitted on validation, and returns it.

    The model was loaded for this export, so its own head may be changed.
    """
    found = score_texts(trained, source, "validation", is_own=is_own).result
    temperature = fit_temperature(found.probabilities, found.labels)
    divide_logits(trained.model.get_layer(HEAD), temperature)
    return temperature


def _evaluated(trained: TrainedTexts, source: TextSource, *, is_own: bool) -> FitMetrics:
    """Returns the metrics of a classifier on its evaluation split."""
    found = score_texts(trained, source, None, is_own=is_own).result
    summary = Summary(
        accuracy=found.accuracy,
        balanced_accuracy=found.balanced_accuracy,
        loss=found.loss,
        num_examples=found.num_examples,
    )
    return FitMetrics({found.split: summary})
