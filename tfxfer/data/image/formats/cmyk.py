"""The inks of CMYK and YCCK JPEG files, which TensorFlow gives only as RGB, and rounded down.

TensorFlow makes red of cyan C and black K, both stored as 255 less the ink, as floor(C K / 255)
where the file has a marker of Adobe's, and as floor((255 - C) (255 - K) / 255) where it has none.
The two add up so that their difference is C + K - 255: that is one equation for two numbers. The
other comes from a copy of the file in which all coefficients of K are multiplied by zero, so that K
is 128 everywhere.
"""

import tensorflow as tf

from tfxfer.data.image.formats.content import ALL, cut, read

# A segment that makes TensorFlow take the inks for stored as Adobe stores them.
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"

_HALF = 1 << 15


def decode(encoded: tf.Tensor, frame: tf.Tensor, scan: tf.Tensor, is_ycck: tf.Tensor) -> tf.Tensor:
    """Returns a JPEG of four components as RGB, as Pillow does: 255 is no ink, marker or not.

    Args:
        encoded: The file.
        frame: Where the segment begins that states its size, int64.
        scan: Where the first one begins that has pixels, int64.
        is_ycck: Whether cyan, magenta and yellow are stored as luma and chroma.
    """
    # The decoder must not see any marker but the one that it is shown, nor undo YCCK itself. A
    # text "Adobe" in EXIF or a color profile has no influence on pixels.
    header = tf.strings.regex_replace(cut(encoded, 2, scan - 2), "Adobe", "adobe")
    pixels = cut(encoded, scan, ALL)

    def difference(header: tf.Tensor) -> tf.Tensor:
        plain, marked = (
            tf.io.decode_jpeg(
                tf.strings.join([b"\xff\xd8", marker, header, pixels]),
                channels=3,
                dct_method="INTEGER_ACCURATE",
            )
            for marker in (b"", _ADOBE)
        )
        return marked - plain  # of uint8, whose overflow does no harm to what is below 256

    inks = difference(_without_black(encoded, frame, header)) + 127
    black = difference(header)[:, :, :1] + 255 - inks[:, :, :1]
    inks = tf.cond(is_ycck, lambda: _from_luma_and_chroma(inks), lambda: inks)
    return _rgb(inks, black)


def _without_black(encoded: tf.Tensor, frame: tf.Tensor, header: tf.Tensor) -> tf.Tensor:
    """Returns segments that make black constant: its coefficients are multiplied by zero.

    Args:
        encoded: The file.
        frame: Where the segment begins that states its size, int64.
        header: All segments before the pixels, from the second byte of the file on.
    """
    # How each component says which of four tables its coefficients are multiplied by.
    tables = tf.stack([read(encoded, frame + at, 1)[0] for at in (12, 15, 18)])
    free = tf.argmin(tf.reduce_any(tables[:, tf.newaxis] == tf.range(4, dtype=tf.int64), axis=0))
    number = tf.gather([bytes([number]) for number in range(4)], free)
    of_black = frame + 21 - 2
    return tf.strings.join(
        [
            cut(header, 0, of_black),
            number,
            cut(header, of_black + 1, ALL),
            b"\xff\xdb\x00\x43",
            number,
            bytes(64),
        ]
    )


def _from_luma_and_chroma(inks: tf.Tensor) -> tf.Tensor:
    """Returns cyan, magenta and yellow of YCC, with the integer arithmetic of libjpeg."""
    luma, blue, red = tf.unstack(tf.cast(inks, tf.int32), axis=2)
    blue, red = blue - 128, red - 128
    added = [
        (91881 * red + _HALF) // 2**16,
        (-22554 * blue - 46802 * red + _HALF) // 2**16,
        (116130 * blue + _HALF) // 2**16,
    ]
    inks = [tf.cast(tf.clip_by_value(255 - luma - more, 0, 255), tf.uint8) for more in added]
    return tf.stack(inks, axis=2)


def _rgb(inks: tf.Tensor, black: tf.Tensor) -> tf.Tensor:
    """Returns RGB from the stored inks, rounded as Pillow does."""
    away = tf.cast(255 - inks, tf.uint16) * tf.cast(black, tf.uint16) + 128  # at most 65,153
    # That divides by 255.
    away = tf.bitwise.right_shift(away + tf.bitwise.right_shift(away, 8), 8)
    return black - tf.cast(away, tf.uint8)
