"""A trained model, published in the form that others run: a SavedModel that serves, or a file."""

import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

import tfxfer
from tfxfer.clients import write_requests
from tfxfer.config import FitConfig
from tfxfer.conversion import (
    Predict,
    Quantization,
    read_litert,
    read_onnx,
    write_litert,
    write_onnx,
)
from tfxfer.errors import ExportError, UsageError
from tfxfer.evaluation import score
from tfxfer.foreign import as_classifier
from tfxfer.gate import Gate
from tfxfer.images import readable_reason
from tfxfer.isolation import isolated
from tfxfer.metrics import accuracy, judging_split
from tfxfer.model_files import is_keras_archive, read_model
from tfxfer.names import check_name, safe_name
from tfxfer.outputs import check_output
from tfxfer.paths import user_path
from tfxfer.pipeline import Images, naming_unreadable_images
from tfxfer.places import run_settings
from tfxfer.run_directory import (
    RunDirectory,
    check_writable,
    classes_file,
    exported_seen_file,
    new_version,
    prune_versions,
    publish_version,
    read_class_names,
    read_metrics,
    replacing,
    seen_file,
    write_class_names,
)
from tfxfer.seen import EXPORTED_BYTES, BoundSource
from tfxfer.serving import CONTRACT, write_saved_model
from tfxfer.sources import Split
from tfxfer.temperature import fit_temperature, tempered_copy
from tfxfer.trained import ServedClassifier, TrainedClassifier, load

# Images on which an export is compared with the model before it is published.
CHECK_IMAGES = 8

# Images on which a file of another format is compared with the model, and those that tell int8 the
# ranges of the activations.
_JUDGED_IMAGES, _CALIBRATION_IMAGES = 500, 200

# How far the probabilities of a file of float32 may be from the model's: sums in another order.
# Trained networks stay within 1e-5, those of random weights do not.
_CONVERTED_TOLERANCE = 1e-4

# The least share of images that get the model's class from a file of fewer bits. Of photographs it
# is 0.98 or more (measured: MobileNets, ants and bees, five flowers).
_LEAST_AGREEMENT = 0.9

Format = Literal["keras", "litert", "onnx"]
_SUFFIXES: Mapping[Format, str] = {"keras": ".keras", "litert": ".tflite", "onnx": ".onnx"}


@dataclass(frozen=True)
class Converted:
    """A file in another format, and how it does beside the model it was made of.

    Attributes:
        path: The file.
        split: On whose images both were asked.
        num_images: How many.
        accuracy: Of the file, in [0, 1].
        model_accuracy: Of the model.
        agreement: Share of images that get the same class from both.
        difference: The largest between two probabilities.
    """

    path: pathlib.Path
    split: str
    num_images: int
    accuracy: float
    model_accuracy: float
    agreement: float
    difference: float


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
    trained = _load_model(model)
    if name is None:
        name = safe_name(_name_of(trained), "model")
    config = trained.config
    directory = user_path(export_dir or _own_export_dir(trained)) / name
    check_writable(directory, "export_dir")
    source = trained.open_source(data, data_dir)
    for note in source.notes if data is not None else ():
        say(f"note: {note}")
    metrics: Mapping[str, Any] = {}
    if calibrate:
        found = score(trained, source, "validation")
        temperature = fit_temperature(found.probabilities, found.labels)
        trained = dataclasses.replace(trained, model=tempered_copy(trained.model, temperature))
    if config and data is None and not calibrate:
        metrics = read_metrics(RunDirectory(trained.path.parent))
    elif min_accuracy or calibrate:
        if min_accuracy and source.judging == "all":
            raise ExportError(_no_judge(source))
        found = score(trained, source, source.judging)
        scores = ("accuracy", "balanced_accuracy", "loss", "num_examples")
        told = {name: getattr(found, name) for name in scores}
        metrics = {found.split: told | {"data": found.data, "notes": list(found.notes)}}
    if calibrate:
        metrics = {**metrics, "calibration": {"temperature": temperature, "applied": True}}
    shown = source.splits.get("validation") or next(iter(source.everything.values()))
    images = Images(shown, trained.input_size, memory_bytes=0)
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
                _write_in_tensorflow(trained, facts, temporary)
            write_requests(temporary, directory.name, encoded_images)
            if trained.seen is not None and trained.seen.digests:
                trained.seen.write(exported_seen_file(temporary), EXPORTED_BYTES)
            gate.check(temporary, trained.model, encoded_images)
            return publish_version(temporary, directory)
    except OSError as error:
        reason = error.strerror or error
        raise ExportError(f"Cannot write the export to '{directory}': {reason}.") from error
    except tf.errors.OpError as error:
        reason = readable_reason(error)
        raise ExportError(f"Cannot write the export to '{directory}': {reason}.") from error


