"""Wraps a Keras model from elsewhere as a classifier.

What such a model must be:

- one input: images of one size, RGB or grayscale, channels last, values in [0, 255];
- one output, (batch, num_outputs): probabilities of the classes (softmax), their logits (no
  activation), or, for two classes, one unit that is the probability (sigmoid) or the logit of the
  second, as the binary labels of `keras.utils.image_dataset_from_directory` have it. Several
  sigmoids are the probabilities of labels, of which an image may have several.
"""

import pathlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfxfer.errors import RunError, UsageError
from tfxfer.inference.meaning import (
    image_shape,
    meaning_of,
    name_of_end,
    only_one,
    scales_pixels,
)
from tfxfer.inference.model_files import without_colors
from tfxfer.models.layers import in_float32
from tfxfer.models.preprocessing import takes_channels
from tfxfer.system.devices import without_xla

# Luma by ITU-R BT.601 in 16 bits, as Pillow's `convert("L")` computes it; in float32 it is exact.
_LUMA = (19595 / 65536, 38470 / 65536, 7471 / 65536)

# Maximum distance of the sum of probabilities from 1, as in the verification of exports.
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Adapted:
    """A classifier, with the assumptions made about the model.

    Attributes:
        model: RGB in [0, 255], (batch, height, width, 3), to probabilities, (batch, num_classes),
            both float32; of Keras' own layers.
        class_names: In the order of the model's outputs.
        notes: Sentences for the user.
        has_several_labels: Whether an image may have several of the classes, or none.
    """

    model: keras.Model
    class_names: tuple[str, ...]
    notes: tuple[str, ...]
    has_several_labels: bool = False


def as_classifier(
    model: keras.Model,
    class_names: tuple[str, ...],
    path: pathlib.Path,
    classes: pathlib.Path,
    *,
    is_ours: bool = False,
) -> Adapted:
    """Returns a model as a classifier; a tfxfer model is returned unchanged.

    Args:
        model: See the module's docstring for what it may be.
        class_names: As they were read.
        path: Of the model, for messages.
        classes: Of the class names, for messages.
        is_ours: Whether the outputs are those of several tasks, or a number, which only those of
            models of tfxfer are.

    Raises:
        UsageError: The class names are not names of classes.
        RunError: The model is not a classifier of images, or not of as many classes.
    """
    if is_ours and len(class_names) == 1:
        return Adapted(without_xla(model), class_names, ())
    class_names = _checked_names(class_names, classes)
    image = only_one(model, "inputs", path)
    shape = tuple(image.shape[1:]) if takes_channels(image) else image_shape(image, path)
    output = only_one(model, "outputs", path)
    meaning = meaning_of(output, class_names, path, classes)
    notes = () if takes_channels(image) else _notes(model, shape, meaning, class_names)
    if is_ours or takes_channels(image) or _is_plain(model, image, output):
        return Adapted(without_xla(model), class_names, notes, meaning == "sigmoids")
    # Keras layers raise exceptions of any type on unsupported input.
    try:
        adapted = _adapted(in_float32(model), shape, meaning)
        found = adapted.predict_on_batch(_probe(*shape[:2]))
    except Exception as error:
        raise RunError(
            f"The model '{path}' cannot be run on images of {shape[0]} x {shape[1]} pixels: "
            f"{_reason(error)}."
        ) from error
    if meaning == "sigmoids":
        check_finite(np.asarray(found), path)
    else:
        _check_probabilities(np.asarray(found), output, path)
    return Adapted(adapted, class_names, notes, meaning == "sigmoids")


def check_finite(probabilities: np.ndarray, path: pathlib.Path) -> np.ndarray:
    """Returns probabilities unchanged, or raises a RunError if some are NaN."""
    if not np.isfinite(probabilities).all():
        raise RunError(
            f"The model '{path}' gives NaN instead of probabilities: its weights are corrupt, its "
            "training diverged, or it is not made for RGB in [0, 255]."
        )
    return probabilities


