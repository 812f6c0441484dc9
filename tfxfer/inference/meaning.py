"""Infers the input format and the meaning of the output of a model from its layers."""

import pathlib
from collections.abc import Iterator
from typing import Any

import keras

from tfxfer.errors import RunError

# Operations that keep the meaning of values: they move them, average values of the same kind, or do
# nothing in inference.
_KEEPING_MEANING = {
    *("Activation", "ActivityRegularization", "AlphaDropout", "Average", "Cast", "Concatenate"),
    *("Dropout", "Flatten", "GaussianDropout", "GaussianNoise", "GetItem"),
    *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "Identity", "Mean", "Permute"),
    *("Reshape", "Squeeze", "Transpose"),
}

# Operations after which logits are still logits.
_LINEAR = {"Add", "BatchNormalization", "Divide", "Multiply", "Rescaling", "Subtract", "TrueDivide"}

_SCALING = {"Normalization", *_LINEAR}


def only_one(model: keras.Model, what: str, path: pathlib.Path) -> Any:
    """Returns the only input, or the only output, of a model.

    Raises:
        RunError: It has several, or none that is known.
    """
    try:
        tensors = list(getattr(model, what))
    except (AttributeError, TypeError):  # an unbuilt Sequential, or a subclassed model
        raise RunError(
            f"The model '{path}' does not say what it takes. Call it on images, or begin it with "
            "keras.Input, and save it again."
        ) from None
    if len(tensors) != 1:
        raise RunError(
            f"The model '{path}' has {len(tensors)} {what}; a classifier takes one image and gives "
            "one output. Save a model of those alone: `keras.Model(image, output)`."
        )
    return tensors[0]


def image_shape(image: Any, path: pathlib.Path) -> tuple[int, ...]:
    """Returns the shape of the images that an input takes: height, width and 3, 1 or no channels.

    Raises:
        RunError: It does not take images of one size.
    """
    shape = tuple(image.shape[1:])
    height, width, channels = _sides(shape, path, f"its input has the shape {tuple(image.shape)}")
    if height is None or width is None:
        raise RunError(
            f"The model '{path}' takes images of any size (its input has the shape "
            f"{tuple(image.shape)}), and does not say which it was trained on. Save it with that "
            f"size, here 224: `image = keras.Input((224, 224, {channels})); keras.Model(image, "
            "model(image)).save('fixed.keras')`."
        )
    return shape


def _sides(
    shape: tuple[int | None, ...], path: pathlib.Path, received: str
) -> tuple[int | None, int | None, int]:
    """Returns the height, width and channels of the images of an input; sides may be open.

    Args:
        shape: Of an image.
        path: Of the model, for messages.
        received: The shape in words, likewise.
    """
    if len(shape) == 2:  # grayscale without a channel axis, like MNIST
        return shape[0], shape[1], 1
    if len(shape) == 3 and shape[-1] in (1, 3):
        return shape[0], shape[1], 1 if shape[2] == 1 else 3
    if len(shape) == 3 and shape[0] in (1, 3):
        raise RunError(
            f"The model '{path}' takes channels first ({received}); save one with "
            "data_format='channels_last'."
        )
    if len(shape) == 3:
        raise RunError(
            f"The model '{path}' takes images of {shape[-1]} channels ({received}); allowed are 3 "
            "(RGB) and 1 (grayscale)."
        )
    raise RunError(
        f"The model '{path}' does not take a batch of images: {received}; allowed are "
        "(batch, size, size, 3) and (batch, size, size, 1)."
    )


def meaning_of(
    output: Any, class_names: tuple[str, ...], path: pathlib.Path, classes: pathlib.Path
) -> str:
    """Returns what an output is, as one word.

    It is "probabilities", "logits", "probability" or "logit" of classes, "sigmoids" of several
    labels, or "unknown".

    Raises:
        RunError: It is not what a classifier of these classes gives.
    """
    if len(output.shape) != 2 or output.shape[-1] is None:
        raise RunError(
            f"The output of the model '{path}' has the shape {tuple(output.shape)}; that of a "
            "classifier has (batch, num_classes)."
        )
    if not output.dtype.startswith(("float", "bfloat")):
        raise RunError(
            f"The output of the model '{path}' is {output.dtype}; a classifier gives probabilities."
        )
    num_outputs, num_classes = output.shape[-1], len(class_names)
    ending = _ending(output)
    if num_outputs == 1 and num_classes == 2:
        if ending in ("sigmoid", "linear"):
            return {"sigmoid": "probability", "linear": "logit"}[ending]
        raise RunError(
            f"The model '{path}' has one unit, and it is neither the probability (sigmoid) nor the "
            f"logit (linear) of a class: it ends in {name_of_end(output)}."
        )
    if num_outputs != num_classes:
        one = " One sigmoid unit goes with two classes." if num_outputs == 1 else ""
        raise RunError(
            f"The model '{path}' has {num_outputs} {'class' if num_outputs == 1 else 'classes'}, "
            f"but '{classes}' names {num_classes}.{one}"
        )
    kinds = {
        "softmax": "probabilities",
        "sigmoid": "sigmoids",
        "linear": "logits",
        "logsoftmax": "logits",
    }
    return kinds.get(ending, "unknown")


def name_of_end(output: Any) -> str:
    """Returns a description of the last layer, for messages."""
    ending, operation = _ending(output), output._keras_history.operation
    what = f"layer '{operation.name}' ({type(operation).__name__})"
    return what if ending == "unknown" else f"{what}, activation '{ending}'"


def _ending(tensor: Any) -> str:
    """Returns what produces a tensor: an activation such as "softmax", "linear", or "unknown"."""
    operation, node_index, tensor_index = tensor._keras_history
    if isinstance(operation, keras.Model):
        return _ending(operation.outputs[tensor_index])
    kind = type(operation).__name__
    activation = getattr(operation, "activation", None)
    name = getattr(activation, "__name__", None) or type(activation).__name__
    name = name.replace("_", "").lower()
    if activation is not None and name != "linear":
        return name
    before = operation._inbound_nodes[node_index].input_tensors
    endings = {_ending(one) for one in before}
    if kind in _KEEPING_MEANING and len(endings) == 1:
        return endings.pop()
    if kind in _LINEAR:
        return "linear" if endings == {"linear"} else "unknown"
    if hasattr(operation, "activation"):
        return "linear"
    return kind.lower() if kind in ("Softmax", "Sigmoid", "LogSoftmax") else "unknown"


def scales_pixels(model: keras.Model) -> bool:
    """Tells whether a model preprocesses pixels before its first layer with weights.

    A guess, good for a note: what range a model was trained on is written nowhere.
    """
    for operation in _operations(model):
        if type(operation).__name__ in _SCALING:
            return True
        if any(len(weight.shape) > 1 for weight in getattr(operation, "weights", ())):
            return False
    return False


def _operations(model: keras.Model) -> Iterator[Any]:
    """Yields the layers and operations of a model and its nested models, in order."""
    for operation in getattr(model, "operations", None) or model.layers:
        if isinstance(operation, keras.Model):
            yield from _operations(operation)
        else:
            yield operation
