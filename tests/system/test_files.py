"""Files are written whole or not at all."""

import errno
import json
import os
import pathlib

import pytest

from tfxfer.errors import RunError, UsageError
from tfxfer.runs.versions import (
    prune_versions,
)
from tfxfer.system import notices
from tfxfer.system.files import (
    check_writable,
    flush,
    remove_at_once,
    replacing,
    write_json,
    write_text,
)


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        UsageError, match=r"Cannot write to '.*/file/runs': '.*/file' is not a dire"
    ):
        check_writable(tmp_path / "file" / "runs", "runs_dir")
    check_writable(tmp_path / "new" / "runs", "runs_dir")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match=r"no permission .*'.*'.* --runs-di"):
        check_writable(tmp_path, "runs_dir")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file.txt"
    with replacing(path) as temporary:
        temporary.write_text("old")
        assert temporary.suffix == ".txt"
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    path = tmp_path / "missing" / "file.txt"
    with pytest.raises(RunError, match=r"Cannot write '.*missing/file.txt': No such file"):
        write_json(path, {})


def test_json_is_written_for_people(tmp_path):
    write_json(tmp_path / "a.json", {"ø": 1})
    assert (tmp_path / "a.json").read_text("utf-8") == '{\n  "ø": 1\n}\n'
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"ø": 1}


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_cannot_flush_gives_one_warning(tmp_path, monkeypatch, caplog, number):
    def fails(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(notices, "_said", set())
    monkeypatch.setattr(os, "fsync", fails)
    for name in "ab":
        write_text(tmp_path / name, name)
        flush(tmp_path)
        assert (tmp_path / name).read_text() == name
    files, directories = caplog.messages
    assert str(tmp_path) in files
    assert "flush files" in files
    assert "flush directories" in directories
    assert os.strerror(number) in directories


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_flush_that_lost_data_is_an_error(tmp_path, monkeypatch, number):
    def fails(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(RunError, match=os.strerror(number)):
        write_text(tmp_path / "a", "a")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match=os.strerror(number)):
        flush(tmp_path)


def test_a_directory_that_cannot_be_renamed_is_removed_all_the_same(tmp_path, monkeypatch):
    def other_layer(self, target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    for number in (1, 2):
        (tmp_path / "model" / str(number)).mkdir(parents=True)
    monkeypatch.setattr(pathlib.Path, "rename", other_layer)
    prune_versions(tmp_path / "model", 1)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["2"]
    remove_at_once(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
