"""Copies of files at URLs: complete, shared, bounded, unchanged while they are read."""

import os
import pathlib

import pytest
from stores import Lossy, stored

from tfxfer.data.cache import Cache
from tfxfer.data.remote import copies as module
from tfxfer.data.remote import fetching, kept
from tfxfer.data.remote.copies import Copies
from tfxfer.data.remote.listing import list_at
from tfxfer.errors import DataError, RunError, UsageError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.bin").write_bytes(bytes([number]) * 1000)
    return folder


@pytest.fixture
def copies(tmp_path, monkeypatch):
    monkeypatch.setattr(Lossy, "left", 100)
    monkeypatch.setattr(Lossy, "fetched", [])
    monkeypatch.setattr(kept, "_held", {})  # other processes have their own
    return Copies(Cache(tmp_path / "cache", 10**4))


def used_no_more():
    for descriptor in kept._held.values():
        os.close(descriptor)
    kept._held.clear()


def contents(folder):
    return {path.name: path.read_bytes()[0] for path in sorted(folder.rglob("*.bin"))}


def test_what_was_interrupted_is_completed_and_what_is_there_is_used(folder, copies, monkeypatch):
    stored(folder, "half")
    monkeypatch.setattr(fetching, "_MOST_FILES", 2)
    monkeypatch.setattr(Lossy, "left", 5)
    with pytest.raises(DataError, match="Connection reset"):
        copies.made(list_at("lossy://half"))
    monkeypatch.setattr(Lossy, "left", 100)
    monkeypatch.setattr(Lossy, "fetched", [])
    files, note = copies.made(list_at("lossy://half"))
    assert Lossy.fetched == ["/half/4.bin", "/half/5.bin"]
    assert contents(files) == {f"{number}.bin": number for number in range(6)}
    assert "6 files (6.0 kB) of 'lossy://half' are in" in note
    assert "2 of them fetched now" in note
    assert copies.made(list_at("lossy://half")) == (
        files,
        note.replace("2 of them fetched now", "fetched before"),
    )
    assert len(Lossy.fetched) == 2
    (entry,) = copies.entries()
    assert (entry.about["what"], entry.num_rows, entry.num_bytes) == ("lossy://half", 6, 6000)


def test_a_change_makes_another_state_and_fetches_only_what_is_new(folder, copies, monkeypatch):
    url = stored(folder, "state").replace("memory", "lossy")
    old, _ = copies.made(list_at(url))
    (folder / "1.bin").write_bytes(b"\x09" * 1000)
    list_at(url).store.files.pipe("/state/1.bin", (folder / "1.bin").read_bytes())
    list_at(url).store.files.rm("/state/2.bin")
    Lossy.fetched.clear()
    new, _ = copies.made(list_at(url))
    assert Lossy.fetched == ["/state/1.bin"]
    assert contents(new) == {"0.bin": 0, "1.bin": 9, "3.bin": 3, "4.bin": 4, "5.bin": 5}
    assert contents(old)["1.bin"] == 1  # this process still uses it
    assert (old / "state" / "3.bin").stat().st_ino == (new / "state" / "3.bin").stat().st_ino
    used_no_more()
    copies.made(list_at(url))
    assert old.exists()  # it is looked for where something changes
    assert copies.clear() > 0
    assert not old.exists()
    assert new.exists()


def test_there_is_a_limit_and_what_was_not_used_for_longest_makes_room(folder, copies):
    first, _ = copies.made(list_at(stored(folder, "first")))
    os.utime(first.parent / "listing.json", (1, 1))
    used_no_more()
    second, _ = copies.made(list_at(stored(folder, "second")))
    assert not first.exists()
    assert second.exists()
    small = Copies(Cache(copies.cache.directory, 5999))
    with pytest.raises(
        UsageError, match=r"6 files \(6.0 kB\) of .*--cache-gigabytes\) allows 6.0 kB"
    ):
        small.made(list_at("memory://second"))
    with pytest.raises(UsageError, match="disabled: 'cache_gigabytes'"):
        Copies(Cache(pathlib.Path(os.devnull), 0)).made(list_at("memory://second"))


def test_a_full_disk_is_an_error_before_anything_is_fetched(folder, copies, monkeypatch):
    stored(folder, "full")
    monkeypatch.setattr(module, "_FREE_BYTES", 10**18)
    with pytest.raises(RunError, match=r"too little space: 0 bytes in .*--cache-dir"):
        copies.made(list_at("lossy://full"))
    assert Lossy.fetched == []
