import errno
import os
import pathlib
import pwd
import threading
import time

import numpy as np
import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.data.cache import Cache, default_cache_dir, in_blocks, places
from tfxfer.errors import UsageError
from tfxfer.system import notices
from tfxfer.system.digests import id_of, ids_of, key_of

IDS = ids_of((bytes([number]),) for number in range(5))
ROWS = np.arange(15, dtype="float32").reshape(5, 3)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", 10**5)


def write(cache, key="a", rows=ROWS, ids=IDS):
    batches = in_blocks(rows, 2)
    return cache.write("features", key, ids, batches, rows.dtype, rows.shape[1:], {"what": key})


def files(cache):
    return sorted(str(path.relative_to(cache.directory)) for path in cache.directory.rglob("*.np*"))


def test_what_was_written_is_read_mapped_into_memory(cache):
    assert cache.read("features", "a") is None
    np.testing.assert_array_equal(write(cache), ROWS)
    ids, rows = cache.read("features", "a")
    np.testing.assert_array_equal(ids, IDS)
    np.testing.assert_array_equal(rows, ROWS)
    assert isinstance(rows, np.memmap)
    assert cache.read("images", "a") is None
    assert cache.read("features", "b") is None


def test_another_writing_takes_the_place_of_the_first(cache):
    write(cache)
    old = cache.read("features", "a")[1]
    write(cache, rows=ROWS + 1)
    np.testing.assert_array_equal(cache.read("features", "a")[1], ROWS + 1)
    np.testing.assert_array_equal(old, ROWS)  # whoever reads it still does
    assert len(files(cache)) == 2


