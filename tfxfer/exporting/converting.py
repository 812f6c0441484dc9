"""A classifier as a file for another runtime, verified against the model."""

import pathlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tfxfer.config.frame import Frame
from tfxfer.config.paths import user_path
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.data.seen import BoundSource
from tfxfer.data.source import Split
from tfxfer.errors import ExportError, UsageError
from tfxfer.evaluation.predictions import summarize_predictions
from tfxfer.exporting.formats import Predict
from tfxfer.exporting.litert import Quantization, read_litert, write_litert
from tfxfer.exporting.onnx import read_onnx, write_onnx
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.inference.foreign import as_classifier
from tfxfer.inference.model_files import is_keras_archive, read_model
from tfxfer.runs.class_names import read_class_names
from tfxfer.system.files import check_output, replacing
from tfxfer.system.run_layout import caution_file, classes_file, seen_file

# Images for comparing a file with the model, and for calibrating the activation ranges of int8.
_EVALUATED_IMAGES, _CALIBRATION_IMAGES = 500, 200

# Tolerance for the probabilities of a float32 file, which sums in another order. Trained networks
# stay within 1e-5, those with random weights do not.
_CONVERTED_TOLERANCE = 1e-4

# Minimum fraction of images that get the model's class from a quantized file. On photographs it is
# 0.98 or more (measured: MobileNets, ants and bees, five flowers).
_LEAST_AGREEMENT = 0.9

Format = Literal["keras", "litert", "onnx"]

_SUFFIXES: Mapping[Format, str] = {"keras": ".keras", "litert": ".tflite", "onnx": ".onnx"}


@dataclass(frozen=True)
class Converted:
    """A file in another format, compared with the model it was made from.

    Attributes:
        path: The file.
        split: The split used for the comparison.
        num_images: Number of images compared.
        accuracy: Accuracy of the file, in [0, 1]; see `Summary` for that of a number.
        model_accuracy: Accuracy of the model, in [0, 1].
        agreement: Fraction of images with the same predicted class, or of labels, or with nearly
            the same number; see `Outputs.agreement`.
        difference: Largest absolute difference between two probabilities, or two numbers.
        num_bytes: Size of the file.
        scale: What the difference is measured by: 1, or the standard deviation of the numbers.
    """

    path: pathlib.Path
    split: str
    num_images: int
    accuracy: float
    model_accuracy: float
    agreement: float
    difference: float
    num_bytes: int
    scale: float = 1.0

    def describe(self) -> str:
        """Returns how the file compares with the model."""
        of_model = f"of the model {self.model_accuracy:.4f} ({self.num_images:,} images)"
        if self.scale != 1:
            return (
                f"{self.split}: avoids {self.accuracy:.4f} of the training median's error, "
                f"{of_model}\nvalues differ by at most {self.difference:.1g}, "
                f"{self.difference / self.scale:.1g} standard deviations"
            )
        return (
            f"{self.split} accuracy {self.accuracy:.4f}, {of_model}\n"
            f"same predicted class for {self.agreement:.1%} of the images; "
            f"probabilities differ by at most {self.difference:.1g}"
        )


@dataclass(frozen=True)
class Target:
    """The format and file to convert a model to.

    Attributes:
        kind: The format.
        quantization: For "litert".
        output: The file; None puts it next to the model.

    Raises:
        UsageError: The format does not support quantization.
    """

    kind: Format
    quantization: Quantization = "none"
    output: str | pathlib.Path | None = None

    def __post_init__(self) -> None:
        if self.quantization != "none" and self.kind != "litert":
            raise UsageError(
                f"Format '{self.kind}' does not support quantization; only 'litert' does."
            )

    def path(self, trained: TrainedClassifier) -> pathlib.Path:
        """Returns the file, which can be written, with no other model's class names beside it.

        Raises:
            UsageError: It cannot, there are, or there is no file by default.
        """
        path = self._path(trained)
        check_output(path, "--output")
        classes = classes_file(path)
        if not classes.exists() or classes.resolve() == classes_file(trained.path).resolve():
            return path
        if read_class_names(classes) != trained.class_names:
            raise UsageError(
                f"'{classes}' has the classes of another model, and '{path}' would share it. "
                "Choose another directory with --output."
            )
        return path

    def _path(self, trained: TrainedClassifier) -> pathlib.Path:
        suffix = _SUFFIXES[self.kind]
        if self.output is None:
            if self.kind == "keras":
                raise UsageError("Format 'keras' copies the model: name the file with --output.")
            quantized = "" if self.quantization == "none" else f".{self.quantization}"
            return trained.path.with_name(f"{trained.path.stem}{quantized}{suffix}")
        path = user_path(self.output)
        if path.suffix != suffix:
            raise UsageError(
                f"The output '{path}' must end in '{suffix}' for format '{self.kind}'."
            )
        if path.resolve() == trained.path.resolve():
            raise UsageError(f"The output '{path}' is the model itself.")
        return path


