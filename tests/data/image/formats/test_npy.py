"""NumPy's files in graphs: the same pixels as in Python."""

import numpy as np
import pytest
import tensorflow as tf

from tfxfer.data.image.failures import readable_reason
from tfxfer.data.image.formats.arrays.numpy_files import decode as decode_here
from tfxfer.data.image.formats.arrays.numpy_files import encoded as npy
from tfxfer.data.image.formats.npy import decode

GENERATOR = np.random.default_rng(0)
BYTES = GENERATOR.integers(0, 256, (6, 9, 5), np.uint8)
SHORTS = GENERATOR.integers(0, 65536, (6, 9, 5)).astype(np.uint16)
FLOATS = GENERATOR.uniform(0, 1, (6, 9, 5))


@pytest.fixture(scope="module")
def in_a_graph():
    signature = [tf.TensorSpec((), tf.string)]
    return tf.function(lambda content: decode(content, 5, "image 3: "), signature, autograph=False)


@pytest.mark.parametrize("array", [BYTES, SHORTS, FLOATS, FLOATS.astype("float32")])
def test_a_graph_reads_what_python_reads(array, in_a_graph):
    content = npy(array)
    expected = decode_here(content)
    np.testing.assert_array_equal(in_a_graph(content), expected)
    np.testing.assert_array_equal(decode(tf.constant(content), 5), expected)


def test_an_array_of_two_axes_is_gray():
    np.testing.assert_array_equal(decode(tf.constant(npy(BYTES[:, :, 0])), 1), BYTES[:, :, :1])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (npy(BYTES)[:-1], "it is an incomplete NumPy file"),
        (npy(BYTES[:, :, :4]), "it has 4 channels, not 5"),
        (npy(BYTES[:, :, 0]), "it has 1 channels, not 5"),
        (npy(FLOATS * 2), r"it has NaN, or values outside \[0, 1\]"),
        (npy(FLOATS * np.nan), "it has NaN"),
        (npy(BYTES.astype("int64")), "no NumPy file of uint8, uint16"),
        (npy(np.asfortranarray(BYTES)), "as numpy.save writes them"),
        (npy(SHORTS.astype(">u2")), "no NumPy file of uint8"),
        (npy(BYTES[0]).replace(b"(9, 5)", b"(9, 0)"), "no NumPy file of uint8"),
        (npy(BYTES).replace(b"(6, 9, 5)", b"(60000, 90000, 5)")[:200], "more than 100,000,000"),
        (npy(BYTES)[:60], "no NumPy file of uint8"),
        (b"\x93NUMPY", "no NumPy file of uint8"),
    ],
)
def test_other_files_are_refused_in_a_sentence(content, reason, in_a_graph):
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"image 3: .*{reason}") as caught:
        in_a_graph(content)
    assert readable_reason(caught.value).startswith("image 3: it ")
