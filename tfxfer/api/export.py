"""`export`: publishes a classifier for TensorFlow Serving."""

import dataclasses
import pathlib
from collections.abc import Callable

from tfxfer.config.paths import user_path
from tfxfer.data.image.dataset import Images
from tfxfer.errors import ExportError
from tfxfer.evaluation.calibration import fit_temperature, tempered_copy
from tfxfer.evaluation.scoring import score
from tfxfer.exporting.publishing import (
    CHECK_IMAGES,
    export_saved_model,
    load_exportable,
    no_judge,
    own_export_dir,
)
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.runs.metrics_record import CalibrationRecord, FitMetrics, OtherDataSummary, read_metrics
from tfxfer.runs.versions import prune_versions
from tfxfer.system.files import check_writable
from tfxfer.system.isolation import isolated
from tfxfer.system.names import check_name, safe_name
from tfxfer.system.run_layout import RunDirectory


@isolated
def export(
    model: str | pathlib.Path,
    *,
    name: str | None = None,
    export_dir: str | None = None,
    data: str | None = None,
    data_dir: str | None = None,
    calibrate: bool = False,
    min_accuracy: float = 0.0,
    keep: int | None = None,
    say: Callable[[str], None] = print,
) -> pathlib.Path:
    """Returns a new version of a run or a `.keras` file to serve; see `export_saved_model`.

    Args:
        model: A run's directory, or a `.keras` file with `classes.txt` beside it.
        name: Of the model on the server; None takes the run's, or the file's.
        export_dir: Where models are; None takes the place that the run was given, whatever
            directory one is in, or `saved_models`.
        data: Where the images for the check come from; None takes the run's own.
        data_dir: Where TFDS data lie; None takes the run's own.
        calibrate: Publish the model at the temperature that suits validation; see `temperature`.
        min_accuracy: A model that is less accurate is not published; on the test split, or on
            validation where there is no test, of images that it was not trained on.
        keep: How many versions stay; None keeps all.
        say: Takes what must be known of other data than the run's own, for the person who watches.

    Raises:
        UsageError: The model or the data are not there.
        ExportError: The export cannot be written, differs from the model, or the model is not
            accurate enough.
    """
    if name is not None:
        check_name(name, "name", "--export-dir")
    trained = load_exportable(model)
    if name is None:
        name = safe_name(_name_of(trained), "model")
    config = trained.config
    directory = user_path(export_dir or own_export_dir(trained)) / name
    check_writable(directory, "export_dir")
    source = trained.open_source(data, data_dir)
    for note in source.notes if data is not None else ():
        say(f"note: {note}")
    metrics = FitMetrics()
    if calibrate:
        found = score(trained, source, "validation")
        temperature = fit_temperature(found.probabilities, found.labels)
        trained = dataclasses.replace(trained, model=tempered_copy(trained.model, temperature))
    if config and data is None and not calibrate:
        metrics = read_metrics(RunDirectory(trained.path.parent))
    elif min_accuracy or calibrate:
        if min_accuracy and source.judging == "all":
            raise ExportError(no_judge(source))
        found = score(trained, source, source.judging)
        summary = OtherDataSummary(
            accuracy=found.accuracy,
            balanced_accuracy=found.balanced_accuracy,
            loss=found.loss,
            num_examples=found.num_examples,
            data=found.data,
            notes=found.notes,
        )
        metrics = FitMetrics({found.split: summary})
    if calibrate:
        applied = CalibrationRecord(temperature, applied=True)
        metrics = dataclasses.replace(metrics, calibration=applied)
    shown = source.splits.get("validation") or next(iter(source.everything.values()))
    images = Images(shown, trained.input_size, memory_bytes=0)
    version = export_saved_model(
        trained, directory, images.encoded(CHECK_IMAGES), metrics, min_accuracy
    )
    if keep is not None:
        prune_versions(directory, keep)
    return version


def _name_of(trained: TrainedClassifier) -> str:
    """Returns the name of a model on a server: that of its run, or of its file or folder."""
    folder = trained.path.resolve().parent.name
    if trained.config:
        return folder
    return folder if trained.path.stem == "model" else trained.path.stem