@isolated
def convert(
    model: str | pathlib.Path,
    kind: Format,
    *,
    output: str | pathlib.Path | None = None,
    quantization: Quantization = "none",
    data: str | None = None,
    data_dir: str | None = None,
    say: Callable[[str], None] = print,
) -> Converted:
    """Returns a file of a run or a `.keras` file in another format, and what it loses there.

    The file takes images as the model does, RGB in [0, 255] of its own size; see `conversion`. It
    is asked about up to 500 images of the test split, or validation where there is no test, and is
    there only if its answers are the model's: probabilities within 1e-4 or, of fewer bits, the same
    class for nine of ten images.

    Args:
        model: A run's directory, or a `.keras` file with `classes.txt` beside it.
        kind: "keras", a copy that is loaded and asked; "litert"; or "onnx".
        output: The file; None takes `model.tflite`, say, beside the model. Class names are written
            beside it, as `classes.txt`.
        quantization: For "litert"; "int8" is calibrated on 200 training images.
        data: Where the images come from; None takes the run's own.
        data_dir: Where TFDS data lie; None takes the run's own.
        say: Takes what must be known of other data than the run's own, for the person who watches.

    Raises:
        UsageError: The model or the data are not there, a package is missing, or the file's name is
            none of this format.
        DataError: The data's classes are not the model's, or images cannot be read.
        ExportError: The model cannot be converted, or the file's answers are others.
    """
    if quantization != "none" and kind != "litert":
        raise UsageError(f"Format '{kind}' has no quantization; only 'litert' has.")
    trained = _load_model(model)
    path = _output_path(trained, kind, output, quantization)
    _check_classes_beside(path, trained)
    source = trained.open_source(data, data_dir)
    for note in source.notes if data is not None else ():
        say(f"note: {note}")
    # Two answers are compared: any images do where there are none to judge by.
    split = source.judging
    judges = source.splits.get(split) or max(source.everything.values(), key=len)
    judged = _spread(judges, _JUDGED_IMAGES)
    labels = trained.labels(source, judges)[judged]
    images = _pictures(judges, judged, trained.input_size)
    calibration: npt.NDArray[np.uint8] | tuple[()] = ()
    if quantization == "int8":
        train = source.everything["train"]
        calibration = _pictures(train, _spread(train, _CALIBRATION_IMAGES), trained.input_size)
    expected = trained.predict(images)
    with replacing(path) as temporary:
        if kind == "litert":
            write_litert(trained.model, temporary, quantization, calibration)
        elif kind == "onnx":
            write_onnx(trained.model, temporary)
        else:
            _copy_model(trained.path, temporary)
        found = _reader(kind, temporary, trained)(images)
        converted = Converted(
            path,
            split,
            len(images),
            accuracy(found, labels),
            accuracy(expected, labels),
            float(np.mean(found.argmax(axis=1) == expected.argmax(axis=1))),
            float(np.max(np.abs(found - expected))),
        )
        _check_converted(converted, quantization)
    if classes_file(path) != classes_file(trained.path):
        write_class_names(classes_file(path), trained.class_names)
    if kind == "keras" and trained.seen is not None:
        trained.seen.write(seen_file(path))
    return converted


def _load_model(path: str | pathlib.Path) -> TrainedClassifier:
    """Returns a classifier that can be exported.

    Raises:
        UsageError: It is an export already, or there is none.
    """
    trained = load(path)
    if isinstance(trained, ServedClassifier):
        raise UsageError(f"'{path}' is an export already: name the run, or its '.keras' file.")
    return trained


def _output_path(
    trained: TrainedClassifier,
    kind: Format,
    output: str | pathlib.Path | None,
    quantization: Quantization,
) -> pathlib.Path:
    """Returns where a file goes, which can be written.

    Raises:
        UsageError: It cannot, or there is none by default.
    """
    suffix = _SUFFIXES[kind]
    if output is None:
        if kind == "keras":
            raise UsageError("Format 'keras' copies the model: say where to with --output.")
        quantized = "" if quantization == "none" else f".{quantization}"
        path = trained.path.with_name(f"{trained.path.stem}{quantized}{suffix}")
    else:
        path = user_path(output)
        if path.suffix != suffix:
            raise UsageError(f"The output '{path}' is no '{suffix}' file, as format '{kind}' is.")
        if path.resolve() == trained.path.resolve():
            raise UsageError(f"The output '{path}' is the model itself.")
    check_output(path, "--output")
    return path


def _check_classes_beside(path: pathlib.Path, trained: TrainedClassifier) -> None:
    """Raises a UsageError if the class names beside a file are those of another model."""
    classes = classes_file(path)
    if not classes.exists() or classes.resolve() == classes_file(trained.path).resolve():
        return
    if read_class_names(classes) != trained.class_names:
        raise UsageError(
            f"'{classes}' names the classes of another model, and '{path}' would lie beside it. "
            "Choose another directory with --output."
        )


def _spread(split: Split, count: int) -> npt.NDArray[np.int64]:
    """Returns the numbers of up to so many examples, evenly spread over a split."""
    return np.linspace(0, len(split) - 1, min(count, len(split))).round().astype(np.int64)


