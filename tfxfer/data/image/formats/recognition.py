"""Recognizes image formats by their first bytes, in graphs."""

import tensorflow as tf

from tfxfer.data.image.formats.content import apart, characters
from tfxfer.data.image.formats.table import FORMATS as _ALL
from tfxfer.data.image.formats.table import HEAD_BYTES, IN_GRAPHS, OTHERS, READ, Format


def _listed(formats: tuple[Format, ...]) -> str:
    return f"{', '.join(one.name for one in formats[:-1])} or {formats[-1].name}"


def no_file_of(formats: str) -> str:
    """Returns why a file of none of these formats is not read."""
    return f"it is not a {formats} file"


# The formats that are decoded, and those that a SavedModel decodes, for messages.
FORMATS, SERVED_FORMATS = _listed(READ), _listed(IN_GRAPHS)

# File name extensions of these formats. `decode` looks at the bytes, not at the name.
EXTENSIONS = tuple(extension for one in READ for extension in one.extensions)

# Minimum size of a file of each format that graphs decode, in bytes; "" is none of them.
SHORTEST = {"JPEG": 26, "PNG": 45, "BMP": 54, "GIF": 26, "WebP": 26, "": 0}


def decoded_format(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the format of an encoded image by its first bytes, such as "JPEG", or "".

    A scalar string, for "TIFF" and "NPY" too.
    """
    found = tf.gather(tf.constant(list(SHORTEST)), _signature(encoded))
    found = tf.where(is_npy(encoded), "NPY", found)
    return tf.where(is_tiff(encoded), "TIFF", found)


def is_array_file(encoded: tf.Tensor) -> tf.Tensor:
    """Tells whether a file begins as those that Python decodes, and no graph: TIFF and NumPy's."""
    return is_tiff(encoded) | is_npy(encoded)


def is_npy(encoded: tf.Tensor) -> tf.Tensor:
    """Tells whether a file begins as NumPy's do."""
    return tf.strings.substr(encoded, 0, 6) == b"\x93NUMPY"


def is_tiff(encoded: tf.Tensor) -> tf.Tensor:
    """Tells whether a file begins as a TIFF does."""
    start = tf.strings.substr(encoded, 0, 4)
    return tf.reduce_any(start == [b"II*\0", b"II+\0", b"MM\0*", b"MM\0+"])


def _signature(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the row of `SHORTEST` that bytes belong to, int32."""
    start = characters(tf.strings.substr(encoded, 0, 18))
    patterns = [f"(?s)(?:{one.pattern}).*" for one in IN_GRAPHS] + ["(?s).*"]
    same = [tf.strings.regex_full_match(start, pattern) for pattern in patterns]
    return tf.argmax(tf.cast(tf.stack(same), tf.int32), output_type=tf.int32)


def row_of(encoded: tf.Tensor) -> tf.Tensor:
    """Returns which format a file is of: JPEG 0, PNG 1, BMP 2, GIF 3, WebP 4, an int32.

    5 is none of them, or a file that lacks its header.
    """
    row = _signature(encoded)
    shortest = tf.gather(tf.constant(list(SHORTEST.values())), row)
    return tf.where(tf.strings.length(encoded) < shortest, len(SHORTEST) - 1, row)


@apart
def why_no_header(encoded: tf.Tensor) -> tf.Tensor:
    """Returns what is wrong with bytes that are no image, or less than its header."""
    start = characters(tf.strings.substr(encoded, 0, HEAD_BYTES))
    said = [
        *((one.pattern, "it is incomplete" if one.in_graphs else one.refusal) for one in _ALL),
        *OTHERS,
        ("$", "it is empty"),
        ("", no_file_of(SERVED_FORMATS)),
    ]
    same = [tf.strings.regex_full_match(start, f"(?s)(?:{pattern}).*") for pattern, _ in said]
    first = tf.argmax(tf.cast(tf.stack(same), tf.int32))
    return tf.gather(tf.constant([reason for _, reason in said]), first)