@pytest.mark.parametrize("what", ["rows", "index"])
@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "gone"])
def test_a_corrupt_entry_is_as_good_as_none_and_can_be_written_again(cache, what, damage):
    write(cache)
    name = next(name for name in files(cache) if what in name)
    path = cache.directory / name
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        content[len(content) // 2] ^= 255
        kept = {"cut": len(content) // 2, "flip": len(content), "empty": 0}[damage]
        path.write_bytes(content[:kept])
    assert cache.read("features", "a") is None
    write(cache)
    np.testing.assert_array_equal(cache.read("features", "a")[1], ROWS)


@pytest.mark.parametrize("what", ["read", "touch"])
def test_an_entry_of_another_user_stays(cache, monkeypatch, what):
    write(cache)

    def forbidden(*arguments, **named):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as patched:
        if what == "read":
            patched.setattr(np, "load", forbidden)
        else:
            patched.setattr(os, "utime", forbidden)
        assert (cache.read("features", "a") is None) == (what == "read")
    np.testing.assert_array_equal(cache.read("features", "a")[1], ROWS)


def test_entries_used_longest_ago_make_room(tmp_path):
    cache = Cache(tmp_path, 6000)
    rows = np.zeros((500, 1), "float32")  # 2,000 bytes, and the ids and headers
    ids = ids_of((number.to_bytes(2, "little"),) for number in range(500))
    small = ids[:1], rows[:1]
    for number, key in enumerate("abc"):
        write(cache, key, small[1], small[0])
        os.utime(tmp_path / "features" / key / "index.npz", (number, number))
    cache.read("features", "a")  # which is use
    assert [entry.key for entry in cache.entries()] == ["b", "c", "a"]
    size = cache.entries()[0].num_bytes
    cache.max_bytes = 3 * size
    write(cache, "d", small[1], small[0])
    assert [entry.key for entry in cache.entries()] == ["c", "a", "d"]
    assert sum(entry.num_bytes for entry in cache.entries()) <= cache.max_bytes


def test_what_is_larger_than_the_cache_is_not_written(tmp_path):
    cache = Cache(tmp_path, ROWS.nbytes - 1)
    assert write(cache) is None
    assert not list(tmp_path.iterdir())


def test_a_cache_of_no_size_keeps_and_reads_nothing(cache):
    write(cache)
    off = Cache(cache.directory, 0)
    assert off.read("features", "a") is None
    assert write(off, "b") is None
    assert len(cache.entries()) == 1


def test_a_place_that_cannot_be_written_to_costs_nothing_but_the_cache(tmp_path):
    (tmp_path / "file").touch()
    assert write(Cache(tmp_path / "file", 10**6)) is None


def test_a_writing_that_fails_half_way_leaves_what_there_was(cache):
    write(cache)

    def failing():
        yield ROWS[:2]
        raise OSError("No space left on device")

    assert cache.write("features", "a", IDS, failing(), "float32", (3,), {}) is None
    np.testing.assert_array_equal(cache.read("features", "a")[1], ROWS)
    assert len(list((cache.directory / "features" / "a").iterdir())) == 2


def test_what_a_killed_process_left_goes_a_day_later(cache):
    write(cache)
    old, new = (cache.directory / "features" / "a" / f".{pid}.rows.npy" for pid in (1, 2))
    for path in (old, new):
        path.touch()
    os.utime(old, (time.time() - 25 * 3600,) * 2)
    write(cache, "b")
    assert not old.exists()
    assert new.exists()


def test_entries_say_what_they_are(cache):
    before = time.time() - 2
    write(cache)
    (entry,) = cache.entries()
    assert (entry.kind, entry.key, entry.num_rows) == ("features", "a", 5)
    assert entry.about["what"] == "a"
    assert entry.num_bytes > ROWS.nbytes
    assert before < entry.used < time.time() + 2


def test_clearing_removes_what_is_ours_alone(cache):
    write(cache)
    (cache.directory / "features" / "a" / ".1.rows.npy").write_bytes(b"half")
    (cache.directory / "notes.txt").write_text("mine")
    assert cache.clear() > ROWS.nbytes
    assert cache.entries() == []
    assert (cache.directory / "notes.txt").read_text() == "mine"


def test_ids_tell_contents_apart_however_they_are_divided():
    assert id_of(b"ab", b"c") != id_of(b"a", b"bc")
    assert id_of(b"ab") == id_of(b"ab")
    assert ids_of([(b"ab",)])[0].tobytes() == id_of(b"ab")
    assert ids_of([]).shape == (0, 16)


def test_keys_depend_on_every_fact_and_not_on_their_order():
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert len({key_of(facts) for facts in ({"a": 1}, {"a": 2}, {"b": 1}, {"a": "1"})}) == 4


def test_places_are_those_of_the_ids():
    assert places(IDS[[3, 0, 4]], IDS[:4]).tolist() == [3, 0, -1]
    assert places(IDS[[1, 0]], IDS[[0, 0, 2, 0]]).tolist() == [-1, 3]  # the last of equal ones
    assert places(IDS[:2], IDS[:0]).tolist() == [-1, -1]
    assert places(IDS[:0], IDS[:2]).tolist() == []


def test_the_settings_name_the_place_and_the_size(tmp_path, monkeypatch):
    cache = Cache.of(FitConfig(cache_dir=str(tmp_path), cache_gigabytes=0.5))
    assert (cache.directory, cache.max_bytes) == (tmp_path, 5 * 10**8)
    monkeypatch.setenv("TFXFER_CACHE_DIR", str(tmp_path / "chosen"))
    assert Cache.of(FitConfig()).directory == tmp_path / "chosen"
    monkeypatch.delenv("TFXFER_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert default_cache_dir() == tmp_path / "home" / "tfxfer"


def test_a_cache_of_no_size_keeps_nothing_not_even_rows_without_numbers(tmp_path):
    cache = Cache(tmp_path / "cache", 0)
    assert write(cache) is None
    assert write(cache, rows=np.zeros((5, 0), np.uint8)) is None
    assert list(tmp_path.iterdir()) == []


def test_without_a_home_directory_nothing_is_cached_with_a_warning(monkeypatch, caplog):
    def unknown(number):
        raise KeyError(number)

    monkeypatch.setattr(notices, "_said", set())
    for name in ("HOME", "TFXFER_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert Cache.of(FitConfig(cache_gigabytes=0.0)).max_bytes == 0
    assert not caplog.messages
    cache = Cache.of(FitConfig())
    assert write(cache) is None
    assert cache.read("features", "a") is None
    assert cache.entries() == []
    assert cache.clear() == 0
    assert "no home directory" in caplog.text
    assert "TFXFER_CACHE_DIR" in caplog.text
    with pytest.raises(UsageError, match="no home directory.*TFXFER_CACHE_DIR.*--cache-dir"):
        default_cache_dir()
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/tmp/users")
    assert default_cache_dir() == pathlib.Path("/var/tmp/users/tfxfer")


def test_the_variables_of_the_cache_may_have_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TFXFER_CACHE_DIR", "~/kept")
    assert Cache.of(FitConfig()).directory == tmp_path / "kept"
    monkeypatch.setenv("TFXFER_CACHE_DIR", "~nobodyatall/kept")
    with pytest.raises(UsageError, match="TFXFER_CACHE_DIR is '~nobodyatall/kept'"):
        default_cache_dir()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("file", ["rows", "index"])
def test_a_full_disk_leaves_no_partial_files_and_is_reported(
    cache, monkeypatch, caplog, number, file
):
    def full(*_, **__):
        raise OSError(number, os.strerror(number))

    write(cache, "before")
    if file == "rows":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(np, "savez", full)
    before = files(cache)
    assert write(cache) is None
    monkeypatch.undo()
    assert files(cache) == before
    assert sorted(path.name for path in (cache.directory / "features").iterdir()) == ["before"]
    assert os.strerror(number) in caplog.text
    assert str(cache.directory) in caplog.text
    assert cache.read("features", "before") is not None


def test_many_write_and_read_while_one_clears(cache):
    stop, errors = threading.Event(), []

    def work(number):
        try:
            while not stop.is_set():
                rows = write(cache, str(number % 3), ROWS + number % 3)
                found = cache.read("features", str(number % 3))
                assert rows is None or np.array_equal(rows, ROWS + number % 3)
                assert found is None or np.array_equal(found[1], ROWS + number % 3)
                cache.entries()
        except Exception as error:  # told of below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        cache.clear()
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []


def test_clearing_leaves_what_is_not_the_caches_and_no_empty_folders(tmp_path):
    cache = Cache(tmp_path / "data", 10**5)
    for name in ("cat/1.png", "features/1.png", "features/inner/2.png", "images/deep/er/3.png"):
        (cache.directory / name).parent.mkdir(parents=True, exist_ok=True)
        (cache.directory / name).touch()
    before = sorted(cache.directory.rglob("*"))
    write(cache)
    cache.write("readable", "b", IDS, [ROWS], "float32", (3,), {})
    assert cache.clear() > 0
    assert sorted(cache.directory.rglob("*")) == before
    alone = Cache(tmp_path / "alone", 10**5)
    write(alone)
    alone.clear()
    assert not alone.directory.exists()
