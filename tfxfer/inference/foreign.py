"""A model that was not made here, as the classifier that everything else takes.

What such a model must be:

- one input: square images of a fixed size, RGB or grey, the channels last, values in [0, 255];
- one output, (batch, num_outputs): probabilities of the classes (softmax), their logits (no
  activation), or, for two classes, one unit that is the probability (sigmoid) or the logit of the
  second, as the binary labels of `keras.utils.image_dataset_from_directory` have it.
"""

import pathlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfxfer.errors import RunError, UsageError
from tfxfer.inference.model_files import without_colours
from tfxfer.models.classifier import in_float32
from tfxfer.system.devices import without_xla

# Luma by ITU-R BT.601 in 16 bits, as Pillow's `convert("L")` computes it; in float32 it is exact.
_LUMA = (19595 / 65536, 38470 / 65536, 7471 / 65536)

# How far from 1 probabilities may sum to; the gate before an export allows as much.
_SUM_TOLERANCE = 1e-3

# Operations behind which values mean what they meant before: each is moved, averaged with others of
# its kind, or left as it is in inference.
_KEEPING_MEANING = {
    *("Activation", "ActivityRegularization", "AlphaDropout", "Average", "Cast", "Concatenate"),
    *("Dropout", "Flatten", "GaussianDropout", "GaussianNoise", "GetItem"),
    *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "Identity", "Mean", "Permute"),
    *("Reshape", "Squeeze", "Transpose"),
}

# Operations behind which logits are still logits.
_LINEAR = {"Add", "BatchNormalization", "Divide", "Multiply", "Rescaling", "Subtract", "TrueDivide"}

_SCALING = {"Normalization", *_LINEAR}


@dataclass(frozen=True)
class Adapted:
    """A classifier with what had to be assumed to make one of the model.

    Attributes:
        model: RGB in [0, 255], (batch, size, size, 3), to probabilities, (batch, num_classes), both
            float32; of Keras' own layers.
        class_names: In the order of the model's outputs.
        notes: Sentences for the user.
    """

    model: keras.Model
    class_names: tuple[str, ...]
    notes: tuple[str, ...]


def as_classifier(
    model: keras.Model, class_names: tuple[str, ...], path: pathlib.Path, classes: pathlib.Path
) -> Adapted:
    """Returns a model as a classifier; one that is one already is returned as it is.

    Args:
        model: See the module's docstring for what it may be.
        class_names: As they were read.
        path: Of the model, for messages.
        classes: Of the class names, for messages.

    Raises:
        UsageError: The class names are not names of classes.
        RunError: The model is not a classifier of images, or not of as many classes.
    """
    class_names = _checked_names(class_names, classes)
    image = _only(model, "inputs", path)
    shape = _image_shape(image, path)
    output = _only(model, "outputs", path)
    meaning = _meaning(output, class_names, path, classes)
    notes = _notes(model, shape, meaning, class_names)
    if _is_plain(model, image, output):
        return Adapted(without_xla(model), class_names, notes)
    # Keras' layers raise what they like when they are called with what they do not take.
    try:
        adapted = _adapted(in_float32(model), shape, meaning)
        found = adapted.predict_on_batch(_probe(shape[0]))
    except Exception as error:
        raise RunError(
            f"The model '{path}' cannot be run on images of {shape[0]} x {shape[0]} pixels: "
            f"{_reason(error)}."
        ) from error
    _check_probabilities(np.asarray(found), output, path)
    return Adapted(adapted, class_names, notes)


def check_finite(probabilities: np.ndarray, path: pathlib.Path) -> np.ndarray:
    """Returns probabilities as they are, or raises a RunError where some are not numbers."""
    if not np.isfinite(probabilities).all():
        raise RunError(
            f"The model '{path}' gives NaN instead of probabilities: its weights are damaged, its "
            "training diverged, or it is not made for RGB in [0, 255]."
        )
    return probabilities


def _checked_names(class_names: tuple[str, ...], classes: pathlib.Path) -> tuple[str, ...]:
    """Returns the class names, without the byte-order mark that some editors begin a file with."""
    names = (class_names[0].removeprefix("\ufeff"), *class_names[1:])
    if names == ("",):
        raise UsageError(
            f"'{classes}' is empty; it has the names of the classes, one per line, in the order of "
            "the model's outputs."
        )
    if "" in names:
        raise UsageError(
            f"Line {names.index('') + 1} of '{classes}' is empty; each line is a class."
        )
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise UsageError(f"'{classes}' names the class '{name}' {count} times.")
    if len(names) < 2:
        raise UsageError(
            f"'{classes}' names 1 class; a classifier needs at least 2. Of a model with one unit "
            "the first line is the class of label 0, and the second that of label 1."
        )
    return names