def _checked_names(class_names: tuple[str, ...], classes: pathlib.Path) -> tuple[str, ...]:
    """Returns the class names, without a leading byte-order mark."""
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
            f"'{classes}' names 1 class; a classifier needs at least 2. For a model with "
            "one output unit, the first line is the class of label 0, the second that of label 1."
        )
    return names


def _notes(
    model: keras.Model, shape: tuple[int, ...], meaning: str, class_names: tuple[str, ...]
) -> tuple[str, ...]:
    """Returns the assumptions about a model."""
    notes = []
    if shape[2:] != (3,):
        notes.append("the model takes grayscale images: RGB is converted to luma")
    second = f"'{class_names[1]}', the second class of two"
    assumed = {
        "logits": "the model outputs logits: a softmax is added",
        "probability": f"the model has one sigmoid unit: it is the probability of {second}",
        "logit": f"the model has one linear unit: it is the logit of {second}",
    }
    notes += [assumed[meaning]] if meaning in assumed else []
    if not scales_pixels(model):
        notes.append(
            "nothing in the model scales pixels: it is given values in [0, 255]; if it was trained "
            "on others, put a keras.layers.Rescaling in front of it"
        )
    return tuple(notes)


def _is_plain(model: keras.Model, image: Any, output: Any) -> bool:
    """Tells whether a model already has the form of tfxfer models."""
    operation = output._keras_history.operation
    ends_as_ours = type(operation).__name__ in ("Softmax", "Sigmoid") or (
        getattr(getattr(operation, "activation", None), "__name__", None) in ("softmax", "sigmoid")
    )
    return bool(
        not isinstance(model, keras.Sequential)
        and (model.input is image and model.output is output)
        and (image.shape[0] is None and image.shape[3:] == (3,))
        and image.dtype == output.dtype == "float32"
        and in_float32(model) is model
        and ends_as_ours
        and output.shape[-1] > 1
        and getattr(operation, "axis", -1) == -1
    )


def _adapted(model: keras.Model, shape: tuple[int, ...], meaning: str) -> keras.Model:
    """Returns a model around another one: RGB in [0, 255] to float32 probabilities."""
    if not isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0])  # in place of lists and dicts
    # Names that other models do not use: a layer name must be unique within a model.
    image = keras.Input((*shape[:2], 3), name="tfxfer_image")
    x = image
    if shape[2:] != (3,):
        x = keras.layers.Rescaling(_LUMA, name="tfxfer_luma", dtype="float32")(x)
        x = keras.ops.floor(keras.ops.sum(x, axis=-1, keepdims=True) + 0.5)
        x = keras.layers.Reshape(shape, name="tfxfer_grey")(x)
    # Augmentation and dropout are random only in training.
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
    """Returns the line of an error with the reason, without the final period."""
    lines = [line.strip() for line in without_colors(str(error)).splitlines()]
    where = ("[[", "Exception encountered when calling")
    lines = [line for line in lines if line and not line.startswith(where)] or [repr(error)]
    # TensorFlow states the location first, then the reason.
    line = lines[-1] if isinstance(error, tf.errors.OpError) else lines[0]
    return line.partition(" [[")[0].rstrip(". ")


def _probe(height: int, width: int) -> np.ndarray:
    """Returns two images to test a model with: noise, and plain gray."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    return np.stack([noise, np.full_like(noise, 128)]).astype(np.float32)


def _check_probabilities(found: np.ndarray, output: Any, path: pathlib.Path) -> None:
    """Raises a RunError if outputs are not probabilities."""
    check_finite(found, path)
    sums = found.sum(axis=1)
    if found.min() < -_SUM_TOLERANCE or not np.allclose(sums, 1, atol=_SUM_TOLERANCE):
        raise RunError(
            f"The model '{path}' gives neither probabilities nor logits: it ends in "
            f"{name_of_end(output)}, and the outputs for an image sum to {sums[0]:g}. "
            "End it in a softmax over the classes, or in a linear layer."
        )