def write_converted(
    trained: TrainedClassifier, source: BoundSource, target: Target, path: pathlib.Path
) -> Converted:
    """Writes a classifier in another format, if the file predicts what the model predicts.

    Args:
        trained: The model.
        source: Images for the comparison.
        target: The format.
        path: The file; see `Target.path`.

    Raises:
        DataError: The data have classes that the model does not know, or unreadable images.
        ExportError: The model cannot be converted, or the predictions differ.
        RunError: The file cannot be written.
    """
    # The comparison works on any images, so all serve where no split is new to the model.
    evaluated = source.splits.get(source.evaluation_split) or max(
        source.everything.values(), key=len
    )
    chosen = _spread(evaluated, _EVALUATED_IMAGES)
    labels = trained.labels(source, evaluated)[chosen]
    images = _decoded(evaluated, chosen, trained.frame)
    calibration: npt.NDArray[np.uint8] | tuple[()] = ()
    if target.quantization == "int8":
        calibration = _calibration_images(source, trained.frame)
    expected = trained.predict(images)
    with replacing(path) as temporary:
        _write(trained, target, temporary, calibration)
        found = _reader(target.kind, temporary, trained)(images)
        converted = Converted(
            path=path,
            split=source.evaluation_split,
            num_images=len(images),
            accuracy=_accuracy(trained, found, labels),
            model_accuracy=_accuracy(trained, expected, labels),
            agreement=trained.outputs.agreement(found, expected),
            difference=float(np.max(np.abs(found - expected))),
            scale=trained.outputs.scale,
            num_bytes=temporary.stat().st_size,
        )
        _check(converted, target.quantization)
    _write_beside(trained, target, path)
    return converted


def _accuracy(
    trained: TrainedClassifier, probabilities: npt.NDArray[Any], labels: npt.NDArray[Any]
) -> float:
    """Returns the share of right predictions, of all known labels where images have several."""
    return summarize_predictions(trained.outputs, probabilities, labels).accuracy


def _write(
    trained: TrainedClassifier,
    target: Target,
    path: pathlib.Path,
    calibration: Iterable[npt.NDArray[np.uint8]],
) -> None:
    """Writes the file itself."""
    if target.kind == "litert":
        write_litert(trained.model, path, target.quantization, calibration)
    elif target.kind == "onnx":
        write_onnx(trained.model, path)
    else:
        _copy_model(trained.path, path)


def _write_beside(trained: TrainedClassifier, target: Target, path: pathlib.Path) -> None:
    """Writes what goes with the file: the class names, and what else the model needs."""
    if classes_file(path) != classes_file(trained.path):
        trained.write_names(path)
    if target.kind == "keras" and trained.seen is not None:
        trained.seen.write(seen_file(path))
    if target.kind == "keras" and trained.caution is not None:
        trained.caution.write(caution_file(path))


def _calibration_images(source: BoundSource, frame: Frame) -> npt.NDArray[np.uint8]:
    """Returns training images for calibrating int8, (num_images, height, width, 3).

    Raises:
        UsageError: The data have none.
    """
    train = source.everything.get("train")
    if train is None:
        raise UsageError(
            f"Quantization 'int8' is calibrated on training images, but '{source.name}' has none. "
            "Omit --data to use those of the run, or use data with a split 'train'."
        )
    return _decoded(train, _spread(train, _CALIBRATION_IMAGES), frame)


def _spread(split: Split, count: int) -> npt.NDArray[np.int64]:
    """Returns the numbers of up to so many examples, evenly spread over a split."""
    return np.linspace(0, len(split) - 1, min(count, len(split))).round().astype(np.int64)


def _decoded(split: Split, chosen: npt.NDArray[np.int64], frame: Frame) -> npt.NDArray[np.uint8]:
    """Returns some of the images of a split, (num_chosen, height, width, 3)."""
    part = split.select(chosen)
    with naming_unreadable_images(part):
        batches = list(Images(part, frame, memory_bytes=0).streamed().batch(64).as_numpy_iterator())
    return np.concatenate(batches)


def _copy_model(path: pathlib.Path, copy: pathlib.Path) -> None:
    """Writes the model of a file, as it is there, as a `.keras` file."""
    if is_keras_archive(path):
        shutil.copyfile(path, copy)
        return
    model = read_model(path)
    try:
        model.save(copy)
    except (RuntimeError, ValueError) as error:  # HDF5's, where a disk is full as it closes
        raise OSError(str(error)) from error


def _reader(kind: Format, path: pathlib.Path, trained: TrainedClassifier) -> Predict:
    """Returns the function that a file of a classifier computes."""
    if kind == "litert":
        return read_litert(path)
    if kind == "onnx":
        return read_onnx(path)
    classes = classes_file(trained.path)
    names = trained.class_names
    is_ours = trained.tasks is not None or trained.outputs.number is not None
    model = as_classifier(read_model(path), names, path, classes, is_ours=is_ours).model
    return lambda images: np.asarray(model.predict(images.astype(np.float32), verbose=0))


def _check(converted: Converted, quantization: Quantization) -> None:
    """Raises an ExportError where a file does not predict what the model predicts."""
    if quantization == "none":
        tolerance = _CONVERTED_TOLERANCE * converted.scale
        if not converted.difference <= tolerance:
            raise ExportError(
                f"Outputs differ from the model's by up to {converted.difference:.2g}; "
                f"allowed is {tolerance:g}. '{converted.path}' was not written."
            )
    elif converted.agreement < _LEAST_AGREEMENT:
        what = "get the model's class"
        if converted.scale != 1:
            what = "get the model's number to a tenth of its standard deviation"
        raise ExportError(
            f"With {quantization} quantization, only {converted.agreement:.1%} of "
            f"{converted.num_images} {converted.split} images {what}; at least "
            f"{_LEAST_AGREEMENT:.0%} must. The accuracy is {converted.accuracy:.4f} instead of "
            f"{converted.model_accuracy:.4f}. '{converted.path}' was not written. Use less "
            "--quantization, or none."
        )
