"""Folders that are written whole or not at all."""

import pytest

from tfxfer.errors import ExportError, UsageError
from tfxfer.exporting.hosting.folders import check_new, new_folder


def test_a_folder_is_there_once_it_is_complete(tmp_path):
    path = check_new(tmp_path / "deep" / "space", "space")
    with new_folder(path) as folder:
        (folder / "app.py").write_text("1")
        assert not path.exists()
    assert [file.name for file in path.iterdir()] == ["app.py"]
    assert [entry.name for entry in path.parent.iterdir()] == ["space"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "space").mkdir()
    path = check_new(tmp_path / "space", "space")
    with new_folder(path) as folder:
        (folder / "app.py").write_text("1")
    assert (path / "app.py").is_file()


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        check_new(tmp_path, "space")
    with pytest.raises(UsageError, match="--space"):
        check_new(tmp_path / "notes.txt", "space")


def test_an_error_leaves_nothing_behind(tmp_path):
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "space") as folder:
        (folder / "app.py").write_text("1")
        raise ZeroDivisionError
    with pytest.raises(ExportError, match="space"), new_folder(tmp_path / "space"):
        raise OSError("disk full")
    assert not list(tmp_path.iterdir())
