"""PNG files: what their headers state, and their pixels as RGB."""

import tensorflow as tf

from tfxfer.data.image.formats.content import apart, cut, find_chunk, read
from tfxfer.data.image.formats.picture import exif_orientation, on_white, upright, why_not_decoded

# How most small PNG files begin: fewer than 9,984 pixels a side, 8 bits, grayscale or RGB,
# then the pixels: there is neither alpha nor EXIF, and `why_unreadable` finds nothing wrong.
SMALL_PLAIN = (
    r"(?s)\x{89}PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
    r"(\x00\x00(\x00[^\x00]|[\x01-\x26].)){2}\x08[\x00\x02].{7}....IDAT"
)


def height_and_width(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the (height, width) that a PNG states, int64."""
    return read(encoded, 16, 2, tf.int32, True)[::-1] % 2**32


def why_unreadable(encoded: tf.Tensor) -> tf.Tensor:
    """Returns what is wrong with a PNG, or the empty string."""
    return why_not_decoded(height_and_width(encoded))


@apart
def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Returns a PNG as RGB; alpha may be a channel or a chunk of transparent colors."""
    has_channel = read(encoded, 25, 1)[0] // 4 % 2 == 1
    translucent = has_channel | (_find(encoded, b"tRNS") >= 0)
    image = tf.cond(
        translucent,
        lambda: on_white(tf.io.decode_png(encoded, channels=4)),
        lambda: tf.io.decode_png(encoded, channels=3),
    )
    return upright(image, orientation(encoded))


def _find(encoded: tf.Tensor, name: bytes) -> tf.Tensor:
    """Returns where a chunk begins that comes before the pixels, int64, or -1."""
    first, ends = tf.constant(33, tf.int64), tf.constant([b"IDAT", b"IEND"])
    return find_chunk(encoded, first, tf.constant([name]), ends, tf.constant(False))


def orientation(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the orientation of a PNG."""
    position = _find(encoded, b"eXIf")

    def of_chunk() -> tf.Tensor:
        size = read(encoded, position, 1, tf.int32, True)[0] % 2**32
        return exif_orientation(cut(encoded, position + 8, size))

    return tf.cond(position < 0, lambda: tf.constant(1), of_chunk)
