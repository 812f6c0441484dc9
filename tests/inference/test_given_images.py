"""Images as a caller gives them."""

import numpy as np
import pytest
from conftest import scene_file

from tfxfer.config.frame import Frame
from tfxfer.errors import DataError, UsageError
from tfxfer.inference.given_images import batch_by_batch

FRAME = Frame.of(16)


def squares(images, batch_size=2):
    return batch_by_batch(lambda batch: batch, images, FRAME, batch_size)


def test_paths_and_arrays_come_in_batches(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(scene_file(1))
    array = np.full((20, 30, 3), 7, np.uint8)
    found = squares([path, str(path), array])
    assert [batch.shape for batch in found] == [(2, 16, 16, 3), (1, 16, 16, 3)]
    np.testing.assert_array_equal(found[0][0], found[0][1])
    assert (found[1] == 7).all()
    assert squares(array)[0].shape == (1, 16, 16, 3)
    np.testing.assert_array_equal(squares(path)[0][0], found[0][0])


def test_what_is_no_image_is_refused(tmp_path):
    with pytest.raises(DataError, match="Cannot read '.*gone.jpg'"):
        squares(tmp_path / "gone.jpg")
    with pytest.raises(UsageError, match="float64 of shape"):
        squares(np.zeros((4, 4, 3)))
