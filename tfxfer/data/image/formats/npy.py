"""NumPy's files in graphs: what a SavedModel takes of images with other channels than RGB.

They are as `numpy.save` writes them: format 1.0, little-endian, in C order. The pixels are those of
`arrays.numpy_files`.
"""

import tensorflow as tf

from tfxfer.config.frame import RGB
from tfxfer.data.image.formats.content import ALL, accepted, apart, cut, length, read
from tfxfer.data.image.formats.picture import MAX_PIXELS

# The types of samples, as headers have them.
_TYPES = {
    "[|<]u1": tf.uint8,
    "<u2": tf.uint16,
    "<f4": tf.float32,
    "<f8": tf.float64,
}

_HEADER = (
    rf"\{{'descr': '({'|'.join(_TYPES)})', 'fortran_order': False, "
    r"'shape': \(([1-9][0-9]{0,8}), ([1-9][0-9]{0,8})(?:, ([1-9][0-9]{0,3}))?\), *\} *\n?"
)

_NO_SUCH_FILE = (
    "it is no NumPy file of uint8, uint16, float32 or float64, of shape (height, width, channels), "
    "as numpy.save writes them"
)

_BEGINNING = b"\x93NUMPY\x01\x00"


def decode(encoded: tf.Tensor, channels: int, prefix: tf.Tensor = "") -> tf.Tensor:
    """Returns the image in a file, uint8, (height, width, channels).

    Args:
        encoded: The file, which begins as NumPy's do.
        channels: How many it must have; a gray image may be of shape (height, width).
        prefix: Start of the error message.

    Raises:
        tf.errors.InvalidArgumentError: It is of another kind or incomplete, or has other channels.
    """
    header, samples = _parted(encoded)
    reason = _why_unreadable(encoded, header, channels)
    header, samples = accepted(header, reason, prefix), accepted(samples, reason, prefix)
    shape = tf.concat([_shape(header)[:2], [channels]], axis=0)
    kinds = list(_TYPES.values())
    pixels = tf.switch_case(
        _type(header), [lambda kind=kind: _pixels(samples, shape, kind, prefix) for kind in kinds]
    )
    return tf.ensure_shape(pixels, (None, None, channels))


def _parted(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the header of a file and what is behind it."""
    size, end = read(tf.strings.join([encoded, bytes(10)]), 8, 1, tf.uint16)[0], length(encoded)
    starts = [tf.minimum(start, end) for start in (tf.constant(10, tf.int64), 10 + size)]
    return cut(encoded, starts[0], size), cut(encoded, starts[1], ALL)


def _shape(header: tf.Tensor) -> tf.Tensor:
    """Returns height, width and channels, int64."""
    numbers = tf.strings.split(tf.strings.regex_replace(header, _HEADER, r"\2 \3 \4"), " ")
    return tf.strings.to_number(tf.where(numbers == "", "1", numbers), tf.int64)


def _type(header: tf.Tensor) -> tf.Tensor:
    """Returns the row of `_TYPES`, int32."""
    found = tf.strings.regex_replace(header, _HEADER, r"\1")
    same = [tf.strings.regex_full_match(found, pattern) for pattern in _TYPES]
    return tf.argmax(tf.cast(tf.stack(same), tf.int32), output_type=tf.int32)


@apart
def _why_unreadable(encoded: tf.Tensor, header: tf.Tensor, channels: int) -> tf.Tensor:
    """Returns why a file is not read, or the empty string."""
    is_known = (cut(encoded, 0, 8) == _BEGINNING) & tf.strings.regex_full_match(header, _HEADER)

    def of_known() -> tf.Tensor:
        shape, (_, samples) = _shape(header), _parted(encoded)
        sizes = tf.constant([kind.size for kind in _TYPES.values()], tf.int64)
        needed = tf.reduce_prod(shape) * tf.gather(sizes, _type(header))
        num_pixels = shape[0] * shape[1]
        many = (num_pixels > MAX_PIXELS) | (num_pixels * shape[2] > RGB * MAX_PIXELS)
        stated = tf.strings.as_string(shape[2])
        others = tf.strings.join(["it has ", stated, f" channels, not {channels}"])
        reason = tf.where(length(samples) < needed, "it is an incomplete NumPy file", "")
        reason = tf.where(many, f"it has more than {MAX_PIXELS:,} pixels", reason)
        return tf.where(shape[2] != channels, others, reason)

    return tf.cond(is_known, of_known, lambda: tf.constant(_NO_SUCH_FILE))


def _pixels(samples: tf.Tensor, shape: tf.Tensor, kind: tf.DType, prefix: tf.Tensor) -> tf.Tensor:
    """Returns samples of a type as uint8; see `arrays.samples.as_pixels`."""
    count = tf.reduce_prod(shape)
    found = tf.reshape(tf.io.decode_raw(cut(samples, 0, count * kind.size), kind), shape)
    if kind == tf.uint8:
        return found
    if kind == tf.uint16:
        return tf.cast(tf.bitwise.right_shift(found, tf.constant(8, kind)), tf.uint8)
    is_right = tf.reduce_all((found >= 0) & (found <= 1))  # NaN is neither
    reason = tf.where(is_right, "", "it has NaN, or values outside [0, 1]")
    return tf.cast(tf.round(accepted(found, reason, prefix) * 255), tf.uint8)
