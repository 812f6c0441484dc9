"""Headers of NumPy's files in several threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tfxfer.data.image.formats.arrays.numpy_files import encoded, shape_of
from tfxfer.data.image.formats.arrays.samples import ArrayFileError
from tfxfer.system.sharing.numpy_headers import READING


def test_many_threads_read_headers_and_free_the_lock():
    content = encoded(np.zeros((4, 5, 3), np.uint8))
    with ThreadPoolExecutor(8) as threads:
        shapes = set(threads.map(shape_of, [content] * 2_000))
    assert shapes == {(4, 5, 3)}
    assert not READING.locked()


def test_a_corrupt_header_frees_the_lock():
    content = encoded(np.zeros((4, 5, 3), np.uint8))
    broken = content.replace(b"'shape'", b"'shap('")
    with pytest.raises(ArrayFileError, match="corrupt"):
        shape_of(broken)
    assert not READING.locked()
