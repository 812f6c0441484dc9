"""Versions of an export: numbered, whole, and pruned."""

import os
import threading

import pytest

from tfxfer.runs.versions import (
    new_version,
    newest_version,
    next_version,
    prune_versions,
    publish_version,
    versions,
)


def test_the_next_version_follows_the_highest(tmp_path):
    assert next_version(tmp_path / "none") == 1
    for name in ("2", "10", "x", "v11", ".unfinished-1"):
        (tmp_path / name).mkdir()
    assert next_version(tmp_path) == 11


def test_the_newest_version_is_that_of_exports_not_of_a_run(tmp_path):
    for name in ("2", "10", "x"):
        (tmp_path / name).mkdir()
    assert newest_version(tmp_path) == tmp_path / "10"
    assert newest_version(tmp_path / "2") == tmp_path / "2"
    assert newest_version(tmp_path / "none") == tmp_path / "none"
    (tmp_path / "config.toml").touch()
    assert newest_version(tmp_path) == tmp_path


def test_an_unfinished_version_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), new_version(tmp_path / "x") as temporary:
        (temporary / "half").touch()
        assert temporary.parent == tmp_path
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), new_version(tmp_path / "made" / "for" / "x"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "x").mkdir()
    with pytest.raises(ZeroDivisionError), new_version(tmp_path / "x"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_a_file_where_versions_should_go_is_found_before_they_are_written(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(FileExistsError), new_version(tmp_path / "x"):
        pytest.fail("began to write")


def test_what_killed_exports_left_is_removed_after_a_day(tmp_path):
    for name in (".unfinished-x-old", ".unfinished-x-new", ".unfinished-y-old"):
        (tmp_path / name).mkdir()
        if name.endswith("old"):
            os.utime(tmp_path / name, (0, 0))
    with new_version(tmp_path / "x"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".unfinished-x-new",
        ".unfinished-y-old",
    ]


def test_old_versions_are_removed_and_never_the_newest(tmp_path):
    folder = tmp_path / "x"
    for name in ("2", "9", "10", "notes"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").touch()
    assert prune_versions(folder, keep=5) == []
    assert prune_versions(folder, keep=2) == [folder / "2"]
    assert prune_versions(folder, keep=1) == [folder / "9"]
    assert versions(folder) == [folder / "10"]
    assert sorted(path.name for path in folder.iterdir()) == ["10", "notes"]
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_versions_published_at_once_get_numbers_of_their_own(tmp_path):
    barrier = threading.Barrier(8)
    published = []

    def publish(number):
        with new_version(tmp_path / "x") as temporary:
            (temporary / "saved_model.pb").write_text(str(number))
            barrier.wait()
            published.append((publish_version(temporary, tmp_path / "x"), number))

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == list("12345678")
    for path, number in published:
        assert (path / "saved_model.pb").read_text() == str(number)
        assert path.stat().st_mode & 0o777 == 0o755
