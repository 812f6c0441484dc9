"""JPEG files: what their headers state, and their pixels as RGB."""

import tensorflow as tf

from tfxfer.images.content import MAX_BLOCKS, accepted, apart, characters, cut, length, read
from tfxfer.images.picture import exif_orientation, fits, upright, why_no_picture

# How most JPEG files begin that have no EXIF: a JFIF segment of 16 bytes, and then the tables.
_PLAIN = r"(?s)\x{ff}\x{d8}\x{ff}\x{e0}\x00\x10.{14}\x{ff}\x{db}.*"


def height_and_width(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the (height, width) that a JPEG states, int64."""
    return tf.cast(tf.io.extract_jpeg_shape(encoded)[:2], tf.int64)


def why_unreadable(encoded: tf.Tensor) -> tf.Tensor:
    """Returns what is wrong with a JPEG, or the empty string."""
    return tf.cond(
        _has_end(encoded),
        lambda: why_no_picture(height_and_width(encoded)),
        lambda: tf.constant("it is an incomplete JPEG file"),
    )


@apart
def _has_end(encoded: tf.Tensor) -> tf.Tensor:
    """Tells whether a JPEG has the mark that ends it, wherever that is."""
    content = tf.io.decode_raw(encoded, tf.uint8)
    return tf.reduce_any((content[:-1] == 0xFF) & (content[1:] == 0xD9))


def is_plain(start: tf.Tensor, encoded: tf.Tensor) -> tf.Tensor:
    """Tells whether a file is a JPEG without EXIF that has its end where it should be."""
    return tf.cond(
        tf.strings.regex_full_match(start, _PLAIN),
        lambda: tf.strings.substr(encoded, -2, 2) == b"\xff\xd9",
        lambda: tf.constant(False),  # nor is the end of an empty file looked for
    )


def decode_plain(encoded: tf.Tensor, prefix: tf.Tensor) -> tf.Tensor:
    """Returns such a JPEG as RGB."""
    size = height_and_width(encoded)
    reason = tf.cond(fits(size), lambda: tf.constant(""), lambda: why_no_picture(size))
    return _as_stored(accepted(encoded, reason, prefix))


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Returns a JPEG as RGB."""
    return upright(_as_stored(encoded), orientation(encoded))


def _as_stored(encoded: tf.Tensor) -> tf.Tensor:
    # The default, faster transform differs from Pillow's by up to 6 grey levels.
    return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")


@apart
def orientation(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the orientation of a JPEG."""
    # EXIF comes first, or second after the usual JFIF segment; else the segments are gone through.
    start = characters(tf.strings.substr(encoded, 0, 30))
    exif = r"\x{ff}\x{e1}..Exif\x00\x00.*"
    first = tf.strings.regex_full_match(start, rf"(?s)\x{{ff}}\x{{d8}}{exif}")
    second = tf.strings.regex_full_match(
        start, rf"(?s)\x{{ff}}\x{{d8}}\x{{ff}}\x{{e0}}\x00\x10.{{14}}{exif}"
    )
    position = tf.cond(
        first | second,
        lambda: tf.where(first, tf.constant(2, tf.int64), 20),
        lambda: _find_exif(encoded),
    )

    def of_segment() -> tf.Tensor:
        size = read(encoded, position + 2, 1, tf.uint16, True)[0]
        block = cut(encoded, position + 4, tf.maximum(size - 2, 0))
        return exif_orientation(block)

    return tf.cond(position < 0, lambda: tf.constant(1), of_segment)


@apart
def _find_exif(encoded: tf.Tensor) -> tf.Tensor:
    """Returns where the segment of EXIF begins, int64, or -1."""
    last = length(encoded) - 10

    def goes_on(position: tf.Tensor, more: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
        return more & ~found & (position <= last)

    def step(position: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        mark, kind, high, low = tf.unstack(read(encoded, position, 4))
        found = (kind == 0xE1) & (cut(encoded, position + 4, 6) == b"Exif\0\0")
        # What belongs to applications, a comment, or a byte that fills up.
        more = (mark == 0xFF) & (((kind >= 0xE0) & (kind < 0xF0)) | (kind >= 0xFE))
        size = tf.where(kind != 0xFF, 2 + 256 * high + low, 1)
        return tf.where(found, position, position + size), more, found

    position, _, found = tf.while_loop(
        goes_on,
        step,
        (tf.constant(2, tf.int64), tf.constant(True), tf.constant(False)),
        maximum_iterations=MAX_BLOCKS,
    )
    return tf.where(found, position, -1)
