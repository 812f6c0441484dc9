"""Decode and resize: the steps between an image file and the model.

The pipeline, prediction and the exported signature that takes encoded bytes all call
`decode_and_resize`, so an image is the same array wherever it comes from: uint8 in [0, 255], RGB or
of other channels. Gray images may be files of any format; four channels a PNG with alpha; all
others are array files.
"""

import functools

import numpy as np
import tensorflow as tf

from tfxfer.config.frame import RGB, AnyFrame, Frame
from tfxfer.data.image.decoding import as_bytes, decode, of_array_file
from tfxfer.data.image.formats import npy, png
from tfxfer.data.image.formats.arrays import reading
from tfxfer.data.image.formats.content import accepted, cut
from tfxfer.data.image.formats.picture import upright
from tfxfer.data.image.formats.recognition import is_array_file, is_npy
from tfxfer.data.image.framing import resize

# How a PNG with red, green, blue and alpha begins, but for its length, size and bits.
_SIGNATURE, _WITH_ALPHA = b"\x89PNG\r\n\x1a\n", b"\x06"

# The channels of such a PNG.
RGBA = 4


def decode_and_resize(
    encoded: tf.Tensor, frame: AnyFrame, prefix: tf.Tensor = "", *, portable: bool = True
) -> tf.Tensor:
    """Returns an encoded image, fitted into a frame; see `decode_channels` and `framing.resize`."""
    frame = Frame.of(frame)
    return resize(decode_channels(encoded, frame.channels, prefix, portable=portable), frame)


def to_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    """Returns an image as a split gives it, encoded or decoded, as uint8 of so many channels.

    Args:
        image: A scalar string, or uint8 of shape (height, width, 3 or `channels`).
        channels: How many.

    Returns:
        Shape (height, width, channels).

    Raises:
        tf.errors.InvalidArgumentError: It cannot be read, or has others.
    """
    if image.dtype == tf.string:
        return decode_channels(image, channels)
    if image.shape[-1] == channels:
        return image
    if channels != 1:
        message = reading.not_of(image.shape[-1], channels)
        raise tf.errors.InvalidArgumentError(None, None, message)
    return _gray(image)


def decode_channels(
    encoded: tf.Tensor, channels: int, prefix: tf.Tensor = "", *, portable: bool = False
) -> tf.Tensor:
    """Returns an encoded image as uint8 of so many channels, upright; see `decoding.decode`.

    Args:
        encoded: The content of a file, a scalar string.
        channels: How many; with three they are red, green and blue.
        prefix: Start of the error message, a scalar string.
        portable: Whether it must work without Python, and so without TIFF.

    Returns:
        Shape (height, width, channels).

    Raises:
        tf.errors.InvalidArgumentError: It cannot be read, or has other channels.
    """
    if channels == RGB:
        return decode(encoded, prefix, portable=portable)
    if portable:
        image = tf.cond(
            is_npy(encoded),
            lambda: npy.decode(encoded, channels, prefix),
            lambda: _of_picture(encoded, channels, prefix, portable=True),
        )
    else:
        image = tf.cond(
            is_array_file(encoded),
            lambda: _of_array_file(encoded, channels, prefix),
            lambda: _of_picture(encoded, channels, prefix, portable=False),
        )
    return tf.ensure_shape(image, (None, None, channels))


def is_rgba(content: bytes) -> bool:
    """Tells whether a file is a PNG of red, green, blue and alpha."""
    return content.startswith(_SIGNATURE) and content[25:26] == _WITH_ALPHA


def _of_array_file(encoded: tf.Tensor, channels: int, prefix: tf.Tensor) -> tf.Tensor:
    read = functools.partial(reading.in_channels, channels=channels)

    def decoded(encoded: bytes, prefix: bytes) -> np.ndarray:
        found: np.ndarray = of_array_file(read, as_bytes(encoded), as_bytes(prefix))
        return found

    return tf.numpy_function(decoded, [encoded, prefix], tf.uint8)


def _of_picture(
    encoded: tf.Tensor, channels: int, prefix: tf.Tensor, *, portable: bool
) -> tf.Tensor:
    """Returns an image that is no array file."""
    if channels == 1:
        # What fails in a graph of its own, as without Python, has the reason first.
        return _gray(decode(encoded, prefix), prefix)
    read = "no .npy file" if portable else "neither an .npy nor a TIFF file"
    if channels != RGBA:
        reason = f"it does not have {channels} channels: it is {read}"
        encoded = accepted(encoded, tf.constant(reason), prefix)
        return tf.zeros((tf.strings.length(encoded), 0, channels), tf.uint8)
    head = cut(tf.strings.join([encoded, bytes(26)]), 0, 26)
    is_rgba = (cut(head, 0, 8) == _SIGNATURE) & (cut(head, 25, 1) == _WITH_ALPHA)
    reason = f"it does not have 4 channels: it is {read}, nor a PNG of RGB with alpha"
    reason = tf.cond(is_rgba, lambda: png.why_unreadable(encoded), lambda: tf.constant(reason))
    encoded = accepted(encoded, reason, prefix)
    return upright(tf.io.decode_png(encoded, channels=RGBA), png.orientation(encoded))


def _gray(image: tf.Tensor, prefix: tf.Tensor = "") -> tf.Tensor:
    """Returns the one channel of RGB that is gray."""
    one = image[:, :, :1]
    reason = tf.where(tf.reduce_all(image == one), "", reading.NOT_GRAY)
    return accepted(one, reason, prefix)
