"""Which files are at a URL."""

import re

import fsspec
import pytest

from tfxfer.data.remote.listing import images_at, list_at, list_each
from tfxfer.errors import UsageError


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    for path in ("b/2.jpg", "b/1.jpg", "a/x/3.PNG", "notes.txt", ".hidden/4.jpg", "a/.5.jpg"):
        files.pipe(f"/shelf/{path}", path.encode())
    yield files
    files.rm("/shelf", recursive=True)


def test_files_are_listed_with_what_changes_when_they_do(memory):
    listing = list_at("memory://shelf/")
    places = [file.place for file in listing.files]
    assert places == [f"shelf/{one}" for one in ("a/x/3.PNG", "b/1.jpg", "b/2.jpg", "notes.txt")]
    assert listing.num_bytes == sum(map(len, ("b/2.jpg", "b/1.jpg", "a/x/3.PNG", "notes.txt")))
    assert list_at("memory://shelf").key == listing.key
    memory.pipe("/shelf/b/1.jpg", b"B/1.jpg")
    assert list_at("memory://shelf").key != listing.key
    (one,) = list_at("memory://shelf/b/2.jpg").files
    assert (one.path, one.place, one.size) == ("/shelf/b/2.jpg", "2.jpg", 7)
    with pytest.raises(UsageError, match="nothing at 'memory://shelf/c'"):
        list_at("memory://shelf/c")


def test_listed_files_are_found_and_missing_ones_left_out(memory):
    urls = [
        f"memory://shelf/{one}" for one in ("b/1.jpg", "b/3.jpg", "c/1.jpg", "a/x", "a/x/3.PNG")
    ]
    found = list_each("photos.csv", urls)
    assert {url: file.place for url, file in found.items()} == {
        urls[0]: "shelf/b/1.jpg",
        urls[4]: "shelf/a/x/3.PNG",
    }


def test_names_that_no_file_here_can_have_are_an_error(memory):
    memory.store["/shelf/b/1.jpg/below"] = memory.store["/shelf/b/1.jpg"]  # as S3 may have it
    with pytest.raises(UsageError, match=r"b/1.jpg/below' .*is below another file\. Rename it"):
        list_at("memory://shelf")
    memory.store.pop("/shelf/b/1.jpg/below")
    memory.store["/shelf/" + "n" * 256] = memory.store["/shelf/b/1.jpg"]
    with pytest.raises(UsageError, match="more than 255 bytes"):
        list_at("memory://shelf")


def test_images_are_those_of_a_folder_a_pattern_or_a_file(memory):
    notes = []
    assert images_at("memory://shelf", notes.append) == [
        f"memory://shelf/{one}" for one in ("a/x/3.PNG", "b/1.jpg", "b/2.jpg")
    ]
    assert notes == ["left out of 'memory://shelf' (not images by name): 1 file: notes.txt"]
    assert images_at("memory://shelf/*/1.*", notes.append) == ["memory:///shelf/b/1.jpg"]
    assert images_at("memory://shelf/notes.txt", notes.append) == ["memory://shelf/notes.txt"]
    with pytest.raises(UsageError, match=r"There is no .*\.png.* file at 'memory://shelf/n\*'"):
        images_at("memory://shelf/n*", notes.append)
    for missing in ("memory://shelf/d*", "memory://shelf/b/3.jpg"):
        with pytest.raises(UsageError, match=f"There is nothing at '{re.escape(missing)}'"):
            images_at(missing, notes.append)
