"""GIF files: what their headers state, and their first image as RGB."""

import tensorflow as tf

from tfxfer.data.image.formats.content import ALL, apart, cut, length, read
from tfxfer.data.image.formats.picture import BACKGROUND, why_not_decoded

# Blocks that are looked at in one file: they have 255 bytes at most, so that there are many.
_MAX_BLOCKS = 100_000


def height_and_width(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the (height, width) of the screen that a GIF states, int64."""
    return read(encoded, 6, 2, tf.uint16)[::-1]


def _colors(flags: tf.Tensor) -> tf.Tensor:
    """Returns the size in bytes of a color table, from its flags byte."""
    return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)


@apart
def _frame(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the position of the first image descriptor, and the transparent index.

    Shape (2,), int64; -1 for none.
    """
    last = length(encoded) - 10  # of a description, which is longer than what is read of others

    def continues(position: tf.Tensor, over: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return ~over & (position <= last)

    def step(
        position: tf.Tensor, _: tf.Tensor, inside: tf.Tensor, transparent: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        # An extension is two bytes, then blocks that begin with their length; 0 ends them.
        first, label, _, flags, _, _, index = tf.unstack(read(encoded, position, 7))
        over = ~inside & (first != 0x21)
        control = ~inside & ~over & (label == 0xF9)
        transparent = tf.where(control, tf.where(flags % 2 == 1, index, -1), transparent)
        forward = tf.where(inside, 1 + first, 2)
        return (
            tf.where(over, position, position + forward),
            over,
            ~inside | (first > 0),
            transparent,
        )

    position, over, _, transparent = tf.while_loop(
        continues,
        step,
        (
            13 + _colors(read(encoded, 10, 1)[0]),
            tf.constant(False),
            tf.constant(False),
            tf.constant(-1, tf.int64),
        ),
        maximum_iterations=_MAX_BLOCKS,
    )
    found = over & (cut(encoded, position * tf.cast(over, tf.int64), 1) == b",")
    return tf.stack([tf.where(found, position, -1), transparent])


def _canvas(encoded: tf.Tensor, position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns (top, left), (height, width) of an image, and (height, width) of the canvas.

    All int64.
    """
    places = tf.reshape(read(encoded, position + 1, 4, tf.uint16), (2, 2))
    before, size = tf.unstack(tf.reverse(places, [1]))
    return before, size, tf.maximum(height_and_width(encoded), before + size)


@apart
def why_unreadable(encoded: tf.Tensor) -> tf.Tensor:
    """Returns what is wrong with a GIF, or the empty string."""
    position = _frame(encoded)[0]

    def why() -> tf.Tensor:
        _, size, canvas = _canvas(encoded, position)
        return why_not_decoded(tf.where(tf.reduce_min(size) == 0, size, canvas))

    return tf.cond(position < 0, lambda: tf.constant("it is a GIF file without an image"), why)


def _end_of_pixels(encoded: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Returns where the pixel data that begin at a position end, int64."""
    # They are one byte, then blocks that begin with their length; 0 ends them.
    content = tf.io.decode_raw(encoded, tf.uint8)
    end, _ = tf.while_loop(
        lambda at, more: more & (at < length(encoded)),
        lambda at, _: (at + 1 + tf.cast(content[at], tf.int64), content[at] > 0),
        (start + 1, tf.constant(True)),
        maximum_iterations=_MAX_BLOCKS,
    )
    return end


@apart
def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the first image of a GIF, on its screen, as RGB.

    TensorFlow's operation decodes the whole animation, makes transparent and uncovered pixels
    black, and ignores the screen. So it gets a file with the first image only, without
    transparency, and with the transparent color replaced by white.
    """
    position, transparent = tf.unstack(_frame(encoded))
    before, size, canvas = _canvas(encoded, position)
    shared = _colors(read(encoded, 10, 1)[0])
    own = _colors(read(encoded, position + 9, 1)[0])

    end = _end_of_pixels(encoded, position + 10 + own)
    header = cut(encoded, 0, 13 + shared)
    image = cut(encoded, position + 5, end - position - 5)
    alone = tf.strings.join([header, b",\0\0\0\0", image, b";"])

    table = tf.where(own > 0, 13 + shared + 10, 13)
    is_free = (transparent >= 0) & (3 * transparent < tf.where(own > 0, own, shared))
    at = table + 3 * transparent
    white = cut(bytes(3 * [BACKGROUND]), 0, tf.where(is_free, 3, 0))
    at = tf.where(is_free, at, 0)
    before_it = cut(alone, 0, at)
    after_it = cut(alone, at + tf.where(is_free, tf.constant(3, tf.int64), 0), ALL)
    pixels = tf.io.decode_gif(tf.strings.join([before_it, white, after_it]))[0]

    def on_canvas() -> tf.Tensor:
        # Where there is no image Pillow shows what is transparent, or else the first color.
        first = tf.cast(read(alone, table, 3), tf.uint8)
        free = tf.where(transparent >= 0, tf.constant(3 * [BACKGROUND], tf.uint8), first)
        around = tf.pad(tf.stack([before, canvas - before - size], axis=1), [(0, 1), (0, 0)])
        covered = tf.pad(tf.ones_like(pixels[:, :, :1], tf.bool), around)
        return tf.where(covered, tf.pad(pixels, around), free)

    return tf.cond(tf.reduce_all(canvas == size), lambda: pixels, on_canvas)
