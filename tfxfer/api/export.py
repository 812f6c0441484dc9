"""`export`: publishes a classifier for TensorFlow Serving."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Unpack

from tfxfer.data.image.dataset import Images
from tfxfer.data.seen import BoundSource
from tfxfer.errors import ExportError
from tfxfer.evaluation.calibration import calibrated_copy, fit_temperature
from tfxfer.evaluation.scoring import score, why_not_evaluable
from tfxfer.exporting.publication import Publication, PublicationSettings
from tfxfer.exporting.publishing import (
    CHECK_IMAGES,
    OtherDataSummary,
    export_saved_model,
    load_exportable,
    open_and_tell,
)
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.runs.metrics_record import CalibrationRecord, FitMetrics, read_metrics
from tfxfer.runs.versions import prune_versions
from tfxfer.system.files import check_writable
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import RunDirectory


@isolated
def export(
    model: str | pathlib.Path,
    *,
    data: str | None = None,
    data_dir: str | None = None,
    say: Callable[[str], None] = print,
    **settings: Unpack[PublicationSettings],
) -> pathlib.Path:
    """Returns a new version of a run or a `.keras` file to serve; see `export_saved_model`.

    Args:
        model: A run's directory, or a `.keras` file with `classes.txt` beside it.
        data: Where the images for the check come from; None takes the run's own.
        data_dir: Where TFDS data lie; None takes the run's own.
        say: Takes what must be known of other data than the run's own, for the person who watches.
        **settings: How it is published, by keyword: name, export_dir, calibrate, min_accuracy and
            keep; see `Publication`.

    Raises:
        UsageError: The model or the data are not there.
        ExportError: The export cannot be written, differs from the model, or the model is not
            accurate enough.
    """
    wanted = Publication(**settings)
    trained = load_exportable(model)
    directory = wanted.directory(trained)
    check_writable(directory, "export_dir")
    source = open_and_tell(trained, data, data_dir, say)
    if wanted.calibrate:
        trained, metrics = _calibrated(trained, source, wanted)
    elif trained.config and data is None:
        metrics = read_metrics(RunDirectory(trained.path.parent))
    elif wanted.min_accuracy:
        metrics = _judged(trained, source, wanted)
    else:
        metrics = FitMetrics()
    shown = source.splits.get("validation") or next(iter(source.everything.values()))
    examples = Images(shown, trained.input_size, memory_bytes=0).encoded(CHECK_IMAGES)
    version = export_saved_model(trained, directory, examples, metrics, wanted.min_accuracy)
    if wanted.keep is not None:
        prune_versions(directory, wanted.keep)
    return version


def _calibrated(
    trained: TrainedClassifier, source: BoundSource, wanted: Publication
) -> tuple[TrainedClassifier, FitMetrics]:
    """Returns a classifier at the temperature that suits validation, and how good it is."""
    found = score(trained, source, "validation")
    temperature = fit_temperature(found.probabilities, found.labels)
    trained = dataclasses.replace(trained, model=calibrated_copy(trained.model, temperature))
    applied = CalibrationRecord(temperature, applied=True)
    return trained, dataclasses.replace(_judged(trained, source, wanted), calibration=applied)


def _judged(trained: TrainedClassifier, source: BoundSource, wanted: Publication) -> FitMetrics:
    """Returns how good a classifier is on the split that judges it.

    Raises:
        ExportError: There is none, but an accuracy was asked for.
    """
    if wanted.min_accuracy and source.judging == "all":
        raise ExportError(
            f"Cannot check --min-accuracy: {why_not_evaluable(source)} It was not published."
        )
    found = score(trained, source, source.judging)
    summary = OtherDataSummary(
        accuracy=found.accuracy,
        balanced_accuracy=found.balanced_accuracy,
        loss=found.loss,
        num_examples=found.num_examples,
        data=found.data,
        notes=found.notes,
    )
    return FitMetrics({found.split: summary})
