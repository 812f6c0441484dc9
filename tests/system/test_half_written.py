"""Files that processes which were killed left half written."""

import os
import time

from tfxfer.system.files import remove_half_written, replacing, temporary_beside


def test_what_is_half_written_has_a_name_by_which_it_is_known(tmp_path):
    path = tmp_path / "history.csv"
    with replacing(path) as temporary:
        assert temporary == temporary_beside(path)
        temporary.write_text("a")
    temporary_beside(path).write_text("half")
    (tmp_path / ".hidden").touch()
    remove_half_written(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".hidden", "history.csv"]


def test_where_others_may_be_writing_only_what_is_a_day_old_goes(tmp_path):
    new, old = (tmp_path / f".{process}.7.index.npz" for process in (1, 2))
    for path in (new, old):
        path.touch()
    os.utime(old, (time.time() - 25 * 3600,) * 2)
    remove_half_written(tmp_path, shared=True)
    assert [file.name for file in tmp_path.iterdir()] == [new.name]
    remove_half_written(tmp_path)
    assert not list(tmp_path.iterdir())
