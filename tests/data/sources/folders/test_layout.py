"""Which folders are splits and which are classes, and what is refused as it may be either."""

import re

import pytest

from tfxfer.data.sources.folders.layout import read_layout
from tfxfer.errors import UsageError

NFC, NFD = "caf\u00e9", "cafe\u0301"


def write(root, *folders):
    """Writes two images into each folder, and the files among the names as they are."""
    for folder in folders:
        names = (
            [folder] if folder.endswith((".jpg", ".txt")) else [f"{folder}/{n}.jpg" for n in "12"]
        )
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(b"\xff\xd8\xff\xe0")
    return root


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (["Training/a", "Training/b", "Testing/a", "Testing/b"], ["train", "test"]),
        (["training_set/a", "training_set/b", "dev/a"], ["train", "validation"]),
        (["train/a", "train/b", "valid_set/a", "holdout/b"], ["train", "validation", "test"]),
        (
            ["seg_train/seg_train/a", "seg_train/seg_train/b", "seg_test/seg_test/a"],
            ["train", "test"],
        ),
        (["inner/train/a", "inner/train/b", "inner/val/a"], ["train", "validation"]),
        (["__MACOSX/train/a", "data/train/a", "data/train/b"], ["train"]),
    ],
)
def test_splits_are_found_under_the_names_that_they_have(tmp_path, folders, splits):
    layout = read_layout(write(tmp_path, *folders))
    assert layout.class_names == ("a", "b")
    assert list(layout.images) == splits


@pytest.mark.parametrize(
    ("folders", "classes"),
    [
        (["test", "control"], ("control", "test")),
        (["test 1", "test 2"], ("test 1", "test 2")),
        (["a/images", "b/images"], ("a", "b")),  # as in Tiny ImageNet
        (["animal/cat", "animal/dog", "vehicle/bus", "vehicle/car"], ("animal", "vehicle")),
        (["a/left", "a/right", "b/left", "b"], ("a", "b")),
        (["photos/a", "photos/b", "__MACOSX/photos/a"], ("a", "b")),
    ],
)
def test_what_can_be_read_in_one_way_is_read(tmp_path, folders, classes):
    assert read_layout(write(tmp_path, *folders)).class_names == classes


