"""Decodes image files as RGB.

TensorFlow operations only: the functions run eagerly, in tf.data, and in a SavedModel on a machine
without Python. Array files, which no operation decodes, are left to Python.

Files are not trusted: every loop is bounded, and headers are checked before anything is decoded.
Each format has a module of its own.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.data.image.formats import bmp, gif, jpeg, png, webp
from tfxfer.data.image.formats.arrays import reading
from tfxfer.data.image.formats.arrays.samples import ArrayFileError
from tfxfer.data.image.formats.content import accepted, apart, characters
from tfxfer.data.image.formats.recognition import (
    FORMATS,
    SERVED_FORMATS,
    SHORTEST,
    is_array_file,
    no_file_of,
    row_of,
    why_no_header,
)
from tfxfer.data.image.formats.table import format_of, why_jpeg_is_not_read

# The formats that graphs decode, in the order of `recognition.row_of`.
_GRAPHS = {"JPEG": jpeg, "PNG": png, "BMP": bmp, "GIF": gif, "WebP": webp}


def decode(encoded: tf.Tensor, prefix: tf.Tensor = "", *, portable: bool = True) -> tf.Tensor:
    """Returns an encoded image as uint8 RGB, upright.

    The result equals Pillow's bit for bit, for JPEG and all other formats: grayscale, palettes,
    CMYK and YCCK become RGB. 16-bit samples keep their upper 8 bits. Transparent pixels (alpha, a
    transparent color, or not covered by the first frame of a GIF) are put on white
    (`picture.BACKGROUND`). The first frame of an animation and the first page of a TIFF are used.

    The EXIF orientation is applied; see `orientation`.

    Args:
        encoded: The content of a JPEG, PNG, BMP, GIF, WebP, TIFF or .npy file, a scalar string.
        prefix: Start of the error message, a scalar string.
        portable: Whether it must work without Python, as in a SavedModel, and so without TIFF and
            NumPy's files. Otherwise all but the simplest files are decoded by functions that are
            traced once per process: to trace them for each pipeline takes half a second.

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
    """Returns a file that a SavedModel can read: itself, or an array file re-encoded as PNG."""
    return tf.cond(
        is_array_file(encoded),
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
            is_array_file(encoded),
            lambda: _orientation_of_array(encoded),
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


def height_and_width(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the (height, width) that the header of an encoded image states, int64.

    Nothing is decoded, so an image that is too large can be refused before it takes memory. The
    orientation is not applied. For a GIF it is the size of the logical screen.

    Raises:
        tf.errors.InvalidArgumentError: There is no such header.
    """

    def no_size() -> tf.Tensor:
        never = accepted(encoded, why_no_header(encoded))
        return tf.zeros(2, tf.int64) + tf.cast(tf.strings.length(never), tf.int64)

    return tf.switch_case(
        row_of(encoded),
        [*_of_each("height_and_width", encoded), no_size],
    )


def upright_size(encoded: bytes) -> npt.NDArray[np.int64]:
    """Returns the (height, width) that an image is shown with, as its header states them.

    In this process, where array files are read, too: of what reads the other formats only the part
    for this one is traced, once per process.

    Raises:
        tf.errors.InvalidArgumentError: There is no such header.
    """
    if reading.is_array_file(encoded):
        size = np.array(of_array_file(reading.shape_of, encoded)[:2], np.int64)
        turned = of_array_file(reading.orientation, encoded)
    else:
        size, turned = (found.numpy() for found in _measuring(_name_of(encoded))(encoded))
    return size[::-1] if turned > 4 else size


def why_unreadable(encoded: tf.Tensor) -> tf.Tensor:
    """Returns why bytes cannot be an image, a scalar string; empty if they may be one.

    It checks without decoding: the format and its kind are supported, the file is complete, and it
    has pixels, at most `picture.MAX_PIXELS`. A file that passes may still be corrupt.

    Raises:
        tf.errors.InvalidArgumentError: It is a JPEG with a corrupt header.
    """
    return tf.switch_case(
        row_of(encoded),
        [*_of_each("why_unreadable", encoded), lambda: why_no_header(encoded)],
    )


def _of_each(function: str, encoded: tf.Tensor) -> list[Callable[[], tf.Tensor]]:
    """Returns a function of each format's module, called with a file, for `tf.switch_case`."""
    return [functools.partial(getattr(module, function), encoded) for module in _GRAPHS.values()]


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
        # The last is never called, as no other format is accepted.
        [*_of_each("decode", encoded), lambda: tf.zeros((0, 0, 3), tf.uint8)],
    )


def _decode_other_here(encoded: tf.Tensor, prefix: tf.Tensor) -> tf.Tensor:
    """Returns likewise an image in a graph that stays in this process."""

    def decoded(encoded: bytes, prefix: bytes) -> np.ndarray:
        content = as_bytes(encoded)
        found = _without_tensorflow(content, as_bytes(prefix))
        if found is not None:
            return found
        # While it computes others may have the interpreter.
        shown: np.ndarray = _compiled(_name_of(content))(encoded, prefix).numpy()
        return shown

    if tf.executing_eagerly():  # by itself, for the sake of short messages
        parts = [as_bytes(tf.convert_to_tensor(part).numpy()) for part in (encoded, prefix)]
        found = _without_tensorflow(*parts)
        return _decode_other(encoded, prefix, FORMATS) if found is None else tf.constant(found)
    return tf.numpy_function(decoded, [encoded, prefix], tf.uint8)


def _without_tensorflow(content: bytes, prefix: bytes) -> np.ndarray | None:
    """Returns what an array file shows, None for others.

    Raises:
        tf.errors.InvalidArgumentError: It cannot be read, or is a JPEG of a kind that is not.
    """
    if reading.is_array_file(content):
        shown: np.ndarray = of_array_file(reading.as_rgb, content, prefix)
        return shown
    reason = why_jpeg_is_not_read(content) if content.startswith(b"\xff\xd8") else ""
    if reason:
        message = prefix.decode("utf-8", "replace") + reason
        raise tf.errors.InvalidArgumentError(None, None, message)
    return None


def as_bytes(content: str | bytes | np.ndarray) -> bytes:
    """Returns the bytes of a string, of which a function gets an array where it runs eagerly."""
    found: bytes = tf.compat.as_bytes(np.asarray(content, object).item())
    return found


def _orientation_of_array(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the orientation of an array file, int32, in a graph that stays in this process."""

    def told(encoded: bytes) -> np.int32:
        return reading.orientation(as_bytes(encoded))

    return tf.ensure_shape(tf.numpy_function(told, [encoded], tf.int32), ())


def of_array_file(function: Callable[[bytes], Any], encoded: bytes, prefix: bytes = b"") -> Any:
    """Returns what a function makes of an array file, and fails as operations do."""
    try:
        return function(encoded)
    except ArrayFileError as error:
        message = f"{prefix.decode('utf-8', 'replace')}{error}"
        raise tf.errors.InvalidArgumentError(None, None, message) from None


@functools.cache
def _compiled(name: str) -> Any:
    """Returns a function that decodes one format, or "" any, traced when the first image needs it.

    The graph of a format is a small part of that of all: most photographs are JPEG with EXIF.
    """

    def decode_one(encoded: tf.Tensor, prefix: tf.Tensor) -> tf.Tensor:
        if name not in _GRAPHS:
            return _decode_other(encoded, prefix, FORMATS)
        module = _GRAPHS[name]
        return module.decode(accepted(encoded, module.why_unreadable(encoded), prefix))

    content = tf.TensorSpec((), tf.string)
    return tf.function(decode_one, input_signature=[content, content], autograph=False)


@functools.cache
def _measuring(name: str) -> Any:
    """Returns a function from files of one format, or "" any, to stated size and orientation."""

    def measure(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        module = _GRAPHS.get(name)
        if module is None:
            return height_and_width(encoded), orientation(encoded)
        turned = module.orientation(encoded) if hasattr(module, "orientation") else tf.constant(1)
        return module.height_and_width(encoded), turned

    return tf.function(measure, input_signature=[tf.TensorSpec((), tf.string)], autograph=False)


def _name_of(content: bytes) -> str:
    """Returns the format of a file; "" if a graph is to say what is wrong with it."""
    name = format_of(content) or ""
    return name if len(content) >= SHORTEST.get(name, math.inf) else ""
