"""Classifiers in the formats of other runtimes: LiteRT (`.tflite`) and ONNX.

Every file keeps the same contract, whatever its format and its weights: `image`, float32 RGB in
[0, 255] of shape (batch, size, size, 3), to `probabilities`, float32 of shape (batch, num_classes).
Normalising and upsampling are inside; decoding a file and resizing what is in it are not, as the
formats have no operations for them: a client does what `images.decode_and_resize` does.

Writing needs TensorFlow as the Keras backend. What else is needed comes with the extras `litert`
(to read it; TensorFlow itself writes it) and `onnx`, and is imported where it is used.
"""

import contextlib
import logging
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, get_args

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.errors import ExportError, RunError, UsageError, did_you_mean
from tfxfer.system.files import replacing
from tfxfer.system.streams import occupy_closed_descriptors

Quantization = Literal["none", "float16", "int8"]

QUANTIZATIONS: tuple[str, ...] = get_args(Quantization)

# Reads images, (n, size, size, 3) RGB in [0, 255] of any type, as float32 probabilities,
# (n, num_classes).
Predict = Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]]

# Of 2022: onnxruntime reads it since 1.12.
_ONNX_OPSET = 17


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
    first operation makes int8 of the image, in steps of about one grey level.

    Measured on 150 validation pictures of ants and bees, MobileNetV2 at 224 pixels, 100 pictures
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
        calibration: For "int8", pictures such as the model will see, 100 to 500 of them: RGB in
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
            f"There are: {', '.join(QUANTIZATIONS)}."
        )
    _require_tensorflow()
    images: list[npt.NDArray[np.float32]] = []
    if quantization == "int8":
        for given in calibration:
            batch = given[np.newaxis] if given.ndim == 3 else given
            images += [image[np.newaxis] for image in _as_input(batch, model.input_shape[1:])]
        if not images:
            raise UsageError("Quantization 'int8' needs images to calibrate with, but got none.")
    with _failing_as(ExportError, "Cannot convert the model to LiteRT"), _quiet():
        function = _traced(model)
        # The converter makes constants of the variables that hang on the object it is given, and
        # does not find those of a Keras 3 model: it would write a file that gives NaN.
        holder = tf.Module()
        holder.variables_of_the_model = [variable.value for variable in model.variables]
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], holder)
        if quantization != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if quantization == "int8":
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: ([image] for image in images)
        content = converter.convert()
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_onnx(model: keras.Model, path: pathlib.Path) -> None:
    """Writes a classifier as an ONNX file, its batch of any size.

    Args:
        model: A float32 classifier, RGB in [0, 255] to probabilities; the Keras backend must be
            TensorFlow.
        path: The file, usually `*.onnx`; replaced at once when all of it is written.

    Raises:
        UsageError: A package is missing, or the Keras backend is not TensorFlow.
        ExportError: The model has an operation that ONNX or its converter has not.
        RunError: The file cannot be written.
    """
    with _extra("onnx"):
        import onnx
        import tf2onnx
    _require_tensorflow()
    with _failing_as(ExportError, "Cannot convert the model to ONNX"), _quiet():
        function = _traced(model)
        image, probabilities = function.inputs[0].name, function.outputs[0].name
        # `tf2onnx.convert.from_function` would do both steps, but makes an input of each constant
        # that a layer has outside its variables, as Normalization has (EfficientNet).
        graph = tf2onnx.tf_loader.from_function(function, [image], [probabilities])
        converted, _ = tf2onnx.convert.from_graph_def(
            graph,
            name=model.name,
            input_names=[image],
            output_names=[probabilities],
            tensors_to_rename={image: "image", probabilities: "probabilities"},
            custom_op_handlers={"Erfc": (_erfc_in_onnx, [])},
            opset=_ONNX_OPSET,
        )
        for tensor in (*converted.graph.input, *converted.graph.output):
            tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
        # The converter leaves an operation that it does not know as it is.
        onnx.checker.check_model(converted)
        content = converted.SerializeToString()
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_litert(path: pathlib.Path) -> Predict:
    """Returns a function that runs a file of `write_litert` on the CPU.

    Raises:
        UsageError: There is no such file, or a package is missing.
        RunError: The file is damaged.
    """
    with _extra("litert"):
        from ai_edge_litert.interpreter import Interpreter
    _require_file(path)
    with _failing_as(RunError, f"Cannot load the model '{path}'"), _quiet():
        interpreter = Interpreter(model_path=str(path), num_threads=os.cpu_count())
        interpreter.allocate_tensors()  # now, as it reports what it does
        run = interpreter.get_signature_runner()
        shape = run.get_input_details()["image"]["shape"]
        num_classes = run.get_output_details()["probabilities"]["shape"][-1]
    return _one_by_one(lambda image: run(image=image)["probabilities"], shape, num_classes)


