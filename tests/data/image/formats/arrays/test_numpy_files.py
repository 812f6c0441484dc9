"""NumPy's files: what is read of them, and that nothing else is done."""

import io
import os
import pickle

import numpy as np
import pytest

from tfxfer.data.image.formats.arrays.numpy_files import decode, encoded, is_npy, shape_of
from tfxfer.data.image.formats.arrays.samples import ArrayFileError


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def lying(header, body=b"\0" * 12, version=(1, 0)):
    """Returns a file with this header."""
    content = header.encode("latin-1") + b"\n"
    size = len(content).to_bytes(2 if version == (1, 0) else 4, "little")
    return b"\x93NUMPY" + bytes(version) + size + content + body


PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_image_is_its_array(channels, order):
    pixels = np.array(PIXELS[:, :, :channels], order=order)
    content = npy(pixels)
    assert is_npy(content)
    assert shape_of(content) == (5, 7, channels)
    np.testing.assert_array_equal(decode(content), pixels)
    assert encoded(decode(content)) == npy(np.ascontiguousarray(pixels))


def test_an_array_of_two_axes_is_gray():
    content = npy(PIXELS[:, :, 0])
    assert shape_of(content) == (5, 7, 1)
    np.testing.assert_array_equal(decode(content), PIXELS[:, :, :1])


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_all_versions_are_read(version):
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 2), }"
    assert shape_of(lying(header, version=version)) == (2, 3, 2)


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_is_unpickled(tmp_path):
    bait = str(tmp_path / "made")
    objects = npy(np.array([[Hostile(bait)]], object), allow_pickle=True)
    with pytest.raises(ArrayFileError, match="pickled Python objects, which are never loaded"):
        decode(objects)
    with pytest.raises(ArrayFileError, match="corrupt or incomplete NumPy file"):
        decode(b"\x93NUMPY" + pickle.dumps(Hostile(bait)))
    assert not os.path.exists(bait)
    pickle.loads(pickle.dumps(Hostile(bait)))
    assert os.path.exists(bait)  # it would have been


def test_no_file_cut_anywhere_is_read():
    content = npy(PIXELS)
    for size in range(len(content)):
        with pytest.raises(ArrayFileError, match=r"incomplete|corrupt"):
            decode(content[:size])


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (40000, 25000), }", "pixels of 1"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (9000, 9000, 3), }", "incomplete"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (10000, 10000), }", "600 MB"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (8000, 8000), }", "511,999,988 bytes"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (-2, -6), }", r"shape \(-2, -6\)"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (0, 6), }", r"shape \(0, 6\)"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (12,), }", r"shape \(12,\)"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (), }", r"shape \(\)"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 3, 2), }", "has the shape"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (1e9, 2), }", "corrupt"),
        ("{'descr': '|u1', 'fortran_order': 7, 'shape': (1, 2), }", "corrupt"),
        ("{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (1, 2), }", "of type void8"),
        ("{'descr': 'no', 'fortran_order': False, 'shape': (1, 2), }", "corrupt"),
        ("{'descr': '|u1'}", "corrupt"),
        ("__import__('os').system('true')", "corrupt"),
        ("(" * 5000, "corrupt"),
        ("[" * 90 + "1" + "]" * 90, "corrupt"),
        (" " * 20_000, "corrupt"),
        ("", "corrupt"),
    ],
)
def test_a_header_that_lies_is_refused_before_memory_is_taken(header, reason):
    for version in ((1, 0), (2, 0)):
        with pytest.raises(ArrayFileError, match=reason):
            decode(lying(header, version=version))


def test_an_unknown_version_is_refused():
    with pytest.raises(ArrayFileError, match="corrupt or incomplete"):
        decode(b"\x93NUMPY\x09\x00" + npy(PIXELS)[8:])