def _only(model: keras.Model, what: str, path: pathlib.Path) -> Any:
    """Returns the one input, or the one output, of a model.

    Raises:
        RunError: It has several, or none that is known.
    """
    try:
        tensors = list(getattr(model, what))
    except (AttributeError, TypeError):  # a Sequential that was never built, or a class of its own
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


def _image_shape(image: Any, path: pathlib.Path) -> tuple[int, ...]:
    """Returns the shape of the images that an input takes: (size, size, 3), or 1, or no channels.

    Raises:
        RunError: It does not take square images of one size.
    """
    shape = tuple(image.shape[1:])
    received = f"its input has the shape {tuple(image.shape)}"
    if len(shape) == 2:  # grey without channels, as MNIST has it
        height, width = shape
    elif len(shape) == 3 and shape[-1] in (1, 3):
        height, width = shape[:-1]
    elif len(shape) == 3 and shape[0] in (1, 3):
        raise RunError(
            f"The model '{path}' takes channels first ({received}); save one with "
            "data_format='channels_last'."
        )
    elif len(shape) == 3:
        raise RunError(
            f"The model '{path}' takes images of {shape[-1]} channels ({received}); allowed are 3 "
            "(RGB) and 1 (grey)."
        )
    else:
        raise RunError(
            f"The model '{path}' does not take a batch of images: {received}; allowed are "
            "(batch, size, size, 3) and (batch, size, size, 1)."
        )
    if height is None or width is None:
        channels = shape[-1] if len(shape) == 3 else 1
        raise RunError(
            f"The model '{path}' takes images of any size ({received}), and does not say which it "
            "was trained on. Save it with that size, here 224: `image = keras.Input((224, 224, "
            f"{channels})); keras.Model(image, model(image)).save('fixed.keras')`."
        )
    if height != width:
        raise RunError(
            f"The model '{path}' takes images of {height} x {width} pixels (height x width), but "
            "tfxfer gives it the middle square of each picture. Begin it with a square input and "
            f"keras.layers.Resizing({height}, {width})."
        )
    return shape


