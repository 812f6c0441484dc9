"""Out-of-fold predictions as a file of a run."""

import numpy as np
import pytest

from tfxfer.errors import UsageError
from tfxfer.runs.scores.out_of_fold import read_predictions, write_predictions
from tfxfer.system.run_layout import RunDirectory


def test_what_is_written_is_read(tmp_path):
    digests = np.arange(32, dtype=np.uint8).reshape(2, 16)
    shares = np.array([[0.25, 0.75], [1, 0]], np.float32)
    write_predictions(RunDirectory(tmp_path), digests, shares)
    found = read_predictions(RunDirectory(tmp_path))
    np.testing.assert_array_equal(found[0], digests)
    np.testing.assert_array_equal(found[1], shares)


@pytest.mark.parametrize("content", [None, b"", b"PK broken"])
def test_a_missing_or_corrupt_file_is_an_error(tmp_path, content):
    if content is not None:
        RunDirectory(tmp_path).out_of_fold.write_bytes(content)
    with pytest.raises(UsageError, match=r"Cannot read '.*out_of_fold.npz'"):
        read_predictions(RunDirectory(tmp_path))
