"""Image files as a split."""

import numpy as np

from tfxfer.data.sources.files import split_of_files
from tfxfer.system.digests import id_of


def test_files_are_read_by_their_index_and_named_by_their_path(tmp_path):
    paths = [str(tmp_path / name) for name in ("b.png", "caf\udce9.png")]
    for path, content in zip(paths, (b"one", b"two"), strict=True):
        with open(path, "wb") as file:
            file.write(content)
    split = split_of_files(paths, np.array([1, 0]))
    assert list(split.open_images().as_numpy_iterator()) == [b"one", b"two"]
    assert split.read_image(1).numpy() == b"two"
    assert [split.describe(0), split.describe(1)] == paths
    assert split.labels.tolist() == [1, 0]
    assert [row.tobytes() for row in split.digests()] == [id_of(b"one"), id_of(b"two")]


def test_there_may_be_no_files():
    split = split_of_files([], np.zeros(0, np.int64))
    assert len(split) == 0
    assert list(split.open_images().as_numpy_iterator()) == []
