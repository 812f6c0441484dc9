"""Reading the bytes of a file in a graph."""

import functools
from collections.abc import Callable

import tensorflow as tf

# Maximum number of segments, chunks or blocks read in one file; most files have under ten.
MAX_BLOCKS = 1_000

# More bytes than a file has.
ALL = 2**31 - 1


def apart(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Keeps the operations of a function out of its caller's graph, which gets a single call.

    In a graph the branch that is not taken costs as much as the one that is, an operation at a
    time: 0.5 ms an image for all of them. A call costs 20 microseconds if it is made. What runs
    eagerly runs as it is, for the sake of short messages.
    """
    graph = tf.function(function, autograph=False, experimental_attributes={"_noinline": True})

    @functools.wraps(function)
    def call(*arguments: tf.Tensor) -> tf.Tensor:
        return (function if tf.executing_eagerly() else graph)(*arguments)

    return call


def characters(content: tf.Tensor) -> tf.Tensor:
    """Returns a string with a character for each byte, for regular expressions."""
    return tf.strings.unicode_transcode(content, "ISO-8859-1", "UTF-8", errors="ignore")


def read(
    encoded: tf.Tensor,
    start: tf.Tensor,
    count: int,
    kind: tf.DType = tf.uint8,
    big_endian: bool = False,
) -> tf.Tensor:
    """Returns `count` numbers, which must exist, int64."""
    content = cut(encoded, start, count * kind.size)
    numbers = tf.io.decode_raw(content, kind, little_endian=not big_endian)
    return tf.cast(tf.ensure_shape(numbers, count), tf.int64)


def cut(content: tf.Tensor, start: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Returns up to `size` bytes from a position on."""
    # The operation requires both numbers to have the same type.
    return tf.strings.substr(content, tf.cast(start, tf.int64), tf.cast(size, tf.int64))


def length(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the number of bytes, int64."""
    return tf.cast(tf.strings.length(encoded), tf.int64)


def accepted(encoded: tf.Tensor, reason: tf.Tensor, prefix: tf.Tensor = "") -> tf.Tensor:
    """Returns the bytes if `reason` is empty, and fails with it as message otherwise."""
    # The plain operation, for `tf.debugging.Assert` has a message of its own when it runs eagerly.
    message = tf.strings.join([prefix, reason])
    check = tf.raw_ops.Assert(condition=tf.equal(reason, ""), data=[message], summarize=1)
    with tf.control_dependencies([check]):
        return tf.identity(encoded)


@apart
def find_chunk(
    encoded: tf.Tensor, start: tf.Tensor, names: tf.Tensor, ends: tf.Tensor, is_riff: tf.Tensor
) -> tf.Tensor:
    """Returns where the first chunk of one of the names begins, int64, or -1.

    A chunk is, in a PNG, the length of its content, a name, the content and 4 bytes more; in a RIFF
    file, the name, the length and the content, which is filled up to an even length.

    Args:
        encoded: The file, a PNG or a RIFF file.
        start: Where its first chunk begins, int64.
        names: Names of the wanted chunks.
        ends: Names of the chunks that end the search.
        is_riff: Whether it is a RIFF file.
    """
    last = length(encoded) - 8

    def continues(position: tf.Tensor, over: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        return ~over & (position <= last)

    def step(position: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        name = cut(encoded, tf.where(is_riff, position, position + 4), 4)
        of_png = 12 + read(encoded, position, 1, tf.int32, True) % 2**32
        of_riff = 8 + (read(encoded, position + 4, 1, tf.int32) % 2**32 + 1) // 2 * 2
        found = tf.reduce_any(name == names)
        size = tf.reshape(tf.where(is_riff, of_riff, of_png), ())
        over = found | tf.reduce_any(name == ends)
        return tf.where(over, position, position + size), over, found

    position, _, found = tf.while_loop(
        continues,
        step,
        (start, tf.constant(False), tf.constant(False)),
        maximum_iterations=MAX_BLOCKS,
    )
    return tf.where(found, position, -1)
