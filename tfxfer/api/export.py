"""`export`: exports a classifier for TensorFlow Serving."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Unpack

import numpy as np

from tfxfer.api.modality import by_model
from tfxfer.config.settings import option_of
from tfxfer.data.image.dataset import Images
from tfxfer.data.labels.kinds import MULTI_LABEL, NUMERIC
from tfxfer.data.seen import BoundSource
from tfxfer.errors import ExportError, UsageError
from tfxfer.evaluation.calibration import apply_temperature, calibrated_copy, fit_temperature
from tfxfer.evaluation.cautioning import Rates
from tfxfer.evaluation.cautious import choosing_images, with_caution
from tfxfer.evaluation.scoring import out_of_fold_result, score, why_not_evaluable
from tfxfer.exporting.publication import Publication, PublicationSettings
from tfxfer.exporting.publishing import (
    CHECK_IMAGES,
    OtherDataSummary,
    export_saved_model,
    load_exportable,
    open_and_tell,
)
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.runs.metrics_record import FitMetrics, read_metrics
from tfxfer.runs.scores.calibration import CalibrationRecord
from tfxfer.runs.versions import prune_versions
from tfxfer.system.files import check_writable
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import RunDirectory


@isolated
@by_model
def export(
    model: str | pathlib.Path,
    *,
    data: str | None = None,
    data_dir: str | None = None,
    say: Callable[[str], None] = print,
    **settings: Unpack[PublicationSettings],
) -> pathlib.Path:
    """Exports a run or a `.keras` file as a new SavedModel version for TensorFlow Serving.

    The SavedModel is reloaded and compared with the model before it is published; see
    `export_saved_model`.

    Args:
        model: A run's directory, or a `.keras` file with `classes.txt` next to it.
        data: Data for the comparison; by default the run's own.
        data_dir: Directory of TFDS datasets; by default the run's own.
        say: Called with each note on data other than the run's own.
        **settings: `name`, `export_dir`, `calibrate`, `min_accuracy`, `keep`, `unknown`,
            `unknown_rate` and `coverage`; see `Publication`.

    Returns:
        The directory of the version, such as `saved_models/photos/2`.

    Raises:
        UsageError: The model or the data do not exist.
        ExportError: The export cannot be written, differs from the model, or the model is less
            accurate than `min_accuracy`.

    Examples:
        >>> import tfxfer
        >>> tfxfer.export("runs/photos", name="photos", min_accuracy=0.9)  # doctest: +SKIP
        PosixPath('saved_models/photos/1')
    """
    wanted = Publication(**settings)
    trained = load_exportable(model)
    directory = wanted.directory(trained)
    check_writable(directory, "export_dir")
    kind = trained.outputs.special
    for name in ("min_accuracy", *(["calibrate"] if kind == NUMERIC else [])):
        if getattr(wanted, name) and kind in (MULTI_LABEL, NUMERIC):
            raise UsageError(
                f"Setting '{name}' ({option_of(name)}) is for models with one class per image, but "
                f"'{trained.path}' is {kind}. Leave it out."
            )
    source = open_and_tell(trained, data, data_dir, say)
    if wanted.calibrate:
        trained, metrics = _calibrated(trained, source, wanted)
    elif trained.config and data is None:
        metrics = read_metrics(RunDirectory(trained.path.parent))
    elif wanted.min_accuracy:
        metrics = _evaluated(trained, source, wanted)
    else:
        metrics = FitMetrics()
    rates = _rates(trained, wanted)
    if rates is not None:
        trained = with_caution(trained, source, rates)
        say(_described(trained))
    sample = source.splits.get("validation") or next(iter(source.everything.values()))
    examples = Images(sample, trained.frame, memory_bytes=0).encoded(CHECK_IMAGES)
    version = export_saved_model(trained, directory, examples, metrics, wanted.min_accuracy)
    if wanted.keep is not None:
        prune_versions(directory, wanted.keep)
    return version


def _rates(trained: TrainedClassifier, wanted: Publication) -> Rates | None:
    """Returns the rates that limits are to be found for; None if there is nothing to find."""
    if wanted.unknown:
        return Rates(wanted.unknown_rate, wanted.coverage)
    if wanted.calibrate and trained.caution is not None:  # other probabilities, other limits
        record = trained.caution.record
        return Rates(record.unknown_rate, record.coverage)
    return None


def _described(trained: TrainedClassifier) -> str:
    """Returns what a cautious classifier calls unknown."""
    return "" if trained.caution is None else trained.caution.record.describe()


def _calibrated(
    trained: TrainedClassifier, source: BoundSource, wanted: Publication
) -> tuple[TrainedClassifier, FitMetrics]:
    """Returns a classifier at the temperature fitted on validation, and its metrics."""
    choosing = choosing_images(trained, source)
    found = out_of_fold_result(trained, choosing, beside_test=True)
    if found is None:
        found = score(trained, choosing, "validation")
    objective = trained.objective
    temperature = fit_temperature(found.probabilities, found.labels, objective)
    trained = dataclasses.replace(trained, model=calibrated_copy(trained.model, temperature))
    if trained.thresholds is not None:  # each where it was, on the new scale
        thresholds = apply_temperature(trained.thresholds[None], temperature, objective)[0]
        outputs = dataclasses.replace(trained.outputs, thresholds=thresholds.astype(np.float64))
        trained = dataclasses.replace(trained, outputs=outputs)
    applied = CalibrationRecord(temperature, applied=True)
    metrics = _evaluated(trained, source, wanted, temperature)
    return trained, dataclasses.replace(metrics, calibration=applied)


def _evaluated(
    trained: TrainedClassifier, source: BoundSource, wanted: Publication, temperature: float = 1.0
) -> FitMetrics:
    """Returns the metrics of a classifier on its evaluation split, or what stands for it.

    Args:
        trained: The classifier.
        source: Its data, or others.
        wanted: How it is to be published.
        temperature: That it has now and its run has not.

    Raises:
        ExportError: There is no such split, but `min_accuracy` requires one.
    """
    found = out_of_fold_result(trained, source, temperature)
    if found is not None:
        return FitMetrics({found.split: found.summary()})
    if wanted.min_accuracy and source.evaluation_split == "all":
        raise ExportError(
            f"Cannot check --min-accuracy: {why_not_evaluable(source)} The model was not exported."
        )
    found = score(trained, choosing_images(trained, source), source.evaluation_split)
    summary = OtherDataSummary(**vars(found.summary()), data=found.data, notes=found.notes)
    return FitMetrics({found.split: summary})