def _meaning(
    output: Any, class_names: tuple[str, ...], path: pathlib.Path, classes: pathlib.Path
) -> str:
    """Returns what an output is: "probabilities", "logits", "probability", "logit" or "unknown".

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
            f"logit (linear) of a class: it ends in {_name(output, ending)}."
        )
    if num_outputs != num_classes:
        one = " One sigmoid unit goes with two classes." if num_outputs == 1 else ""
        raise RunError(
            f"The model '{path}' has {num_outputs} {'class' if num_outputs == 1 else 'classes'}, "
            f"but '{classes}' names {num_classes}.{one}"
        )
    if ending == "sigmoid":
        raise RunError(
            f"The model '{path}' gives each class a probability of its own (sigmoid), for images "
            "of several classes or none; tfxfer classifies images of one class each (softmax)."
        )
    kinds = {"softmax": "probabilities", "linear": "logits", "logsoftmax": "logits"}
    return kinds.get(ending, "unknown")


def _ending(tensor: Any) -> str:
    """Returns by what a tensor is made: an activation such as "softmax", "linear", or "unknown"."""
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


def _name(output: Any, ending: str) -> str:
    """Returns how a message names the end of a model."""
    operation = output._keras_history.operation
    what = f"layer '{operation.name}' ({type(operation).__name__})"
    return what if ending == "unknown" else f"{what}, activation '{ending}'"


def _notes(
    model: keras.Model, shape: tuple[int, ...], meaning: str, class_names: tuple[str, ...]
) -> tuple[str, ...]:
    """Returns what is assumed of a model."""
    notes = []
    if shape[2:] != (3,):
        notes.append("the model takes grey images: it is given the luma of RGB")
    second = f"'{class_names[1]}', the second class of two"
    assumed = {
        "logits": "the model gives logits: a softmax is added",
        "probability": f"the model has one sigmoid unit: it is the probability of {second}",
        "logit": f"the model has one linear unit: it is the logit of {second}",
    }
    notes += [assumed[meaning]] if meaning in assumed else []
    if not _scales(model):
        notes.append(
            "nothing in the model scales pixels: it is given values in [0, 255]; if it was trained "
            "on others, put a keras.layers.Rescaling in front of it"
        )
    return tuple(notes)


def _scales(model: keras.Model) -> bool:
    """Tells whether a model does something to pixels before the first layer that learnt from them.

    A guess, good for a note: what range a model was trained on is written nowhere.
    """
    for operation in _operations(model):
        if type(operation).__name__ in _SCALING:
            return True
        if any(len(weight.shape) > 1 for weight in getattr(operation, "weights", ())):
            return False
    return False


def _operations(model: keras.Model) -> Iterator[Any]:
    """Yields the layers and operations of a model and of those in it, in order."""
    for operation in getattr(model, "operations", None) or model.layers:
        if isinstance(operation, keras.Model):
            yield from _operations(operation)
        else:
            yield operation


def _is_plain(model: keras.Model, image: Any, output: Any) -> bool:
    """Tells whether a model is of the one form already, as those that tfxfer makes are."""
    operation = output._keras_history.operation
    ends_in_softmax = type(operation).__name__ == "Softmax" or (
        getattr(getattr(operation, "activation", None), "__name__", None) == "softmax"
    )
    return bool(
        not isinstance(model, keras.Sequential)
        and (model.input is image and model.output is output)
        and (image.shape[0] is None and image.shape[3:] == (3,))
        and image.dtype == output.dtype == "float32"
        and in_float32(model) is model
        and ends_in_softmax
        and getattr(operation, "axis", -1) == -1
    )


def _adapted(model: keras.Model, shape: tuple[int, ...], meaning: str) -> keras.Model:
    """Returns a model around another one: RGB in [0, 255] to float32 probabilities."""
    if not isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0])  # in place of lists and dicts
    # Names that no model of others has: within a model a name occurs once.
    image = keras.Input((*shape[:2], 3), name="tfxfer_image")
    x = image
    if shape[2:] != (3,):
        x = keras.layers.Rescaling(_LUMA, name="tfxfer_luma", dtype="float32")(x)
        x = keras.ops.floor(keras.ops.sum(x, axis=-1, keepdims=True) + 0.5)
        x = keras.layers.Reshape(shape, name="tfxfer_grey")(x)
    # Whatever is random in it, as augmentation and dropout are, is so in training alone.
    x = model(x, training=False)
    x = keras.layers.Activation("linear", name="tfxfer_float32", dtype="float32")(x)
    if meaning == "logits":
        x = keras.layers.Softmax(name="tfxfer_probabilities", dtype="float32")(x)
    elif meaning == "logit":
        x = keras.ops.sigmoid(keras.ops.concatenate([-x, x], axis=-1))
    elif meaning == "probability":
        x = keras.ops.concatenate([1.0 - x, x], axis=-1)
    return without_xla(keras.Model(image, x, name="tfxfer_classifier"))


def _reason(error: Exception) -> str:
    """Returns the line of an error that says what is wrong, without its full stop."""
    lines = [line.strip() for line in without_colours(str(error)).splitlines()]
    where = ("[[", "Exception encountered when calling")
    lines = [line for line in lines if line and not line.startswith(where)] or [repr(error)]
    # TensorFlow tells first where, and then what.
    line = lines[-1] if isinstance(error, tf.errors.OpError) else lines[0]
    return line.partition(" [[")[0].rstrip(". ")


def _probe(size: int) -> np.ndarray:
    """Returns two images to try a model on: noise, and plain grey."""
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3))
    return np.stack([noise, np.full_like(noise, 128)]).astype(np.float32)


def _check_probabilities(found: np.ndarray, output: Any, path: pathlib.Path) -> None:
    """Raises a RunError where outputs are not probabilities."""
    check_finite(found, path)
    sums = found.sum(axis=1)
    if found.min() < -_SUM_TOLERANCE or not np.allclose(sums, 1, atol=_SUM_TOLERANCE):
        raise RunError(
            f"The model '{path}' gives neither probabilities nor logits: it ends in "
            f"{_name(output, _ending(output))}, and the outputs for an image sum to {sums[0]:g}. "
            "End it in a softmax over the classes, or in a linear layer."
        )
