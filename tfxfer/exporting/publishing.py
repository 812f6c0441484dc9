"""Publishes a trained model as a SavedModel for serving."""

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tfxfer.data.image.failures import readable_reason
from tfxfer.data.seen import EXPORTED_BYTES, BoundSource
from tfxfer.errors import ExportError, UsageError
from tfxfer.exporting.caution import NamedCaution
from tfxfer.exporting.clients import write_requests
from tfxfer.exporting.gate import check_accuracy
from tfxfer.exporting.serving.signatures import contract, write_saved_model
from tfxfer.exporting.verification import check_export
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.inference.loading import load
from tfxfer.inference.saved_model import ServedClassifier
from tfxfer.runs.metrics_record import FitMetrics
from tfxfer.runs.scores.summary import OUT_OF_FOLD, Summary
from tfxfer.runs.versions import new_version, publish_version
from tfxfer.system.run_layout import caution_file, exported_seen_file
from tfxfer.system.timing.timeline import span
from tfxfer.version import __version__

# Images on which an export is compared with the model before it is published.
CHECK_IMAGES = 8


@dataclass(frozen=True)
class OtherDataSummary(Summary):
    """Scores of a model on a split of data other than its own.

    Attributes:
        data: Name of the dataset.
        notes: Notes on its images.
    """

    data: str = ""
    notes: tuple[str, ...] = ()


def export_saved_model(
    trained: TrainedClassifier,
    directory: pathlib.Path,
    encoded_images: Sequence[bytes],
    metrics: FitMetrics,
    min_accuracy: float = 0.0,
    meanwhile: Callable[[], None] = lambda: None,
) -> pathlib.Path:
    """Returns the new version directory of a SavedModel that TensorFlow Serving loads.

    `serving.signatures.write_saved_model` describes its contents. The version is written to a
    temporary directory, its graph is run on real images and compared with the model, and only then
    it is renamed to the next free integer.

    Args:
        trained: The model; it outputs probabilities.
        directory: Directory of the versions of this model.
        encoded_images: Image files for verification and warm-up, at least one.
        metrics: Scores of the model; the accuracy is checked, all are written to the facts.
        min_accuracy: Minimum accuracy for publication, in [0, 1].
        meanwhile: Called while the export is run; it does what would be done next.

    Raises:
        ExportError: The export cannot be written, differs from the model, or the model is not
            accurate enough.
    """
    check_accuracy(metrics, min_accuracy, trained.path)
    facts = _facts(trained, directory.name, metrics)
    with _naming(directory), new_version(directory) as temporary:
        if keras.backend.backend() == "tensorflow":
            with span("write the SavedModel"):
                write_saved_model(trained.model, trained.outputs, facts, temporary, trained.caution)
        else:
            _write_in_tensorflow(trained, facts, temporary)
        write_requests(temporary, directory.name, encoded_images)
        if trained.seen is not None and trained.seen.digests:
            trained.seen.write(exported_seen_file(temporary), EXPORTED_BYTES)
        caution = None
        if trained.caution is not None:
            caution = NamedCaution(trained.class_names, trained.caution)
        with span("check the export"):
            check_export(
                temporary, trained.model, encoded_images, trained.outputs, caution, meanwhile
            )
        return publish_version(temporary, directory)


@contextlib.contextmanager
def _naming(directory: pathlib.Path) -> Iterator[None]:
    """Makes an ExportError that names the place of whatever keeps an export from being written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise ExportError(f"Cannot write the export to '{directory}': {reason}.") from error
    except tf.errors.OpError as error:
        reason = readable_reason(error)
        raise ExportError(f"Cannot write the export to '{directory}': {reason}.") from error


def _facts(trained: TrainedClassifier, name: str, metrics: FitMetrics) -> dict[str, Any]:
    """Returns the facts about the model that the SavedModel bundles."""
    config = trained.config
    facts: dict[str, Any] = {
        "name": name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {
            "tfxfer": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
    }
    if config:
        facts["backbone"] = {
            "name": config.backbone,
            "weights": config.weights,
            "image_size": config.image_size,
        }
    scores = ("data", "calibration", "validation", "test", "all", OUT_OF_FOLD)
    told = metrics.as_json()
    facts |= {key: told[key] for key in scores if key in told}
    if trained.caution is not None:
        facts["caution"] = dataclasses.asdict(trained.caution.record)
    return facts | {
        **trained.outputs.as_json(),
        "num_classes": len(trained.class_names),
        "input_size": trained.frame.size,
        "channels": trained.frame.channels,
        "fit_images": trained.frame.fit,
        "image": f"EXIF orientation applied; {trained.frame.words} with antialiasing; "
        f"{trained.frame.content}; normalized inside the model",
        "signatures": contract(
            trained.outputs, trained.frame.channels, is_cautious=trained.caution is not None
        ),
    }


def load_exportable(path: str | pathlib.Path) -> TrainedClassifier:
    """Returns a classifier that can be exported.

    Raises:
        UsageError: It is an export already, or there is none.
    """
    trained = load(path)
    if isinstance(trained, ServedClassifier):
        raise UsageError(f"'{path}' is already an export: use the run, or its '.keras' file.")
    return trained


def open_and_tell(
    trained: TrainedClassifier,
    data: str | None,
    data_dir: str | None,
    say: Callable[[str], None],
) -> BoundSource:
    """Returns data to verify an export on, and reports notes on data other than the model's own.

    Args:
        trained: The classifier.
        data: As for `TrainedClassifier.open_source`.
        data_dir: As for `TrainedClassifier.open_source`.
        say: Called with each note.

    Raises:
        UsageError: There are no such data.
        DataError: The data are not available, or have classes that the model does not know.
    """
    source = trained.open_source(data, data_dir)
    trained.check_classes(source)
    for note in source.notes if data is not None else ():
        say(f"note: {note}")
    return source


def _write_in_tensorflow(
    trained: TrainedClassifier, facts: Mapping[str, Any], directory: pathlib.Path
) -> None:
    """Writes the SavedModel in another process, whose Keras backend is TensorFlow."""
    code = (
        "import json, pathlib, sys\n"
        "from tfxfer.system.isolation import isolated\n"
        "from tfxfer.exporting.serving.signatures import write_saved_model\n"
        "from tfxfer.inference.loading import load\n"
        "trained, facts = load(sys.argv[1]), json.loads(sys.argv[3])\n"
        "directory = pathlib.Path(sys.argv[2])\n"
        "isolated(write_saved_model)(\n"
        "    trained.model, trained.outputs, facts, directory, trained.caution\n"
        ")\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.keras")
        trained.model.save(path)
        trained.write_names(path)
        if trained.caution is not None:
            trained.caution.write(caution_file(path))
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), str(directory), json.dumps(facts)],
            env={**os.environ, "KERAS_BACKEND": "tensorflow"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no error message"]
        raise ExportError(f"TensorFlow could not write the export: {lines[-1]}")
