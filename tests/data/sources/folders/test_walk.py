"""What in a directory is data, and what is left out."""

import os
import re

import pytest

from tfxfer.data.sources.folders.walk import Walk
from tfxfer.errors import DataError
from tfxfer.system.names import class_lines

JPEG, PNG, HEIC = b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def write(root, *files, content=JPEG):
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def write_run(path):
    path.mkdir(parents=True)
    (path / "config.toml").write_text('data = "."\n')
    (path / "classes.txt").write_text(class_lines(("a", "b")))
    (path / "report.png").write_bytes(PNG)
    return path


def images(root):
    walk = Walk()
    found = [os.path.relpath(path, root) for path in walk.images(root)]
    return found, walk.notes(root)


@pytest.mark.parametrize(
    "folder",
    [
        *("@eaDir", "@eaDir/1.jpg", "__MACOSX", "$RECYCLE.BIN", "$Recycle.Bin/S-1-5-18"),
        *("System Volume Information", "lost+found", ".ipynb_checkpoints", "#recycle"),
        *("@Recycle", "@tmp", "@__thumb", "FOUND.000", "LOST.DIR"),
    ],
)
def test_folders_of_systems_are_left_out_with_a_note(tmp_path, folder):
    write(tmp_path, "cat/1.jpg", f"cat/{folder}/1.jpg")
    found, (note,) = images(tmp_path)
    assert found == ["cat/1.jpg"]
    assert f"cat/{folder.split('/')[0]}" in note


@pytest.mark.parametrize(
    "name", ["Thumbs.db", "ehthumbs.db", "desktop.ini", "Icon\r", "1.jpg@SynoEAStream", "~$1.jpg"]
)
def test_files_of_systems_are_left_out_with_a_note(tmp_path, name):
    write(tmp_path, "1.jpg", name)
    assert images(tmp_path)[0] == ["1.jpg"]
    assert images(tmp_path)[1]


def test_hidden_files_are_passed_over_in_silence(tmp_path):
    write(tmp_path, "1.jpg", "._1.jpg", ".DS_Store", ".git/2.jpg")
    assert images(tmp_path) == (["1.jpg"], [])


def test_files_without_a_known_extension_are_recognized_by_their_first_bytes(tmp_path):
    write(tmp_path, "A.JPG", "bare", "x.dat", "photo.heic", content=JPEG)
    write(tmp_path, "png", content=PNG)
    write(tmp_path, "raw.nef", "copy.jpg.bak", "copy~", "half.crdownload", "film.thm")
    write(tmp_path, "real.heic", content=HEIC)
    write(tmp_path, "notes.txt", content=b"cat\n")
    found, notes = images(tmp_path)
    assert found == ["A.JPG", "bare", "photo.heic", "png", "x.dat"]
    told = "\n".join(notes)
    for name in ("raw.nef", "copy.jpg.bak", "copy~", "half.crdownload", "film.thm", "notes.txt"):
        assert name in told
    assert re.search(r"HEIC.*1 file: real\.heic", told)


def test_a_folder_with_the_name_of_a_picture_is_a_folder(tmp_path):
    write(tmp_path, "album.jpg/1.jpg")
    assert images(tmp_path)[0] == ["album.jpg/1.jpg"]


def test_links_are_followed_without_going_round(tmp_path):
    root = write(tmp_path / "root", "a/1.jpg", "b/2.jpg")
    write(tmp_path / "elsewhere", "3.jpg", "4.jpg")
    (root / "a" / "more").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "5.jpg").symlink_to(tmp_path / "elsewhere" / "3.jpg")
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "itself").symlink_to(root / "a")
    (root / "a" / "round").symlink_to("round")
    (root / "a" / "missing.jpg").symlink_to("nowhere")
    (root / "b" / "to_a").symlink_to(root / "a")
    (root / "a" / "to_b").symlink_to(root / "b")
    found, notes = images(root / "a")
    assert found == ["1.jpg", "5.jpg", "missing.jpg", "more/3.jpg", "more/4.jpg", "to_b/2.jpg"]
    assert any("up" in note and "parent" in note for note in notes)
    pattern = root / "**" / "*.jpg"
    assert {path.name for path in Walk().matches(pattern)} == {
        *("1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "missing.jpg")
    }


def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.jpg")
    found, (note,) = images(tmp_path)
    assert found == []
    assert "2 files: pipe, pipe.jpg" in note


def test_results_of_tfxfer_are_left_out_whatever_they_are_called(tmp_path):
    write(tmp_path, "cat/1.jpg")
    write_run(tmp_path / "runs" / "a")
    write_run(tmp_path / "cat" / "my experiment")
    (tmp_path / "runs" / "README.md").write_text("Mine.")
    write(tmp_path, "saved_models/a/1/saved_model.pb", "published/b/3/saved_model.pb")
    (tmp_path / "saved_models" / "c").mkdir()  # of an export that failed
    write(tmp_path, "converted/classes.txt", "converted/model.tflite")
    write(tmp_path, "cache/features/0a/index.npz", "cache/features/0a/rows-1.npy")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / ".lock").touch()
    walk = Walk()
    assert [folder.name for folder in walk.entries(tmp_path)[0]] == ["cat"]
    assert images(tmp_path)[0] == ["cat/1.jpg"]
    (note,) = walk.notes(tmp_path)
    assert "6 folders: begun, cache, converted, published, runs and 1 more" in note


def test_what_has_images_is_data_though_it_is_called_like_results(tmp_path):
    write(tmp_path, "runs/1.jpg", "saved_models/all/2.jpg")
    write(tmp_path, "other/config.toml", "empty/x.txt", content=b"")
    write_run(tmp_path / "runs" / "a")
    assert [folder.name for folder in Walk().entries(tmp_path)[0]] == [
        *("empty", "other", "runs", "saved_models")
    ]
    assert images(tmp_path)[0] == ["runs/1.jpg", "saved_models/all/2.jpg"]


def test_empty_places_for_results_are_no_classes(tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "saved_models" / "a").mkdir(parents=True)
    (tmp_path / "cat").mkdir()
    assert [folder.name for folder in Walk().entries(tmp_path)[0]] == ["cat"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*/*.jpg", ["a/1.jpg", "b/2.jpg"]),
        ("**", ["a/1.jpg", "a/c/3.jpg", "b/2.jpg"]),
        ("**/[13].jpg", ["a/1.jpg", "a/c/3.jpg"]),
        ("a/**/3.jpg", ["a/c/3.jpg"]),
        ("*/@eaDir/*.jpg", ["a/@eaDir/4.jpg"]),  # it is named
        ("a/._?.jpg", ["a/._5.jpg"]),
        ("?/x.jpg", []),
    ],
)
def test_patterns_pass_over_what_is_no_data_unless_it_is_named(tmp_path, pattern, expected):
    write(tmp_path, "a/1.jpg", "b/2.jpg", "a/c/3.jpg", "a/@eaDir/4.jpg", "a/._5.jpg")
    found = {os.path.relpath(path, tmp_path) for path in Walk().matches(tmp_path / pattern)}
    assert sorted(found) == expected


def test_a_folder_that_is_not_there_cannot_be_listed(tmp_path):
    with pytest.raises(DataError, match=r"'.*none': No such file"):
        Walk().entries(tmp_path / "none")
