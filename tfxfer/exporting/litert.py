"""Classifiers as LiteRT (TensorFlow Lite) files, `.tflite`; see `formats` for their contract."""

import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.errors import ExportError, RunError, UsageError, did_you_mean
from tfxfer.exporting.formats import (
    Predict,
    as_input,
    extra,
    failing_as,
    one_by_one,
    quiet,
    require_file,
    require_tensorflow,
    traced,
)
from tfxfer.system.files import replacing

Quantization = Literal["none", "float16", "int8"]

QUANTIZATIONS: tuple[str, ...] = get_args(Quantization)


def write_litert(
    model: keras.Model,
    path: pathlib.Path,
    quantization: str = "none",
    calibration: Iterable[npt.NDArray[Any]] = (),
) -> None:
    """Writes a classifier as a LiteRT (TensorFlow Lite) file.

    The file runs on LiteRT's built-in operations alone. Its signature `serving_default` takes
    `image` and gives `probabilities`. The batch is 1 unless the client asks for another size, with
    `resize_tensor_input` or by calling the signature's runner with a larger array.

    Input and output are float32 with int8 weights, too: the same client code serves every file. The
    first operation makes int8 of the image, in steps of about one gray level.

    Measured on 150 validation images of ants and bees, MobileNetV2 at 224 pixels, 100 images
    for calibration: 8.9, 4.5 and 2.7 MB for "none", "float16" and "int8"; the model's class for
    all, 149 and 147; probabilities that differ by 1e-7, 7e-4 and 1.4e-2 on average. Activations
    that are hard to give one range (LayerNormalization over few channels) lose more in int8.

    Args:
        model: A float32 classifier, RGB in [0, 255] to probabilities; the Keras backend must be
            TensorFlow.
        path: The file, usually `*.tflite`; replaced at once when all of it is written.
        quantization: "none"; "float16" stores weights in half the space and computes in float32;
            "int8" stores weights in a quarter of it and computes in integers, with a range for each
            activation that is found by calibration.
        calibration: For "int8", 100 to 500 typical images: RGB in
            [0, 255] of any type, (size, size, 3) or batches of these.

    Raises:
        UsageError: There is no such quantization, there are no images to calibrate with or they are
            of another size, or the Keras backend is not TensorFlow.
        ExportError: The model has an operation that LiteRT has not.
        RunError: The file cannot be written.
    """
    if quantization not in QUANTIZATIONS:
        raise UsageError(
            f"Unknown quantization '{quantization}'.{did_you_mean(quantization, QUANTIZATIONS)} "
            f"Allowed: {', '.join(QUANTIZATIONS)}."
        )
    require_tensorflow()
    images = _calibration_images(model, calibration) if quantization == "int8" else []
    with failing_as(ExportError, "Cannot convert the model to LiteRT"), quiet():
        content = _converter(model, quantization, images).convert()
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _calibration_images(
    model: keras.Model, calibration: Iterable[npt.NDArray[Any]]
) -> list[npt.NDArray[np.float32]]:
    """Returns the calibration images, each (1, size, size, 3), or raises a UsageError."""
    images: list[npt.NDArray[np.float32]] = []
    for given in calibration:
        batch = given[np.newaxis] if given.ndim == 3 else given
        images += [image[np.newaxis] for image in as_input(batch, model.input_shape[1:])]
    if not images:
        raise UsageError("Quantization 'int8' needs calibration images, but got none.")
    return images


def _converter(
    model: keras.Model, quantization: str, images: Sequence[npt.NDArray[np.float32]]
) -> Any:
    """Returns TensorFlow's converter for a model and a quantization."""
    # The converter freezes the variables of the object it is given, but does not find those of a
    # Keras 3 model: it would write a file that returns NaN.
    holder = tf.Module()
    holder.variables_of_the_model = [variable.value for variable in model.variables]
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced(model)], holder)
    if quantization != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: ([image] for image in images)
    return converter


def read_litert(path: pathlib.Path) -> Predict:
    """Returns a function that runs a file of `write_litert` on the CPU.

    Raises:
        UsageError: There is no such file, or a package is missing.
        RunError: The file is corrupt.
    """
    with extra("litert"):
        from ai_edge_litert.interpreter import Interpreter
    require_file(path)
    with failing_as(RunError, f"Cannot load the model '{path}'"), quiet():
        interpreter = Interpreter(model_path=str(path), num_threads=os.cpu_count())
        interpreter.allocate_tensors()  # now, as it reports what it does
        run = interpreter.get_signature_runner()
        shape = run.get_input_details()["image"]["shape"]
        ((name, details),) = run.get_output_details().items()
        num_classes = details["shape"][-1]
    return one_by_one(lambda image: run(image=image)[name], shape, num_classes)
