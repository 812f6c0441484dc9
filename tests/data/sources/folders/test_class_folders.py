"""The class folders in a folder."""

import pytest

from tfxfer.data.sources.folders.class_folders import quoted, read_class_folders
from tfxfer.data.sources.folders.walk import Walk
from tfxfer.errors import UsageError


def write(root, *files):
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"\xff\xd8\xff\xe0")


def test_a_class_has_the_images_below_it_too(tmp_path):
    write(tmp_path, "dog/1.jpg", "cat/2.jpg", "cat/more/1.jpg", "cat/more/3.jpg", "beside.jpg")
    notes = []
    cat, dog = read_class_folders(tmp_path, Walk(), notes)
    assert (cat.key, cat.names, cat.num_direct, cat.inner) == ("cat", ("cat",), 1, ("more",))
    assert cat.images == [
        f"{tmp_path}/cat/{name}" for name in ("2.jpg", "more/1.jpg", "more/3.jpg")
    ]
    assert (dog.key, len(dog.images), dog.inner) == ("dog", 1, ())
    (note,) = notes
    assert all(part in note for part in (f"left out of '{tmp_path}'", "1 file: beside.jpg"))


def test_folders_that_may_be_classes_or_folds_are_refused(tmp_path):
    write(tmp_path, *(f"fold{fold}/{name}/1.jpg" for fold in (1, 2) for name in ("cat", "dog")))
    with pytest.raises(UsageError, match="the classes are 'fold1', 'fold2', or they are 'cat', "):
        read_class_folders(tmp_path, Walk(), [])


def test_the_first_few_names_are_quoted():
    assert quoted("ab") == "'a', 'b'"
    assert quoted("abcdefg") == "'a', 'b', 'c', 'd', 'e' and 2 more"
