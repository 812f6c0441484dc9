"""A trained model, published in the form that others run: a SavedModel that serves, or a file."""

import datetime
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

import tfxfer
from tfxfer.clients import write_requests
from tfxfer.errors import ExportError, UsageError
from tfxfer.evaluation import evaluate
from tfxfer.gate import Gate
from tfxfer.metrics import accuracy_to_judge
from tfxfer.pipeline import Images
from tfxfer.run_directory import (
    RunDirectory,
    check_writable,
    new_version,
    prune_versions,
    publish_version,
)
from tfxfer.serving import CONTRACT, write_saved_model
from tfxfer.trained import TrainedClassifier, load

# Images on which an export is compared with the model before it is published.
CHECK_IMAGES = 8


def export(
    model: str | pathlib.Path,
    *,
    name: str | None = None,
    export_dir: str | None = None,
    data: str | None = None,
    data_dir: str | None = None,
    min_accuracy: float = 0.0,
    keep: int | None = None,
) -> pathlib.Path:
    """Returns a new version of a run or a `.keras` file to serve; see `export_saved_model`.

    Args:
        model: A run's directory, or a `.keras` file with `classes.txt` beside it.
        name: Of the model on the server; None takes the run's, or the file's.
        export_dir: Where models are; None takes the run's own place, or `saved_models`.
        data: Where the images for the check come from; None takes the run's own.
        data_dir: Where TFDS data lie; None takes the run's own.
        min_accuracy: A model that is less accurate is not published; on the test split, or on
            validation where there is no test.
        keep: How many versions stay; None keeps all.

    Raises:
        UsageError: The model or the data are not there.
        ExportError: The export cannot be written, differs from the model, or the model is not
            accurate enough.
    """
    trained = load(model)
    name = name or _name_of(trained)
    config = trained.config
    export_dir = export_dir or (config.export_dir if config else "saved_models")
    check_writable(export_dir, "export_dir")
    source = trained.open_source(data, data_dir)
    metrics: Mapping[str, Any] = {}
    if config and data is None:
        metrics = _read_metrics(RunDirectory(trained.path.parent))
    elif min_accuracy:
        found = evaluate(model, data=data, data_dir=data_dir)
        metrics = {found.split: {"accuracy": found.accuracy, "loss": found.loss}}
    images = Images(source.splits["validation"], trained.input_size, memory_bytes=0)
    directory = pathlib.Path(export_dir, name)
    version = export_saved_model(
        trained, directory, images.encoded(CHECK_IMAGES), metrics, min_accuracy
    )
    if keep is not None:
        prune_versions(directory, keep)
    return version


def export_saved_model(
    trained: TrainedClassifier,
    directory: pathlib.Path,
    encoded_images: Sequence[bytes],
    metrics: Mapping[str, Any],
    min_accuracy: float = 0.0,
) -> pathlib.Path:
    """Returns the new version directory of a SavedModel that TensorFlow Serving loads.

    `serving.write_saved_model` says what is in it. The version is written beside its place, asked
    about real images in a process that has TensorFlow and nothing else, its answers are compared
    with the model's, and only then is it renamed to the next free integer.

    Args:
        trained: The model; it gives probabilities.
        directory: Where the versions of this model are.
        encoded_images: Image files for the comparison and the warm-up, at least one.
        metrics: What `metrics.json` holds.
        min_accuracy: A model that is less accurate is not published.

    Raises:
        ExportError: The export cannot be written, differs from the model, or the model is not
            accurate enough.
    """
    check_accuracy(metrics, min_accuracy, trained.path)
    facts = _facts(trained, directory.name, metrics)
    try:
        with Gate() as gate, new_version(directory) as temporary:
            if keras.backend.backend() == "tensorflow":
                write_saved_model(trained.model, trained.class_names, facts, temporary)
            else:
                _write_in_tensorflow(trained.path, facts, temporary)
            write_requests(temporary, directory.name, encoded_images)
            gate.check(temporary, trained.model, encoded_images)
            return publish_version(temporary, directory)
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(f"Cannot write the export to '{directory}': {error}.") from error


def check_accuracy(metrics: Mapping[str, Any], min_accuracy: float, path: pathlib.Path) -> None:
    """Raises an ExportError where a model is less accurate than it must be.

    Args:
        metrics: What `metrics.json` holds.
        min_accuracy: The least, in [0, 1]; 0 asks for nothing.
        path: Of the model, for the message.
    """
    if not min_accuracy:
        return
    split, found = accuracy_to_judge(metrics)
    if found < min_accuracy:
        raise ExportError(
            f"The accuracy of '{path}' on {split} is {found:.4f}, below the {min_accuracy:g} asked "
            "for (--min-accuracy). It was not published."
        )


def _name_of(trained: TrainedClassifier) -> str:
    """Returns the name of a model on a server: that of its run, or of its file or folder."""
    folder = trained.path.resolve().parent.name
    if trained.config:
        return folder
    return folder if trained.path.stem == "model" else trained.path.stem


def _read_metrics(run: RunDirectory) -> Mapping[str, Any]:
    try:
        return json.loads(run.metrics.read_text("utf-8"))  # type: ignore[no-any-return]
    except (OSError, ValueError) as error:
        raise UsageError(f"Cannot read '{run.metrics}', which the fit leaves: {error}.") from None


def _facts(trained: TrainedClassifier, name: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the SavedModel's file of facts tells of the model."""
    config = trained.config
    facts: dict[str, Any] = {
        "name": name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {
            "tfxfer": tfxfer.__version__,
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
    scores = ("data", "validation", "test")
    facts |= {key: metrics[key] for key in scores if key in metrics}
    return facts | {
        "num_classes": len(trained.class_names),
        "input_size": trained.input_size,
        "image": "the middle square of the picture, as its pixels are stored (EXIF orientation is "
        "not applied), resized with antialiasing; RGB; normalised inside",
        "signatures": CONTRACT,
    }


def _write_in_tensorflow(
    model_path: pathlib.Path, facts: Mapping[str, Any], directory: pathlib.Path
) -> None:
    """Writes the SavedModel in another process, whose Keras backend is TensorFlow."""
    code = (
        "import json, pathlib, sys\n"
        "from tfxfer.serving import write_saved_model\n"
        "from tfxfer.trained import load\n"
        "trained, facts = load(sys.argv[1]), json.loads(sys.argv[3])\n"
        "directory = pathlib.Path(sys.argv[2])\n"
        "write_saved_model(trained.model, trained.class_names, facts, directory)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(model_path), str(directory), json.dumps(facts)],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ExportError(f"TensorFlow could not write the export:\n{done.stderr.strip()}")
