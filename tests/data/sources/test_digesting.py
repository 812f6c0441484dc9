"""Digests of files: read once, and again only where something has changed."""

import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from tfxfer.data.cache import Cache
from tfxfer.data.sources.digesting import file_digests
from tfxfer.data.sources.kept_digests import KIND
from tfxfer.system.digests import id_of, ids_of

NAMES = ("kept", "changed", "damaged", "twice")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Returns folders of files that last changed more than two seconds ago."""
    root = tmp_path_factory.mktemp("files")
    for name in NAMES:
        (root / name).mkdir()
        for number in range(1500):
            (root / name / f"{number:04}.png").write_bytes(f"{name} {number}".encode())
    time.sleep(2.1)
    return root


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", 10**8)


def files_of(folder):
    return sorted(map(str, folder.iterdir()))


def contents(paths):
    """Returns the digests, one by one."""
    return ids_of((pathlib.Path(path).read_bytes(),) for path in paths)


def replace_by_other_rows(cache):
    """Has the cache keep the opposite of each digest, to tell what comes from there."""
    (entry,) = cache.entries()
    ids, rows = cache.read(KIND, entry.key)
    cache.write(KIND, entry.key, ids, [255 - rows], np.uint8, (16,), entry.about)


def test_unchanged_files_are_not_read_again(folders, cache, tmp_path):
    paths, nothing = files_of(folders / "kept"), Cache(tmp_path / "none", 0)
    first = file_digests(paths, cache)
    np.testing.assert_array_equal(first, contents(paths))
    np.testing.assert_array_equal(first, file_digests(paths, nothing))
    replace_by_other_rows(cache)
    np.testing.assert_array_equal(file_digests(paths[::-1], cache), 255 - first[::-1])
    np.testing.assert_array_equal(file_digests(paths, nothing), first)
    assert not nothing.directory.exists()


def test_changed_files_are_read_again_whatever_their_size_and_time(folders, cache):
    paths = files_of(folders / "changed")
    file_digests(paths, cache)
    replace_by_other_rows(cache)
    for number, path in enumerate(paths[:4]):
        told = os.stat(path)
        content = pathlib.Path(path).read_bytes().replace(b"changed", b"CHANGED")
        target = f"{path}.new" if number % 2 else path
        with open(target, "wb") as file:
            file.write(content)
        os.utime(target, ns=(told.st_atime_ns, told.st_mtime_ns))
        os.replace(target, path)
        now = os.stat(path)
        assert (now.st_size, now.st_mtime_ns) == (told.st_size, told.st_mtime_ns)
    os.remove(paths[4])
    found = file_digests(paths, cache)
    np.testing.assert_array_equal(found[:4], contents(paths[:4]))
    assert found[4].tobytes() == id_of(b"unreadable", paths[4].encode())
    np.testing.assert_array_equal(found[5:], 255 - contents(paths[5:]))


def test_nothing_is_kept_of_files_that_have_just_changed(cache, tmp_path):
    for number in range(300):
        (tmp_path / f"{number}.png").write_bytes(b"%d" % number)
    paths = [str(tmp_path / f"{number}.png") for number in range(300)]
    np.testing.assert_array_equal(file_digests(paths, cache), contents(paths))
    assert not cache.entries()


@pytest.mark.parametrize("part", ["rows-*.npy", "index.npz"])
def test_damaged_digests_are_not_used_and_are_written_again(folders, cache, part):
    paths = files_of(folders / "damaged")
    first = file_digests(paths, cache)
    (path,) = cache.directory.rglob(part)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    np.testing.assert_array_equal(file_digests(paths, cache), first)
    replace_by_other_rows(cache)
    np.testing.assert_array_equal(file_digests(paths, cache), 255 - first)


def test_a_cache_that_cannot_be_written_means_no_more_than_that(folders, tmp_path, caplog):
    paths = files_of(folders / "kept")
    (tmp_path / "file").touch()
    found = file_digests(paths, Cache(tmp_path / "file" / "cache", 10**8))
    np.testing.assert_array_equal(found, contents(paths))
    assert "Continuing without it" in caplog.text


def test_an_unreadable_file_has_the_digest_of_its_path(tmp_path):
    (tmp_path / "there").write_bytes(b"one")
    paths = [str(tmp_path / name) for name in ("there", "gone", "also gone")]
    rows = [row.tobytes() for row in file_digests(paths)]
    assert rows[0] == id_of(b"one")
    assert len(set(rows)) == 3


def test_there_may_be_no_files(cache):
    assert file_digests([], cache).shape == (0, 16)


READ = """
import pathlib, sys
from tfxfer.data.cache import Cache
from tfxfer.data.sources.digesting import file_digests

paths, cache = sorted(map(str, pathlib.Path(sys.argv[1]).iterdir())), pathlib.Path(sys.argv[2])
start, end = int(sys.argv[3]), int(sys.argv[4])
for last in range(start + 300, end + 1, 300):
    print(file_digests(paths[start:last], Cache(cache, 10**8)).tobytes().hex())
"""


def test_two_processes_at_once_find_the_right_digests_and_keep_them(folders, cache):
    paths = files_of(folders / "twice")
    command = [sys.executable, "-c", READ, folders / "twice", cache.directory]
    ranges = [(0, 900), (600, 1500)]
    started = [
        subprocess.Popen([*command, str(start), str(end)], stdout=subprocess.PIPE, text=True)
        for start, end in ranges
    ]
    right = contents(paths)
    for process, (start, end) in zip(started, ranges, strict=True):
        lines = process.communicate()[0].splitlines()
        assert process.returncode == 0
        assert lines == [
            right[start:last].tobytes().hex() for last in range(start + 300, end + 1, 300)
        ]
    (entry,) = cache.entries()
    assert entry.num_rows >= 900
    replace_by_other_rows(cache)
    found = file_digests(paths, cache)
    from_cache = (found == 255 - right).all(axis=1)
    assert from_cache.sum() == entry.num_rows
    np.testing.assert_array_equal(found[~from_cache], right[~from_cache])
