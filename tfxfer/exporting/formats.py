"""Common parts of the conversions to other runtimes.

Every file keeps the same contract, whatever its format and its weights: `image`, float32 RGB in
[0, 255] of shape (batch, size, size, 3), to `probabilities`, float32 of shape (batch, num_classes);
or to `value`, (batch, 1), where a number is predicted.
Normalizing and upsampling are inside; decoding a file and resizing what is in it are not, as the
formats have no operations for them: a client does what `channels.decode_and_resize` does.

Writing needs TensorFlow as the Keras backend. What else is needed comes with the extras `litert`
(to read it; TensorFlow itself writes it) and `onnx`, and is imported where it is used.
"""

import contextlib
import logging
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.errors import RunError, UsageError
from tfxfer.system.streams import occupy_closed_descriptors

# Reads images, (n, size, size, 3) RGB in [0, 255] of any type, as float32 probabilities,
# (n, num_classes).
Predict = Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]]


def one_by_one(run: Callable[[Any], Any], shape: Iterable[Any], num_classes: int) -> Predict:
    """Returns a function of many images, made of one that takes a batch of one.

    On a CPU that is no slower than larger batches, and takes no more memory for many images
    (measured: MobileNetV2 at 224 pixels in onnxruntime, 6 ms an image in batches of 1, 8 in batches
    of 8, 11 in batches of 96).
    """
    _, *single = shape

    def predict(images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        pixels = as_input(images, tuple(single))
        probabilities = np.empty((len(pixels), num_classes), np.float32)
        for number in range(len(pixels)):
            probabilities[number] = run(pixels[number : number + 1])[0]
        return probabilities

    return predict


def traced(model: keras.Model) -> Any:
    """Returns the concrete function of a model, `image` to its output, with a free batch."""
    name = "value" if model.layers[-1].name == "value" else "probabilities"
    image = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")
    function = tf.function(lambda image: {name: model(image, training=False)})
    # Keras compiles grouped convolutions with XLA, as functions of their own (ConvNeXt, RegNet),
    # which tf2onnx cannot look into; run "eagerly" they become part of the graph around them.
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        return function.get_concrete_function(image)
    finally:
        tf.config.run_functions_eagerly(before)


def as_input(images: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Returns a batch of images as float32, or raises a UsageError if they are of another shape."""
    # Both runtimes would take many networks at another size, and give other answers.
    if images.shape[1:] != shape:
        raise UsageError(
            f"The model takes images of shape {tuple(map(int, shape))}, but got an array of shape "
            f"{images.shape}."
        )
    return images.astype(np.float32)


def require_tensorflow() -> None:
    """Raises a UsageError where the Keras backend is another one."""
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise UsageError(
            f"Models are converted with the Keras backend 'tensorflow', but it is '{backend}'. "
            "Set KERAS_BACKEND=tensorflow."
        )


def require_file(path: pathlib.Path) -> None:
    """Raises a UsageError where there is no such file."""
    if not path.is_file():
        raise UsageError(f"There is no file '{path}'.")


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Turns the ImportError of a missing package into a UsageError that says what to install."""
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"The format '{name}' needs packages that are not installed: "
            f"pip install 'tfxfer[{name}]'."
        ) from error


@contextlib.contextmanager
def failing_as(kind: type[RunError], what: str) -> Iterator[None]:
    """Turns any exception of a converter or a runtime into a one-line error of the given kind."""
    try:
        yield
    # They raise what they like: ValueError, RuntimeError, classes of their own, bare Exceptions.
    except Exception as error:
        # What LiteRT's converter puts before "error:" is a place in Python's code: of no use here.
        text = str(error).partition("error: ")[2] or str(error)
        reason = next((line.strip() for line in text.splitlines() if line.strip()), repr(error))
        raise kind(f"{what}: {reason.rstrip('.')}.") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
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
