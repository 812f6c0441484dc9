"""BMP files: what their headers state, and their pixels as RGB."""

import tensorflow as tf

from tfxfer.data.image.formats.content import apart, cut, length, read
from tfxfer.data.image.formats.picture import fits, on_white, why_not_decoded


def _header(encoded: tf.Tensor) -> list[tf.Tensor]:
    """Returns the pixel offset, header size, width, height, bits per pixel and compression.

    A negative height means that the first row is the top.
    """
    pixels, header, width, height, bits, kind = tf.unstack(read(encoded, 10, 6, tf.int32))
    return [pixels % 2**32, header % 2**32, width, height, bits % 2**32 // 2**16, kind % 2**32]


def height_and_width(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the (height, width) that a BMP states, int64."""
    _, _, width, height, *_ = _header(encoded)
    return tf.stack([tf.abs(height), width])


def _masks(encoded: tf.Tensor, header: tf.Tensor) -> tf.Tensor:
    """Returns which byte of a pixel is red, green, blue and alpha: (channel, byte), int64.

    A byte that is the channel has 255. With a short header, no byte is alpha.
    """
    padded = tf.strings.join([tf.strings.substr(encoded, 54, 16), bytes(16)])
    masks = tf.reshape(read(padded, 0, 16), (4, 4))
    return masks * tf.stack([[1], [1], [1], [tf.cast(header >= 56, tf.int64)]])


@apart
def why_unreadable(encoded: tf.Tensor) -> tf.Tensor:
    """Returns what is wrong with a BMP, or the empty string."""
    pixels, header, width, height, bits, compression = _header(encoded)
    masks = _masks(encoded, header)
    # One byte of its own for each color, and perhaps one for alpha.
    is_byte = tf.reduce_all((masks == 0) | (masks == 255))
    sums = tf.reduce_sum(masks, axis=1)
    masked = is_byte & tf.reduce_all(sums[:3] == 255) & (sums[3] <= 255) & (bits == 32)
    plain = tf.reduce_any(bits == [1, 4, 8, 24, 32])
    known = ((compression == 0) & plain) | ((compression == 3) & masked)
    size = tf.stack([tf.abs(height), width])
    row_bytes = (width * bits + 31) // 32 * 4
    complete = pixels + tf.abs(height) * row_bytes <= length(encoded)
    return tf.where(
        (header < 40) | ~known,
        "it is an unsupported kind of BMP file; convert it to PNG, for example",
        tf.where(
            fits(size),
            tf.where(complete, "", "it is an incomplete BMP file"),
            why_not_decoded(size),
        ),
    )


@apart
def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Returns a BMP as RGB, whether it stores a palette, RGB or RGB and alpha."""
    pixels_at, header, width, height, bits, compression = _header(encoded)
    row_bytes = (width * bits + 31) // 32 * 4
    num_bytes = tf.abs(height) * row_bytes

    def from_palette() -> tf.Tensor:
        # TensorFlow's own operation gives the indices, and only those of 8 bits.
        stored = tf.io.decode_raw(cut(encoded, pixels_at, num_bytes), tf.uint8)
        rows = tf.reshape(stored, (tf.abs(height), row_bytes, 1))
        rows = tf.cond(height > 0, lambda: tf.reverse(rows, [0]), lambda: rows)
        # The first pixel of a byte is in its upper bits.
        indices = tf.bitwise.right_shift(rows, tf.cast(tf.range(8 - bits, -1, -bits), tf.uint8))
        indices = tf.reshape(indices, (tf.abs(height), -1))[:, :width]
        indices = tf.bitwise.bitwise_and(indices, tf.cast(2**bits - 1, tf.uint8))
        start = 14 + header
        table = cut(encoded, start, tf.maximum(pixels_at - start, 0))
        palette = tf.reshape(tf.io.decode_raw(table, tf.uint8), (-1, 4))  # blue, green, red, unused
        return tf.gather(tf.reverse(palette[:, :3], [1]), tf.cast(indices, tf.int32))

    # The operation accepts no bytes after the pixels.
    whole = cut(encoded, 0, pixels_at + num_bytes)

    def from_masks() -> tf.Tensor:
        masks = _masks(encoded, header)
        # The operation maps bytes 0 to 3 to channels 2, 1, 0 and 3.
        channels = tf.gather([2, 1, 0, 3], tf.argmax(masks, axis=1))
        colors = tf.gather(tf.io.decode_bmp(whole, channels=4), channels, axis=2)
        has_alpha = tf.reduce_any(masks[3] > 0)
        return tf.cond(has_alpha, lambda: on_white(colors), lambda: colors[:, :, :3])

    def from_colors() -> tf.Tensor:
        return tf.cond(compression == 3, from_masks, lambda: tf.io.decode_bmp(whole, channels=3))

    return tf.cond(bits <= 8, from_palette, from_colors)