def _pictures(split: Split, chosen: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.uint8]:
    """Returns some of the images of a split, (num_chosen, size, size, 3)."""
    part = split.select(chosen)
    with naming_unreadable_images(part):
        batches = list(Images(part, size, memory_bytes=0).streamed().batch(64).as_numpy_iterator())
    return np.concatenate(batches)


def _copy_model(path: pathlib.Path, copy: pathlib.Path) -> None:
    """Writes the model of a file, as it is there, as a `.keras` file."""
    if is_keras_archive(path):
        shutil.copyfile(path, copy)
    else:
        read_model(path).save(copy)


def _reader(kind: Format, path: pathlib.Path, trained: TrainedClassifier) -> Predict:
    """Returns the function that a file of a classifier computes."""
    if kind == "litert":
        return read_litert(path)
    if kind == "onnx":
        return read_onnx(path)
    classes = classes_file(trained.path)
    model = as_classifier(read_model(path), trained.class_names, path, classes).model
    return lambda images: np.asarray(model.predict(images.astype(np.float32), verbose=0))


def _check_converted(converted: Converted, quantization: Quantization) -> None:
    """Raises an ExportError where a file does not answer as the model does."""
    if quantization == "none":
        if not converted.difference <= _CONVERTED_TOLERANCE:
            raise ExportError(
                f"Probabilities differ from the model's by up to {converted.difference:.2g}, "
                f"allowed is {_CONVERTED_TOLERANCE:g}. '{converted.path}' was not written."
            )
    elif converted.agreement < _LEAST_AGREEMENT:
        raise ExportError(
            f"In {quantization} only {converted.agreement:.1%} of {converted.num_images} "
            f"{converted.split} images get the model's class, allowed is {_LEAST_AGREEMENT:.0%}; "
            f"the accuracy is {converted.accuracy:.4f} instead of {converted.model_accuracy:.4f}. "
            f"'{converted.path}' was not written. Convert with less or without --quantization."
        )


def check_accuracy(metrics: Mapping[str, Any], min_accuracy: float, path: pathlib.Path) -> None:
    """Raises an ExportError where a model is less accurate than it must be.

    Args:
        metrics: What `metrics.json` holds.
        min_accuracy: The least, in [0, 1]; 0 asks for nothing.
        path: Of the model, for the message.
    """
    if not min_accuracy:
        return
    split = judging_split(metrics)
    found = metrics[split]["accuracy"]
    if found < min_accuracy:
        raise ExportError(
            f"The accuracy of '{path}' on {split} is {found:.4f}, below the {min_accuracy:g} asked "
            "for (--min-accuracy). It was not published."
        )


def _no_judge(source: BoundSource) -> str:
    """Returns the message for data that have no split to find an accuracy on."""
    why = source.absent.get("test", "")
    return (
        f"Cannot check --min-accuracy: '{source.name}' has neither a test nor a validation split "
        f"that the model has not seen. {why} It was not published."
    )


def _own_export_dir(trained: TrainedClassifier) -> str:
    """Returns where the exports of a model go unless it is said."""
    if trained.config is None:
        return "saved_models"
    return run_settings(RunDirectory(trained.path.parent), FitConfig).export_dir


def _name_of(trained: TrainedClassifier) -> str:
    """Returns the name of a model on a server: that of its run, or of its file or folder."""
    folder = trained.path.resolve().parent.name
    if trained.config:
        return folder
    return folder if trained.path.stem == "model" else trained.path.stem


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
    scores = ("data", "calibration", "validation", "test", "all")
    facts |= {key: metrics[key] for key in scores if key in metrics}
    return facts | {
        "num_classes": len(trained.class_names),
        "input_size": trained.input_size,
        "image": "the middle square of the picture, turned as its EXIF orientation says, resized "
        "with antialiasing; RGB; normalised inside",
        "signatures": CONTRACT,
    }


def _write_in_tensorflow(
    trained: TrainedClassifier, facts: Mapping[str, Any], directory: pathlib.Path
) -> None:
    """Writes the SavedModel in another process, whose Keras backend is TensorFlow."""
    code = (
        "import json, pathlib, sys\n"
        "from tfxfer.isolation import isolated\n"
        "from tfxfer.serving import write_saved_model\n"
        "from tfxfer.trained import load\n"
        "trained, facts = load(sys.argv[1]), json.loads(sys.argv[3])\n"
        "directory = pathlib.Path(sys.argv[2])\n"
        "isolated(write_saved_model)(trained.model, trained.class_names, facts, directory)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.keras")
        trained.model.save(path)
        write_class_names(classes_file(path), trained.class_names)
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), str(directory), json.dumps(facts)],
            env={**os.environ, "KERAS_BACKEND": "tensorflow"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise ExportError(f"TensorFlow could not write the export: {lines[-1]}")
