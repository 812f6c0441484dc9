"""Decode and resize: the steps between an image file and the model.

The pipeline, prediction and the exported signature that takes encoded bytes all call
`decode_and_resize`, so an image is the same array wherever it comes from. TensorFlow operations
only: the functions run eagerly, in tf.data, and in a SavedModel on a machine without Python.

Files are not trusted: every loop is bounded, and headers are checked before anything is decoded.
Each format has a module of its own.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfxfer.config.frame import AnyFrame
from tfxfer.data.image.formats import bmp, gif, jpeg, png, tiff, webp
from tfxfer.data.image.formats.content import accepted, apart, characters
from tfxfer.data.image.formats.recognition import (
    FORMATS,
    SERVED_FORMATS,
    is_tiff,
    no_file_of,
    row_of,
    why_no_header,
)
from tfxfer.data.image.formats.table import why_jpeg_is_not_read
from tfxfer.data.image.framing import resize


def decode_and_resize(
    encoded: tf.Tensor, frame: AnyFrame, prefix: tf.Tensor = "", *, portable: bool = True
) -> tf.Tensor:
    """Returns an encoded image, fitted into a frame; see `decode` and `framing.resize`."""
    return resize(decode(encoded, prefix, portable=portable), frame)


def decode(encoded: tf.Tensor, prefix: tf.Tensor = "", *, portable: bool = True) -> tf.Tensor:
    """Returns an encoded image as uint8 RGB, upright.

    The result equals Pillow's bit for bit, for JPEG and all other formats: grayscale, palettes,
    CMYK and YCCK become RGB. 16-bit samples keep their upper 8 bits. Transparent pixels (alpha, a
    transparent color, or not covered by the first frame of a GIF) are put on white
    (`picture.BACKGROUND`). The first frame of an animation and the first page of a TIFF are used.

    The EXIF orientation is applied; see `orientation`.

    Args:
        encoded: The content of a JPEG, PNG, BMP, GIF, WebP or TIFF file, a scalar string.
        prefix: Start of the error message, a scalar string.
        portable: Whether it must work without Python, as in a SavedModel, and so without TIFF.
            Otherwise all but the simplest files are decoded by a function that is traced once per
            process: to trace it for each pipeline takes half a second.

    Returns:
        Shape (height, width, 3).

    Raises:
        tf.errors.InvalidArgumentError: `why_unreadable` gives a reason, or the file is corrupt.
    """
    start = characters(tf.strings.substr(encoded, 0, jpeg.HEAD_BYTES))
    image = tf.cond(
        tf.strings.regex_full_match(start, png.SMALL_PLAIN),
        lambda: tf.io.decode_png(encoded, channels=3),
        lambda: tf.cond(
            jpeg.is_plain(start, encoded),
            lambda: jpeg.decode_plain(encoded, prefix),
            lambda: (_decode_other if portable else _decode_other_here)(encoded, prefix),
        ),
    )
    return tf.ensure_shape(image, (None, None, 3))


def servable(encoded: tf.Tensor) -> tf.Tensor:
    """Returns a file that a SavedModel can read: itself, or a TIFF re-encoded as PNG."""
    return tf.cond(
        is_tiff(encoded),
        lambda: tf.io.encode_png(decode(encoded, portable=False)),
        lambda: encoded,
    )


def orientation(encoded: tf.Tensor, *, portable: bool = True) -> tf.Tensor:
    """Returns the EXIF orientation of an encoded image, 1 to 8, a scalar int32.

    1 is upright, also without an EXIF block or with a corrupt one. The block must be where it
    belongs: in a JPEG or PNG before the pixels, in a WebP anywhere. XMP is not read.
    """
    if not portable:
        return tf.cond(
            is_tiff(encoded),
            lambda: _orientation_of_tiff(encoded),
            lambda: orientation(encoded),
        )
    return tf.switch_case(
        row_of(encoded),
        [
            lambda: jpeg.orientation(encoded),
            lambda: png.orientation(encoded),
            lambda: tf.constant(1),  # BMP
            lambda: tf.constant(1),  # GIF
            lambda: webp.orientation(encoded),
            lambda: tf.constant(1),
        ],
    )


def height_and_width(encoded: tf.Tensor, *, portable: bool = True) -> tf.Tensor:
    """Returns the (height, width) that the header of an encoded image states, int64.

    Nothing is decoded, so an image that is too large can be refused before it takes memory. The
    orientation is not applied. For a GIF it is the size of the logical screen.

    Raises:
        tf.errors.InvalidArgumentError: There is no such header.
    """
    if not portable:
        return tf.cond(
            is_tiff(encoded),
            lambda: tf.ensure_shape(_header_of_tiff(encoded), 2),
            lambda: height_and_width(encoded),
        )

    def no_size() -> tf.Tensor:
        never = accepted(encoded, why_no_header(encoded))
        return tf.zeros(2, tf.int64) + tf.cast(tf.strings.length(never), tf.int64)

    return tf.switch_case(
        row_of(encoded),
        [
            lambda: jpeg.height_and_width(encoded),
            lambda: png.height_and_width(encoded),
            lambda: bmp.height_and_width(encoded),
            lambda: gif.height_and_width(encoded),
            lambda: webp.height_and_width(encoded),
            no_size,
        ],
    )


def why_unreadable(encoded: tf.Tensor) -> tf.Tensor:
    """Returns why bytes cannot be an image, a scalar string; empty if they may be one.

    It checks without decoding: the format and its kind are supported, the file is complete, and it
    has pixels, at most `picture.MAX_PIXELS`. A file that passes may still be corrupt.

    Raises:
        tf.errors.InvalidArgumentError: It is a JPEG with a corrupt header.
    """
    return tf.switch_case(
        row_of(encoded),
        [
            lambda: jpeg.why_unreadable(encoded),
            lambda: png.why_unreadable(encoded),
            lambda: bmp.why_unreadable(encoded),
            lambda: gif.why_unreadable(encoded),
            lambda: webp.why_unreadable(encoded),
            lambda: why_no_header(encoded),
        ],
    )


@apart
def _decode_other(
    encoded: tf.Tensor, prefix: tf.Tensor, formats: str = SERVED_FORMATS
) -> tf.Tensor:
    """Returns an image of any kind as RGB; the formats are those that a refusal names."""
    reason = why_unreadable(encoded)
    if formats != SERVED_FORMATS:
        is_none = tf.equal(reason, no_file_of(SERVED_FORMATS))
        reason = tf.where(is_none, no_file_of(formats), reason)
    encoded = accepted(encoded, reason, prefix)
    return tf.switch_case(
        row_of(encoded),
        [
            lambda: jpeg.decode(encoded),
            lambda: png.decode(encoded),
            lambda: bmp.decode(encoded),
            lambda: gif.decode(encoded),
            lambda: webp.decode(encoded),
            lambda: tf.zeros((0, 0, 3), tf.uint8),  # never, as it is not accepted
        ],
    )


def _decode_other_here(encoded: tf.Tensor, prefix: tf.Tensor) -> tf.Tensor:
    """Returns likewise an image in a graph that stays in this process."""

    def decoded(encoded: bytes, prefix: bytes) -> np.ndarray:
        found = _without_tensorflow(_as_bytes(encoded), _as_bytes(prefix))
        # While it computes others may have the interpreter.
        return _compiled_decode_other()(encoded, prefix).numpy() if found is None else found

    if tf.executing_eagerly():  # by itself, for the sake of short messages
        parts = [_as_bytes(tf.convert_to_tensor(part).numpy()) for part in (encoded, prefix)]
        found = _without_tensorflow(*parts)
        return _decode_other(encoded, prefix, FORMATS) if found is None else tf.constant(found)
    return tf.numpy_function(decoded, [encoded, prefix], tf.uint8)


def _without_tensorflow(content: bytes, prefix: bytes) -> np.ndarray | None:
    """Returns what a TIFF shows, None for others.

    Raises:
        tf.errors.InvalidArgumentError: It cannot be read, or is a JPEG of a kind that is not.
    """
    if tiff.is_tiff(content):
        return _of_tiff(tiff.decode, content, prefix)
    reason = why_jpeg_is_not_read(content) if content.startswith(b"\xff\xd8") else ""
    if reason:
        message = prefix.decode("utf-8", "replace") + reason
        raise tf.errors.InvalidArgumentError(None, None, message)
    return None


def _as_bytes(content: str | bytes | np.ndarray) -> bytes:
    """Returns the bytes of a string, of which a function gets an array where it runs eagerly."""
    found: bytes = tf.compat.as_bytes(np.asarray(content, object).item())
    return found


def _orientation_of_tiff(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the orientation of a TIFF, int32, in a graph that stays in this process."""

    def told(encoded: bytes) -> np.int32:
        return tiff.orientation(_as_bytes(encoded))

    return tf.ensure_shape(tf.numpy_function(told, [encoded], tf.int32), ())


def _header_of_tiff(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the (height, width) of a TIFF, int64, in a graph that stays in this process."""

    def told(encoded: bytes) -> np.ndarray:
        return _of_tiff(tiff.height_and_width, _as_bytes(encoded))

    return tf.numpy_function(told, [encoded], tf.int64)


def _of_tiff(
    function: Callable[[bytes], np.ndarray], encoded: bytes, prefix: bytes = b""
) -> np.ndarray:
    """Returns what a function makes of a TIFF, and fails as operations do."""
    try:
        return function(encoded)
    except tiff.TiffError as error:
        message = f"{prefix.decode('utf-8', 'replace')}{error}"
        raise tf.errors.InvalidArgumentError(None, None, message) from None


@functools.cache
def _compiled_decode_other() -> Any:
    """Returns a function that is traced when the first image needs it."""
    content = tf.TensorSpec((), tf.string)

    def decode_other(encoded: tf.Tensor, prefix: tf.Tensor) -> tf.Tensor:
        return _decode_other(encoded, prefix, FORMATS)

    return tf.function(decode_other, input_signature=[content, content], autograph=False)
