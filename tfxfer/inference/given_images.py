"""Images as a caller gives them: paths of files, and arrays of any size."""

import itertools
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.config.frame import RGB, Frame
from tfxfer.config.paths import listed_path
from tfxfer.data.image.channels import decode_and_resize
from tfxfer.data.image.failures import readable_reason
from tfxfer.data.image.framing import resize
from tfxfer.errors import DataError, UsageError

AnyImage = str | os.PathLike[str] | npt.NDArray[np.uint8]


def batch_by_batch(
    function: Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]],
    images: AnyImage | Iterable[AnyImage],
    frame: Frame,
    batch_size: int,
) -> list[npt.NDArray[np.float32]]:
    """Returns what a function makes of each batch of images.

    Args:
        function: Of images as a model takes them, (batch, height, width, channels).
        images: A path or an array, or several.
        frame: What the model takes.
        batch_size: Images per step.

    Raises:
        DataError: A file cannot be read.
        UsageError: An array is not a uint8 image of the model's channels.
    """
    outputs = []
    waiting = iter(_listed(images))
    while batch := [prepared(image, frame) for image in itertools.islice(waiting, batch_size)]:
        outputs.append(function(np.stack(batch)))
    return outputs


def prepared(image: AnyImage, frame: Frame) -> npt.NDArray[np.float32]:
    """Returns an image as a model takes it, (height, width, channels).

    Args:
        image: A path, or uint8 of any size with the channels of the model.
        frame: What the model takes.

    Raises:
        DataError: A file cannot be read.
        UsageError: An array is not a uint8 image of the model's channels.
    """
    if isinstance(image, str | os.PathLike):
        try:
            encoded = tf.io.read_file(listed_path(os.fspath(image)))
            square = decode_and_resize(encoded, frame, portable=False)
        except tf.errors.OpError as error:
            raise DataError(f"Cannot read '{image}': {readable_reason(error)}.") from None
    else:
        pixels = np.asarray(image)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] != frame.channels:
            what = "uint8 RGB" if frame.channels == RGB else "uint8"
            raise UsageError(
                f"An image is a path, or {what} of shape (height, width, {frame.channels}); "
                f"received was {pixels.dtype} of shape {pixels.shape}."
            )
        square = resize(tf.constant(pixels), frame)
    return square.numpy().astype(np.float32)  # type: ignore[no-any-return]


def _listed(images: AnyImage | Iterable[AnyImage]) -> Iterable[AnyImage]:
    """Returns several images, where one may have been given."""
    if isinstance(images, str | os.PathLike):
        return [images]
    if isinstance(images, np.ndarray) and images.ndim == 3:
        return [images]
    return images
