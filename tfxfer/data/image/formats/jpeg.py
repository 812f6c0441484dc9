"""JPEG files: what their headers state, and their pixels as RGB."""

import tensorflow as tf

from tfxfer.data.image.formats import cmyk
from tfxfer.data.image.formats.content import (
    MAX_BLOCKS,
    accepted,
    apart,
    characters,
    cut,
    length,
    read,
)
from tfxfer.data.image.formats.picture import exif_orientation, fits, upright, why_not_decoded

# Any bytes among which "Exi" is not: a pattern cannot say it more shortly.
_NO_EXIF = r"(?:[^E]|E(?:E|xE)*(?:[^Ex]|x[^Ei]))*"

# The same without 0xff, which begins the next segment.
_COMMENT = r"(?:[^E\x{ff}]|E(?:E|xE)*(?:[^Ex\x{ff}]|x[^Ei\x{ff}]))*"

# How most JPEG files begin that have no EXIF: a JFIF segment of 16 bytes, perhaps a comment (gd and
# Apple's tools write one), tables, and a size with samples of 8 bits, of one component or three;
# behind it there is no EXIF either.
_PLAIN = (
    r"(?s)\x{ff}\x{d8}\x{ff}\x{e0}\x00\x10.{14}"
    + rf"(?:\x{{ff}}\x{{fe}}\x00{_COMMENT})?"
    + r"\x{ff}\x{db}"
    + _NO_EXIF
    + r"\x{ff}[\x{c0}-\x{c2}]\x00(?:\x0b\x08.{4}\x01|\x11\x08.{4}\x03)"
    + _NO_EXIF
    + r"(?:E(?:E|xE)*x?)?"
)

# Of the first bytes of a file, so many are looked at for that: the tables are shorter.
HEAD_BYTES = 1024


def height_and_width(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the (height, width) that a JPEG states, int64."""
    return tf.cast(tf.io.extract_jpeg_shape(encoded)[:2], tf.int64)


def why_unreadable(encoded: tf.Tensor) -> tf.Tensor:
    """Returns what is wrong with a JPEG, or the empty string."""
    return tf.cond(
        _has_end(encoded),
        lambda: why_not_decoded(height_and_width(encoded)),
        lambda: tf.constant("it is a truncated JPEG file"),
    )


@apart
def _has_end(encoded: tf.Tensor) -> tf.Tensor:
    """Tells whether a JPEG has an end marker, anywhere."""
    content = tf.io.decode_raw(encoded, tf.uint8)
    return tf.reduce_any((content[:-1] == 0xFF) & (content[1:] == 0xD9))


def is_plain(start: tf.Tensor, encoded: tf.Tensor) -> tf.Tensor:
    """Tells whether a file is an RGB or grayscale JPEG without EXIF that ends with its end marker.

    Args:
        start: A character for each of the first `HEAD_BYTES`.
        encoded: All of it.
    """
    return tf.cond(
        tf.strings.regex_full_match(start, _PLAIN),
        lambda: tf.strings.substr(encoded, -2, 2) == b"\xff\xd9",
        lambda: tf.constant(False),  # nor is the end of an empty file looked for
    )


def decode_plain(encoded: tf.Tensor, prefix: tf.Tensor) -> tf.Tensor:
    """Returns such a JPEG as RGB."""
    size = height_and_width(encoded)
    reason = tf.cond(fits(size), lambda: tf.constant(""), lambda: why_not_decoded(size))
    return _rgb(accepted(encoded, reason, prefix))


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Returns a JPEG as RGB."""
    return upright(_as_stored(encoded), orientation(encoded))


def _as_stored(encoded: tf.Tensor) -> tf.Tensor:
    return tf.cond(
        tf.io.extract_jpeg_shape(encoded)[2] == 4,
        lambda: _from_inks(encoded),
        lambda: _rgb(encoded),
    )


def _rgb(encoded: tf.Tensor) -> tf.Tensor:
    # The default, faster transform differs from Pillow's by up to 6 gray levels.
    return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")


@apart
def _from_inks(encoded: tf.Tensor) -> tf.Tensor:
    """Returns a JPEG of four components, CMYK or YCCK, as RGB."""
    _, frame, scan, transform = tf.unstack(_segments(encoded))
    corrupt = tf.where((frame < 0) | (scan < 0), "it is a corrupt JPEG file", "")
    return cmyk.decode(accepted(encoded, corrupt), frame, scan, transform > 0)


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
        lambda: tf.cond(
            tf.strings.regex_replace(encoded, r"Exif\x00\x00", "") != encoded,
            lambda: _segments(encoded)[0],
            lambda: tf.constant(-1, tf.int64),
        ),
    )

    def of_segment() -> tf.Tensor:
        size = read(encoded, position + 2, 1, tf.uint16, True)[0]
        block = cut(encoded, position + 4, tf.maximum(size - 2, 0))
        return exif_orientation(block)

    return tf.cond(position < 0, lambda: tf.constant(1), of_segment)


@apart
def _segments(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the positions of segments before the pixels of a JPEG, int64, -1 for none.

    Returns:
        Where the first segment of EXIF begins, the one that states the size and the first one with
        pixels; and the color transform of the last Adobe marker: 0, 1 or 2.
    """
    last = length(encoded) - 16

    def step(
        position: tf.Tensor, _: tf.Tensor, found: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        mark, kind, high, low, *_, colors = tf.unstack(read(encoded, position, 16))
        exif, frame, _, transform = tf.unstack(found)
        begins = cut(encoded, position + 4, 6)
        size = 256 * high + low
        # What comes first counts, as in Pillow; of Adobe's markers the last, as in libjpeg.
        is_exif = (kind == 0xE1) & (begins == b"Exif\0\0") & (exif < 0)
        # 0xC4, 0xC8 and 0xCC are others.
        is_frame = (kind >= 0xC0) & (kind < 0xD0) & (kind % 4 > 0) | (kind == 0xC0)
        is_adobe = (kind == 0xEE) & (tf.strings.substr(begins, 0, 5) == b"Adobe") & (size >= 14)
        is_scan = (mark == 0xFF) & (kind == 0xDA)
        found = tf.stack(
            [
                tf.where(is_exif, position, exif),
                tf.where(is_frame & (frame < 0), position, frame),
                tf.where(is_scan, position, -1),
                tf.where(is_adobe, colors, transform),
            ]
        )
        more = (mark == 0xFF) & (kind >= 0xC0) & ~is_scan
        return position + tf.where(kind != 0xFF, 2 + size, 1), more, found  # 0xFF fills up

    start, nothing = tf.constant(2, tf.int64), tf.constant([-1] * 4, tf.int64)
    *_, found = tf.while_loop(
        lambda position, more, _: more & (position <= last),
        step,
        (start, tf.constant(True), nothing),
        maximum_iterations=MAX_BLOCKS,
    )
    return found
