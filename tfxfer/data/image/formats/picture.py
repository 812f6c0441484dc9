"""Size limit, background and EXIF orientation: the same for all formats."""

import tensorflow as tf

from tfxfer.data.image.formats.content import ALL, apart, characters, cut, length, read

# A larger image is refused before it takes memory: 3 bytes a pixel, as much again for the central
# square or a rotated image, and 20 with alpha.
MAX_PIXELS = 100_000_000

# The gray level that transparent pixels show: paper is white, and so is a web page.
BACKGROUND = 255

# The row of an EXIF table that states the orientation, after the mark that tells the order of bytes
# and other rows, of 12 bytes each: tag, type (16 or 32 bits), count 1, value. Characters for bytes.
_ORIENTATION_ROW = (
    r"(?s)II\*\x00(?:.{12})*?\x12\x01[\x03\x04]\x00\x01\x00\x00\x00(.)(.)..(?:.*)"
    r"|MM\x00\*(?:.{12})*?\x01\x12\x00"
    r"(?:\x03\x00\x00\x00\x01(.)(.)..|\x04\x00\x00\x00\x01\x00\x00(.)(.))(?:.*)"
)


def fits(size: tf.Tensor) -> tf.Tensor:
    """Tells whether an image of a (height, width), int64, is decoded."""
    return (tf.reduce_min(size) > 0) & (_num_pixels(size) <= MAX_PIXELS)


def _num_pixels(size: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.minimum(size, 2**31 - 1))  # else the product may be no int64


@apart
def why_not_decoded(size: tf.Tensor) -> tf.Tensor:
    """Returns why an image of a (height, width), int64, is not decoded, or the empty string."""
    count = tf.strings.as_string(_num_pixels(size))
    many = tf.strings.join(["it has ", count, f" pixels; at most {MAX_PIXELS:,} are decoded"])
    return tf.where(fits(size), "", tf.where(tf.reduce_min(size) <= 0, "it has no pixels", many))


def on_white(image: tf.Tensor) -> tf.Tensor:
    """Returns RGB with alpha, uint8, over the background, rounded to the nearest gray level."""
    alpha = tf.cast(image[:, :, 3:], tf.uint16)
    away = tf.cast(BACKGROUND - image[:, :, :3], tf.uint16) * alpha + 128  # at most 65,153
    # That divides by 255.
    away = tf.bitwise.right_shift(away + tf.bitwise.right_shift(away, 8), 8)
    return BACKGROUND - tf.cast(away, tf.uint8)


@apart
def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Applies an EXIF orientation to an image."""

    def turned() -> tf.Tensor:
        sides_change = orientation >= 5
        rotated = tf.cond(sides_change, lambda: _transposed(image), lambda: image)
        # Upside down are 3, 4, 7 and 8; the left is on the right in 2, 3, 6 and 7.
        reverse = tf.stack([orientation - 1, orientation]) % 4 >= 2
        return tf.reverse(rotated, tf.reshape(tf.where(reverse), (-1,)))

    return tf.cond(orientation == 1, lambda: image, turned)


def _transposed(image: tf.Tensor) -> tf.Tensor:
    """Returns an image, uint8, with rows and columns exchanged.

    Each column becomes a block of rows. `tf.transpose` of integers would make TensorFlow 2.21 log
    an error about oneDNN wherever a processor has no AVX-512, even if no image is turned.
    """
    height, width, channels = tf.unstack(tf.shape(image))
    columns = tf.raw_ops.SpaceToBatchND(input=image, block_shape=[width], paddings=[[0, 0]])
    return tf.reshape(columns, (width, height, channels))


@apart
def exif_orientation(block: tf.Tensor) -> tf.Tensor:
    """Returns the orientation, int32, in a block of EXIF, with or without the mark before it.

    The block is a TIFF file: 8 bytes that tell the order of bytes and where a table begins, which
    has its length in 2 bytes, and rows. The first row that counts wins, as in Pillow.
    """
    marked = tf.strings.substr(block, 0, 6) == b"Exif\0\0"
    block = tf.strings.substr(block, tf.where(marked, 6, 0), ALL)
    order = tf.strings.substr(block, 0, 4)
    # What is beyond the end reads as 0, so that a corrupt block has a table without rows.
    padded, end = tf.strings.join([block, bytes(8)]), length(block)

    def number(start: tf.Tensor, kind: tf.DType) -> tf.Tensor:
        big, little = (read(padded, start, 1, kind, big_endian) for big_endian in (True, False))
        return tf.reshape(tf.where(order == b"MM\0*", big, little), ())

    start = tf.minimum(number(4, tf.int32) % 2**32, end)
    rows = cut(block, tf.minimum(start + 2, end), 12 * number(start, tf.uint16))
    text = characters(tf.strings.join([order, rows]))
    value = tf.strings.regex_replace(text, f"^(?:{_ORIENTATION_ROW})$", r"\1\2\4\3\6\5")
    values = [bytes([number, 0]) for number in range(1, 9)]
    return tf.maximum(tf.reduce_sum(tf.cast(value == values, tf.int32) * tf.range(1, 9)), 1)
