"""Converts a classifier to the formats of other runtimes, and checks the result."""

import pathlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tfxfer.config.paths import user_path
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.data.source import Split
from tfxfer.errors import ExportError, UsageError
from tfxfer.exporting.formats import (
    Predict,
    Quantization,
    read_litert,
    read_onnx,
)
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.inference.foreign import as_classifier
from tfxfer.inference.model_files import is_keras_archive, read_model
from tfxfer.runs.class_names import read_class_names
from tfxfer.system.files import check_output
from tfxfer.system.run_layout import classes_file

# Images on which a file of another format is compared with the model, and those that tell int8 the
# ranges of the activations.
JUDGED_IMAGES, CALIBRATION_IMAGES = 500, 200

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


def output_path(
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


def check_classes_beside(path: pathlib.Path, trained: TrainedClassifier) -> None:
    """Raises a UsageError if the class names beside a file are those of another model."""
    classes = classes_file(path)
    if not classes.exists() or classes.resolve() == classes_file(trained.path).resolve():
        return
    if read_class_names(classes) != trained.class_names:
        raise UsageError(
            f"'{classes}' names the classes of another model, and '{path}' would lie beside it. "
            "Choose another directory with --output."
        )


def spread(split: Split, count: int) -> npt.NDArray[np.int64]:
    """Returns the numbers of up to so many examples, evenly spread over a split."""
    return np.linspace(0, len(split) - 1, min(count, len(split))).round().astype(np.int64)


def pictures(split: Split, chosen: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.uint8]:
    """Returns some of the images of a split, (num_chosen, size, size, 3)."""
    part = split.select(chosen)
    with naming_unreadable_images(part):
        batches = list(Images(part, size, memory_bytes=0).streamed().batch(64).as_numpy_iterator())
    return np.concatenate(batches)


def copy_model(path: pathlib.Path, copy: pathlib.Path) -> None:
    """Writes the model of a file, as it is there, as a `.keras` file."""
    if is_keras_archive(path):
        shutil.copyfile(path, copy)
    else:
        read_model(path).save(copy)


def reader(kind: Format, path: pathlib.Path, trained: TrainedClassifier) -> Predict:
    """Returns the function that a file of a classifier computes."""
    if kind == "litert":
        return read_litert(path)
    if kind == "onnx":
        return read_onnx(path)
    classes = classes_file(trained.path)
    model = as_classifier(read_model(path), trained.class_names, path, classes).model
    return lambda images: np.asarray(model.predict(images.astype(np.float32), verbose=0))


def check_converted(converted: Converted, quantization: Quantization) -> None:
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