@pytest.mark.parametrize(
    ("folders", "told"),
    [
        (
            ["fold1/cat", "fold1/dog", "fold2/cat", "fold2/dog"],
            ["'fold1', 'fold2'", "'cat', 'dog'"],
        ),
        (["A/x", "A/y", "B/x", "B/y", "B/z", "A/stray.jpg"], ["'A', 'B'", "'x', 'y'", "manifest"]),
        (["images/trn", "images/tst", "labels/trn", "labels/tst"], ["images/trn", "split"]),
        (["cat/train", "cat/test", "dog/train", "dog/test"], ["'cat/test' to 'test/cat'", "split"]),
        (["cat", "cat/test", "dog", "dog/test"], ["'cat/test', 'dog/test'", "'test/cat'"]),
        (["train/cat/val", "train/cat/new", "train/dog/val"], ["'cat/val', 'dog/val'"]),
        (["train/steam", "train/diesel", "bus", "plane"], ["'bus', 'plane'", "--data"]),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_with_both(tmp_path, folders, told):
    if any("stray" in name for name in folders):
        folders = [*folders, *(f"A/x/{number}.jpg" for number in range(20))]
    write(tmp_path, *folders)
    with pytest.raises(UsageError, match="can be read in two ways") as refused:
        read_layout(tmp_path)
    for text in told:
        assert text in str(refused.value)


def test_one_folder_called_like_a_split_in_one_class_is_noted(tmp_path):
    layout = read_layout(write(tmp_path, "cat", "cat/test", "dog"))
    assert len(layout.images["train"]["cat"]) == 4
    assert any("cat/test" in note for note in layout.notes)


def test_classes_of_which_all_have_folders_below_are_noted(tmp_path):
    root = write(tmp_path, "animal/cat", "animal/dog", "vehicle/bus", "vehicle/car")
    assert any("'animal/cat'" in note for note in read_layout(root).notes)


def test_one_class_that_holds_folders_is_refused_with_the_way_to_read_them(tmp_path):
    write(tmp_path, "pets/cat", "pets/dog")
    with pytest.raises(UsageError, match=re.escape(f"--data '{tmp_path / 'pets'}'")):
        read_layout(tmp_path)


@pytest.mark.parametrize("folders", [["test/unknown"], ["test"]])
def test_test_images_without_labels_are_refused_with_what_to_do(tmp_path, folders):
    write(tmp_path, "train/a", "train/b", *folders)
    with pytest.raises(UsageError, match="tfxfer predict") as refused:
        read_layout(tmp_path)
    assert "no labels" in str(refused.value)


def test_a_class_without_images_is_refused_with_what_it_has_instead(tmp_path):
    write(tmp_path, "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(UsageError, match=r"The class folder '.*/b' has no images.*HEIC.*1\.heic"):
        read_layout(tmp_path)


def test_a_run_is_no_data_and_its_list_is_named(tmp_path):
    (tmp_path / "config.toml").touch()
    (tmp_path / "classes.txt").touch()
    with pytest.raises(UsageError, match=r"is a run.*splits\.csv"):
        read_layout(tmp_path)


def test_names_that_unicode_holds_for_one_are_one_class_and_that_is_noted(tmp_path):
    write(tmp_path, f"train/{NFC}", "train/tea", f"test/{NFD}", "test/tea")
    layout = read_layout(tmp_path)
    assert layout.class_names == (NFC, "tea")
    assert [len(paths) for paths in layout.images["test"].values()] == [2, 2]
    assert any(ascii(NFD) in note for note in layout.notes)


def test_both_spellings_of_a_name_in_one_folder_are_one_class(tmp_path):
    write(tmp_path, NFD, NFC, "tea")
    layout = read_layout(tmp_path)
    assert layout.class_names == (NFC, "tea")
    assert len(layout.images["train"][NFC]) == 4
    assert any(ascii(NFD) in note for note in layout.notes)


def test_a_name_keeps_its_spelling_and_its_place(tmp_path):
    assert read_layout(write(tmp_path, NFD, "cafz", "cafd")).class_names == ("cafd", "cafz", NFD)


def test_classes_that_look_alike_are_kept_apart_and_noted(tmp_path):
    layout = read_layout(write(tmp_path, "cat", "cat ", "dog"))
    assert layout.class_names == ("cat", "cat ", "dog")
    assert any("'cat', 'cat '" in note for note in layout.notes)


def test_splits_to_train_on_in_all_folders_are_refused_with_both_readings(tmp_path):
    root = write(tmp_path, "dataset/train/a", "dataset/train/b", "dataset2/train/a")
    with pytest.raises(UsageError) as caught:
        read_layout(root)
    for told in (
        "can be read in two ways",
        "the classes are 'dataset', 'dataset2'",
        f"--data '{root}/dataset'",
        "a manifest",
    ):
        assert told in str(caught.value)


def test_images_right_in_a_folder_train_of_each_class_are_of_that_class(tmp_path):
    layout = read_layout(write(tmp_path, "cat/train", "dog/train"))
    assert layout.class_names == ("cat", "dog")
    assert len(layout.images["train"]["cat"]) == 2


def test_evaluation_data_may_lack_train_and_have_one_class(tmp_path):
    layout = read_layout(write(tmp_path, "test/a", "val/b"), needs_train=False)
    assert layout.class_names == ("a", "b")
    assert {name: list(split) for name, split in layout.images.items()} == {
        "validation": ["b"],
        "test": ["a"],
    }
    alone = read_layout(write(tmp_path / "alone", "a"), needs_train=False)
    assert (alone.class_names, list(alone.images)) == (("a",), ["train"])


def test_classes_whose_names_differ_in_case_alone_are_noted(tmp_path):
    layout = read_layout(write(tmp_path, "Red", "red", "blue"))
    assert any("case" in note and "'Red', 'red'" in note for note in layout.notes)
