"""Why files and folders are no data."""

import os

import pytest

from tfxfer.data.sources.folders.no_data import is_system_name, why_no_folder, why_no_image


@pytest.mark.parametrize("name", ["Thumbs.db", "@eaDir", "__MACOSX", "found.001", "lost+found"])
def test_names_of_systems_are_known_in_any_case(name):
    assert is_system_name(name)
    assert is_system_name(name.upper())


@pytest.mark.parametrize("name", ["cat", "found", "found.1", "thumbs", "1.jpg"])
def test_other_names_are_no_names_of_systems(name):
    assert not is_system_name(name)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("1.JPG", b"anything", ""),
        ("1", b"\xff\xd8\xff\xe0", ""),
        ("1.jpg.bak", b"\xff\xd8\xff\xe0", "backup copies and unfinished downloads"),
        ("1.jpg~", b"\xff\xd8\xff\xe0", "backup copies and unfinished downloads"),
        ("1.thm", b"\xff\xd8\xff\xe0", "video thumbnails"),
        ("1.nef", b"II*\0", "camera raw files, which are not supported"),
        ("1.heic", b"\0\0\0\x18ftypheic", "HEIC files, which are not supported"),
        ("notes.txt", b"mine", "not JPEG, PNG, BMP, GIF, WebP, TIFF or NPY"),
    ],
)
def test_a_file_is_an_image_by_its_name_or_by_how_it_begins(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    assert why_no_image(str(tmp_path / name)) == reason


def test_a_file_that_is_not_there_cannot_be_read(tmp_path):
    assert "No such file or directory" in why_no_image(str(tmp_path / "gone"))


def test_a_folder_may_be_data_unless_a_system_or_a_link_made_it(tmp_path):
    (tmp_path / "cat" / "@eaDir").mkdir(parents=True)
    (tmp_path / "cat" / "again").symlink_to(tmp_path)
    assert why_no_folder(tmp_path / "cat") == ""
    assert why_no_folder(tmp_path / "cat" / "@eaDir").startswith("files of the system")
    assert why_no_folder(tmp_path / "cat" / "again").startswith("links to a parent")


def test_a_folder_of_cvs_is_left_out_and_a_class_of_that_name_is_not(tmp_path):
    folder = tmp_path / "CVS"
    folder.mkdir()
    (folder / "1.jpg").touch()
    assert why_no_folder(folder) == ""
    (folder / "Entries").touch()
    assert why_no_folder(folder).startswith("files of the system")


def test_a_folder_that_may_not_be_looked_at_is_no_work(tmp_path, monkeypatch):
    (tmp_path / "runs" / "secret").mkdir(parents=True)
    real = os.scandir, os.listdir, os.stat

    def unless_secret(call):
        def checked(path=".", *arguments, **named):
            if "secret" in str(path):
                raise PermissionError(13, "Permission denied", str(path))
            return call(path, *arguments, **named)

        return checked

    for name, call in zip(("scandir", "listdir", "stat"), real, strict=True):
        monkeypatch.setattr(os, name, unless_secret(call))
    assert why_no_folder(tmp_path / "runs") == ""
