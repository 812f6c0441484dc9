"""Classifiers as ONNX files; see `formats` for their contract."""

import pathlib
from typing import Any

import keras
import numpy as np

from tfxfer.errors import ExportError, RunError
from tfxfer.exporting.formats import (
    Predict,
    extra,
    failing_as,
    one_by_one,
    quiet,
    require_file,
    require_tensorflow,
    traced,
)
from tfxfer.system.files import replacing

# Of 2022: onnxruntime reads it since 1.12.
_OPSET = 17


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
    with extra("onnx"):
        import onnx
        import tf2onnx
    require_tensorflow()
    with failing_as(ExportError, "Cannot convert the model to ONNX"), quiet():
        converted = _converted(tf2onnx, model)
        # The converter leaves an operation that it does not know as it is.
        onnx.checker.check_model(converted)
        content = converted.SerializeToString()
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _converted(tf2onnx: Any, model: keras.Model) -> Any:
    """Returns a model as ONNX has it, a `ModelProto`, with a free batch.

    Args:
        tf2onnx: The package, which is an extra.
        model: As for `write_onnx`.
    """
    function = traced(model)
    image, output = function.inputs[0].name, function.outputs[0].name
    (name,) = function.structured_outputs
    # `tf2onnx.convert.from_function` would do both steps, but makes an input of each constant that
    # a layer has outside its variables, as Normalization has (EfficientNet).
    graph = tf2onnx.tf_loader.from_function(function, [image], [output])
    converted, _ = tf2onnx.convert.from_graph_def(
        graph,
        name=model.name,
        input_names=[image],
        output_names=[output],
        tensors_to_rename={image: "image", output: name},
        custom_op_handlers={"Erfc": (_erfc_in_onnx, [])},
        opset=_OPSET,
    )
    for tensor in (*converted.graph.input, *converted.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    return converted


def read_onnx(path: pathlib.Path) -> Predict:
    """Returns a function that runs a file of `write_onnx` on the CPU.

    Raises:
        UsageError: There is no such file, or a package is missing.
        RunError: The file is corrupt.
    """
    with extra("onnx"):
        import onnxruntime
    require_file(path)
    with failing_as(RunError, f"Cannot load the model '{path}'"):
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        shape = session.get_inputs()[0].shape
        (output,) = session.get_outputs()
    return one_by_one(
        lambda image: session.run([output.name], {"image": image})[0], shape, output.shape[-1]
    )


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
