"""Reading the bytes of a file in a graph."""

import pytest
import tensorflow as tf

from tfxfer.data.image.formats.content import (
    ALL,
    accepted,
    apart,
    characters,
    cut,
    find_chunk,
    length,
    read,
)

RIFF = b"RIFF\x1e\0\0\0WEBPVP8X\3\0\0\0abc\0EXIF\2\0\0\0de"


def chunk(*names):
    none = tf.constant([], tf.string)
    start = tf.constant(12, tf.int64)
    return int(find_chunk(tf.constant(RIFF), start, tf.constant(names), none, tf.constant(True)))


def test_bytes_are_cut_read_and_counted():
    content = tf.constant(b"\x01\x02\xff\x03")
    assert cut(content, 1, 2).numpy() == b"\x02\xff"
    assert cut(content, 2, ALL).numpy() == b"\xff\x03"
    assert length(content).numpy() == 4
    assert read(content, 0, 4).numpy().tolist() == [1, 2, 255, 3]
    assert read(content, 0, 1, tf.uint16).numpy().tolist() == [0x0201]
    assert read(content, 0, 1, tf.uint16, True).numpy().tolist() == [0x0102]
    assert characters(content).numpy().decode() == "\x01\x02\xff\x03"


def test_chunks_are_found_behind_others_of_odd_length():
    assert chunk(b"VP8X") == 12
    assert chunk(b"EXIF") == 24
    assert chunk(b"XMP ", b"EXIF") == 24
    assert chunk(b"XMP ") == -1


def test_bytes_are_accepted_unless_there_is_a_reason_against_them():
    assert accepted(tf.constant(b"a"), tf.constant("")).numpy() == b"a"
    with pytest.raises(tf.errors.InvalidArgumentError, match="the first: it is empty"):
        accepted(tf.constant(b"a"), tf.constant("it is empty"), tf.constant("the first: "))


def test_what_is_apart_is_one_call_in_a_graph():
    function = apart(lambda x: x * 2 + 1)
    traced = tf.function(function).get_concrete_function(tf.TensorSpec((), tf.int32))
    assert int(function(tf.constant(3))) == int(traced(tf.constant(3))) == 7
    kinds = [operation.type for operation in traced.graph.get_operations()]
    assert "Mul" not in kinds