def read_onnx(path: pathlib.Path) -> Predict:
    """Returns a function that runs a file of `write_onnx` on the CPU.

    Raises:
        UsageError: There is no such file, or a package is missing.
        RunError: The file is damaged.
    """
    with _extra("onnx"):
        import onnxruntime
    _require_file(path)
    with _failing_as(RunError, f"Cannot load the model '{path}'"):
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        shape = session.get_inputs()[0].shape
        num_classes = session.get_outputs()[0].shape[-1]
    return _one_by_one(
        lambda image: session.run(["probabilities"], {"image": image})[0], shape, num_classes
    )


def _one_by_one(run: Callable[[Any], Any], shape: Iterable[Any], num_classes: int) -> Predict:
    """Returns a function of many images, made of one that takes a batch of one.

    On a CPU that is no slower than larger batches, and takes no more memory for many images
    (measured: MobileNetV2 at 224 pixels in onnxruntime, 6 ms an image in batches of 1, 8 in batches
    of 8, 11 in batches of 96).
    """
    _, *single = shape

    def predict(images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        pixels = _as_input(images, tuple(single))
        probabilities = np.empty((len(pixels), num_classes), np.float32)
        for number in range(len(pixels)):
            probabilities[number] = run(pixels[number : number + 1])[0]
        return probabilities

    return predict


def _traced(model: keras.Model) -> Any:
    """Returns the concrete function of a model, `image` to `probabilities`, with a free batch."""
    size = model.input_shape[1]
    image = tf.TensorSpec((None, size, size, 3), tf.float32, name="image")
    function = tf.function(lambda image: {"probabilities": model(image, training=False)})
    # Keras compiles grouped convolutions with XLA, as functions of their own (ConvNeXt, RegNet),
    # which tf2onnx cannot look into; run "eagerly" they become part of the graph around them.
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        return function.get_concrete_function(image)
    finally:
        tf.config.run_functions_eagerly(before)


def _erfc_in_onnx(graph: Any, node: Any, name: str, _: Any) -> None:
    """Writes erfc(x), which the exact GELU is made of, as 1 - erf(x): tf2onnx knows only erf."""
    (x,), (output,) = node.input, node.output
    shapes, types = node.output_shapes, node.output_dtypes
    graph.remove_node(name)
    one = graph.make_const(f"{name}/one", np.ones((), np.float32))
    erf = graph.make_node("Erf", [x], shapes=shapes, dtypes=types)
    graph.make_node(
        "Sub",
        [one.output[0], erf.output[0]],
        name=name,
        outputs=[output],
        shapes=shapes,
        dtypes=types,
    )


def _as_input(images: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Returns a batch of images as float32, or raises a UsageError if they are of another shape."""
    # Both runtimes would take many networks at another size, and give other answers.
    if images.shape[1:] != shape:
        raise UsageError(
            f"The model takes images of shape {tuple(map(int, shape))}, but got an array of shape "
            f"{images.shape}."
        )
    return images.astype(np.float32)


def _require_tensorflow() -> None:
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise UsageError(
            f"Models are converted with the Keras backend 'tensorflow', but it is '{backend}'. "
            "Set KERAS_BACKEND=tensorflow."
        )


def _require_file(path: pathlib.Path) -> None:
    if not path.is_file():
        raise UsageError(f"There is no file '{path}'.")


@contextlib.contextmanager
def _extra(name: str) -> Iterator[None]:
    """Makes a UsageError that says what to install of a package that is missing."""
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"The format '{name}' needs packages that are not installed: "
            f"pip install 'tfxfer[{name}]'."
        ) from error


@contextlib.contextmanager
def _failing_as(kind: type[RunError], what: str) -> Iterator[None]:
    """Makes an error of ours, of one line, of whatever a converter or a runtime raises."""
    try:
        yield
    # They raise what they like: ValueError, RuntimeError, classes of their own, bare Exceptions.
    except Exception as error:
        # What LiteRT's converter puts before "error:" is a place in Python's code: of no use here.
        text = str(error).partition("error: ")[2] or str(error)
        reason = next((line.strip() for line in text.splitlines() if line.strip()), repr(error))
        raise kind(f"{what}: {reason.rstrip('.')}.") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drops what the converters and LiteRT report on their progress, in any language.

    The C++ in them writes to the standard error's descriptor, and no setting keeps it from that.
    """
    occupy_closed_descriptors()
    disabled = logging.root.manager.disable
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        logging.disable(logging.ERROR)
        yield
    finally:
        logging.disable(disabled)
        os.dup2(kept, 2)
        os.close(kept)
