"""WebP files: what their headers state, and their first image as RGB."""

import tensorflow as tf

from tfxfer.data.image.formats.content import ALL, apart, cut, find_chunk, length, read
from tfxfer.data.image.formats.picture import exif_orientation, on_white, upright, why_not_decoded


def height_and_width(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the (height, width) that a WebP states, int64."""
    # The shortest one is shorter than the longest header.
    header = tf.strings.join([cut(encoded, 0, 30), bytes(4)])
    name = cut(encoded, 12, 4)
    lossy = read(header, 26, 2, tf.uint16) % 2**14
    bits = read(header, 21, 1, tf.int32)[0] % 2**32
    lossless = 1 + tf.stack([bits % 2**14, bits // 2**14 % 2**14])
    canvas = 1 + tf.stack(
        [read(header, at, 1, tf.int32)[0] % 2**32 // 2**8 for at in (23, 26)]
    )  # 24 bits each, of which the first has the number
    return tf.where(name == b"VP8X", canvas, tf.where(name == b"VP8L", lossless, lossy))[::-1]


@apart
def why_unreadable(encoded: tf.Tensor) -> tf.Tensor:
    """Returns what is wrong with a WebP, or the empty string."""
    incomplete = read(encoded, 4, 1, tf.int32)[0] % 2**32 + 8 > length(encoded)
    reason = why_not_decoded(height_and_width(encoded))
    return tf.where(incomplete, "it is an incomplete WebP file", reason)


def _flags(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the flags of an extended WebP, int64: 2 animation, 8 EXIF, 16 alpha."""
    extended = cut(encoded, 12, 4) == b"VP8X"
    return tf.where(extended, read(encoded, 20, 1)[0], 0)


def _find(encoded: tf.Tensor, names: list[bytes]) -> tf.Tensor:
    """Returns where the first chunk of one of the names begins, int64, or -1."""
    first, none = tf.constant(12, tf.int64), tf.constant([], tf.string)
    return find_chunk(encoded, first, tf.constant(names), none, tf.constant(True))


@apart
def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Returns a WebP, or the first image of an animation, as RGB.

    It uses the operation for all formats, which existed before TensorFlow could read WebP: an older
    server loads the SavedModel, and refuses only these files. The number of channels must be
    given. Otherwise TensorFlow 2.21 writes the 4 channels of an animation into memory for 3, if
    the header says that there is no alpha.
    """
    flags = _flags(encoded)

    def decoded(channels: int, content: tf.Tensor) -> tf.Tensor:
        return tf.io.decode_image(content, channels=channels, expand_animations=False)

    def of_animation() -> tf.Tensor:
        stated = tf.gather([bytes([flags | 16]) for flags in range(256)], flags)
        before, after = cut(encoded, 0, 20), cut(encoded, 21, ALL)
        return on_white(decoded(4, tf.strings.join([before, stated, after])))

    def of_image() -> tf.Tensor:
        position = tf.maximum(_find(encoded, [b"VP8 ", b"VP8L", b"ALPH"]), 0)
        name = cut(encoded, position, 4)
        # Lossless pixels say it themselves, whatever the header does.
        packed = read(tf.strings.join([encoded, bytes(13)]), position + 12, 1)[0]
        bits = tf.where(name == b"VP8L", packed, flags) // 16 % 2
        return tf.cond(
            (bits == 1) | (name == b"ALPH"),
            lambda: on_white(decoded(4, encoded)),
            lambda: decoded(3, encoded),
        )

    image = tf.cond(flags // 2 % 2 == 1, of_animation, of_image)
    return upright(image, orientation(encoded))


def orientation(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the orientation of a WebP."""
    stated = _flags(encoded) // 8 % 2 == 1
    position = tf.cond(stated, lambda: _find(encoded, [b"EXIF"]), lambda: tf.constant(-1, tf.int64))

    def of_chunk() -> tf.Tensor:
        size = read(encoded, position + 4, 1, tf.int32)[0] % 2**32
        return exif_orientation(cut(encoded, position + 8, size))

    return tf.cond(position < 0, lambda: tf.constant(1), of_chunk)
