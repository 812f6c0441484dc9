"""What is fetched appears when it is complete."""

import pytest
from stores import Lossy, stored

from tfxfer.data.remote import fetching
from tfxfer.data.remote.fetching import fetch
from tfxfer.data.remote.listing import list_at
from tfxfer.errors import DataError


@pytest.fixture
def listing(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(10):
        (folder / f"{number}.bin").write_bytes(bytes([number]) * (number + 1))
    stored(folder, "fetched")
    return list_at("lossy://fetched")


def test_a_lost_connection_keeps_what_was_complete(listing, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "_MOST_FILES", 3)
    monkeypatch.setattr(Lossy, "left", 7)
    target = tmp_path / "copies"
    target.mkdir()
    with pytest.raises(DataError, match="'lossy://fetched': Connection reset.*are kept"):
        fetch(listing, listing.files, target)
    found = sorted(target.rglob("*.bin"))
    assert [path.name for path in found] == [f"{number}.bin" for number in range(6)]
    assert [path.stat().st_size for path in found] == [1, 2, 3, 4, 5, 6]
    assert [path.name for path in tmp_path.iterdir()] != []
    assert not list(tmp_path.glob(".*"))  # nothing half fetched is left


def test_a_file_that_changes_meanwhile_is_an_error(listing, tmp_path, monkeypatch):
    monkeypatch.setattr(Lossy, "left", 10)
    listing.store.files.pipe("/fetched/4.bin", b"another")
    with pytest.raises(DataError, match=r"4.bin' .*7 bytes instead of 5\. Run it again"):
        fetch(listing, listing.files, tmp_path / "copies")
    assert not (tmp_path / "copies" / "fetched" / "4.bin").exists()
