"""What is in the folder of an entry of the cache."""

import os
import time

import numpy as np
import pytest

from tfxfer.data.cache_entry import CORRUPT, EntryFolder
from tfxfer.system.digests import ids_of

IDS = ids_of((bytes([number]),) for number in range(3))
ROWS = np.arange(6, dtype="float32").reshape(3, 2)


def test_an_entry_holds_its_rows_and_an_index(tmp_path):
    entry = EntryFolder(tmp_path / "a")
    rows = entry.write(IDS, iter([ROWS[:2], ROWS[2:]]), np.float32, (2,), {"what": "numbers"})
    np.testing.assert_array_equal(rows, ROWS)
    names = sorted(path.name for path in entry.path.iterdir())
    assert names[0] == entry.index.name == "index.npz"
    assert names[1].startswith("rows-")
    assert len(names) == 2
    ids, about = entry.read_index()
    np.testing.assert_array_equal(ids, IDS)
    assert about == {"what": "numbers", "file": names[1]}
    np.testing.assert_array_equal(entry.read()[1], ROWS)


def test_an_entry_that_is_not_there_is_no_corrupt_one(tmp_path):
    entry = EntryFolder(tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        entry.read()
    entry.write(IDS, iter([ROWS]), np.float32, (2,), {})
    (rows,) = entry.path.glob("rows-*.npy")
    rows.write_bytes(rows.read_bytes()[:-1])
    with pytest.raises(CORRUPT, match="other rows than were written"):
        entry.read()


def test_rows_of_another_writer_that_has_not_come_to_its_index_stay_for_a_day(tmp_path):
    entry, rows = EntryFolder(tmp_path / "a"), tmp_path / "a" / "rows-00.npy"
    entry.write(IDS, iter([ROWS]), np.float32, (2,), {})
    rows.touch()
    entry.write(IDS, iter([ROWS + 1]), np.float32, (2,), {})
    assert rows.exists()
    assert len(list(entry.path.glob("rows-*.npy"))) == 2
    os.utime(rows, (time.time() - 25 * 3600,) * 2)
    entry.write(IDS, iter([ROWS + 1]), np.float32, (2,), {})
    assert not rows.exists()
    np.testing.assert_array_equal(entry.read()[1], ROWS + 1)


def test_a_writing_that_fails_leaves_no_folder(tmp_path):
    def failing():
        yield ROWS[:2]
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        EntryFolder(tmp_path / "features" / "a").write(IDS, failing(), np.float32, (2,), {})
    assert not list(tmp_path.iterdir())
