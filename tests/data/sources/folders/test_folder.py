"""Folders of images: supported layouts, and the errors of others."""

import os
import re

import numpy as np
import pytest
import tensorflow as tf
from messages import parts

from tfxfer.config.schema import FitConfig
from tfxfer.data.image.formats.recognition import FORMATS
from tfxfer.data.opening import open_as_it_is, open_source
from tfxfer.errors import DataError, UsageError


def png(gray: int, height: int = 5, width: int = 4) -> bytes:
    return tf.io.encode_png(tf.fill((height, width, 3), tf.cast(gray, tf.uint8))).numpy()


def write(root, **files: bytes | list[int]):
    """Writes files by their path with `/` as `__`; a list of grays as that many PNG files."""
    for name, content in files.items():
        path = root / name.replace("__", "/")
        if isinstance(content, bytes):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            continue
        path.mkdir(parents=True, exist_ok=True)
        for gray in content:
            (path / f"{gray:03}.png").write_bytes(png(gray))
    return root


def opened(root, **settings):
    return open_source(FitConfig(data=str(root), **settings))


def paths(root, split):
    return [os.path.relpath(split.describe(index), root) for index in range(len(split))]


def test_the_folders_of_a_flat_folder_are_classes_and_all_splits_are_split_off(tmp_path):
    root = write(tmp_path / "my photos!", bees=[*range(10)], ants=[*range(20, 30)])
    source = opened(root)
    assert source.name == "my-photos"
    assert source.class_names == ("ants", "bees")
    assert source.mirrored
    assert source.image_height_width == (5, 4)
    assert {name: len(split) for name, split in source.splits.items()} == {
        "train": 12,
        "validation": 4,
        "test": 4,
    }
    together = sorted(path for split in source.splits.values() for path in paths(root, split))
    assert together == sorted(os.path.relpath(path, root) for path in root.rglob("*.png"))


@pytest.mark.parametrize("alias", ["validation", "val", "valid", "Val"])
def test_splits_lie_in_folders_above_the_class_folders(tmp_path, alias):
    root = write(
        tmp_path,
        **{"train__b": [1, 2], "train__a": [3], f"{alias}__a": [4], f"{alias}__b": [5]},
        test__a=[6],
        test__b=[7],
    )
    source = opened(root)
    assert list(source.splits) == ["train", "validation", "test"]
    expected = ["train/a/003.png", "train/b/001.png", "train/b/002.png"]
    assert paths(root, source.splits["train"]) == expected
    assert source.splits["train"].labels.tolist() == [0, 1, 1]
    assert paths(root, source.splits["validation"]) == [f"{alias}/a/004.png", f"{alias}/b/005.png"]
    assert paths(root, source.splits["test"]) == ["test/a/006.png", "test/b/007.png"]
    assert source.notes == ()


def test_data_with_train_and_validation_have_no_test(tmp_path):
    root = write(tmp_path, train__a=[1], train__b=[2], val__a=[3], val__b=[4])
    assert list(opened(root).splits) == ["train", "validation"]


def test_validation_is_split_off_train_if_data_have_train_and_test(tmp_path):
    root = write(tmp_path, train__a=[*range(10)], train__b=[*range(10)], test__a=[10], test__b=[11])
    source = opened(root, validation_fraction=0.3)
    sizes = {name: len(split) for name, split in source.splits.items()}
    assert sizes == {"train": 14, "validation": 6, "test": 2}
    (note,) = source.notes
    assert "validation" in note
    assert "6 of the 20 training images" in note


def test_a_class_may_have_the_name_of_a_split(tmp_path):
    root = write(tmp_path, train=[1, 2, 3], plane=[4, 5, 6])
    assert opened(root).class_names == ("plane", "train")


def test_images_in_folders_inside_a_class_folder_belong_to_the_class(tmp_path):
    root = write(
        tmp_path, train__a=[5], train__a__more=[1, 9], train__b=[2], val__a=[3], val__b=[4]
    )
    train = opened(root).splits["train"]
    assert paths(root, train) == [
        *("train/a/005.png", "train/a/more/001.png", "train/a/more/009.png", "train/b/002.png")
    ]
    assert train.labels.tolist() == [0, 0, 0, 1]


def test_links_are_followed_once(tmp_path):
    root = write(tmp_path / "data", a=[1, 2, 3], b=[4, 5, 6])
    write(tmp_path / "elsewhere", more=[7])
    (root / "a" / "loop").symlink_to(root / "a")
    (root / "b" / "more").symlink_to(tmp_path / "elsewhere" / "more")
    source = opened(root)
    assert sum(len(split) for split in source.splits.values()) == 7


def test_hidden_files_and_folders_are_ignored(tmp_path):
    root = write(tmp_path, a=[1, 2, 3], b=[4, 5, 6])
    write(root, **{".git__x": [7], "a__.DS_Store": b"", "a__.cache": [8], "b__._x.png": b""})
    source = opened(root)
    assert source.class_names == ("a", "b")
    assert sum(len(split) for split in source.splits.values()) == 6
    assert not any("left out" in note for note in source.notes)


def test_extensions_are_known_in_any_case(tmp_path):
    root = write(tmp_path, b=[1, 2])
    for name in ("1.jpg", "2.JPEG", "3.Png", "4.BMP", "5.gif"):
        write(root, **{f"a__{name}": png(int(name[0]) + 10)})
    assert sum(len(split) for split in opened(root).splits.values()) == 7


def test_other_files_are_left_out_with_a_note_that_names_the_first(tmp_path):
    root = write(tmp_path, a=[1, 2], b=[3, 4])
    for number in range(7):
        write(root, **{f"b__{number}.txt": b"cat"})
    (note, *_) = opened(root).notes
    for part in (f"'{root}'", FORMATS, "7 files: b/0.txt, b/1.txt", "b/4.txt and 2 more"):
        assert part in note
    assert "b/5.txt" not in note


def test_files_beside_the_class_folders_are_left_out_with_a_note(tmp_path):
    root = write(tmp_path, a=[1, 2], b=[3, 4], **{"stray.png": png(0)})
    note = opened(root).notes[0]
    assert all(part in note for part in (f"left out of '{root}'", "1 file: stray.png"))


def test_folders_beside_train_are_left_out_with_a_note(tmp_path):
    root = write(tmp_path, train__a=[1], train__b=[3], val__a=[2], val__b=[4], extra__a=[5])
    (note,) = opened(root).notes
    assert all(part in note for part in ("left out", f"'{root}'", "'train'", "1 folder: extra"))


def test_a_class_without_validation_images_gets_a_note(tmp_path):
    root = write(tmp_path, train__a=[1], train__b=[3], val__a=[2])
    (note,) = opened(root).notes
    assert re.search("'validation'.* no images .*1 class: b$", note)


def test_file_names_need_not_be_utf_8(tmp_path):
    root = write(tmp_path, a=[1, 2], b=[3, 4])
    with open(os.path.join(os.fsencode(root), b"a", b"caf\xe9.png"), "wb") as file:
        file.write(png(9))
    source = opened(root)
    images = [image for split in source.splits.values() for image in split.open_images()]
    assert png(9) in [image.numpy() for image in images]


def test_reading_reaches_every_image_by_its_index(tmp_path):
    root = write(tmp_path, train__a=[1, 2], train__b=[3], val__a=[4], val__b=[5])
    train = opened(root).splits["train"]
    assert [train.read_image(index).numpy() for index in (2, 0)] == [png(3), png(1)]


def test_the_typical_size_is_the_median_and_does_not_mind_an_unreadable_image(tmp_path):
    root = write(tmp_path, val__a=[1], val__b=[1])
    write(root, **{"train__a__0.png": png(0, 10, 100), "train__a__1.png": png(0, 20, 50)})
    write(root, **{"train__b__0.png": png(0, 90, 60), "train__b__1.png": b"corrupt"})
    assert opened(root).image_height_width == (20, 60)


def test_digests_are_of_content_and_a_file_that_vanished_has_one_too(tmp_path):
    root = write(tmp_path, train__a=[1, 2], train__b=[1, 9], val__a=[2], val__b=[3])
    splits = open_as_it_is(str(root)).splits
    first, second, third, _ = splits["train"].digests()
    assert (first == third).all()
    assert (second == splits["validation"].digests()[0]).all()
    splits = open_as_it_is(str(root)).splits
    (root / "train" / "b" / "009.png").unlink()
    assert len(np.unique(splits["train"].digests(), axis=0)) == 3


def test_data_of_which_no_image_can_be_read_are_an_error(tmp_path):
    root = write(tmp_path, **{"a__1.png": b"corrupt", "a__2.png": b"too", "b__1.png": b"corrupt"})
    with pytest.raises(DataError, match=r"3 images .*/a/1\.png: it is"):
        opened(root)


def case(name, message, **files):
    return pytest.param(files, message, id=name)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        case("empty", "'{root}' is empty ... folder of images per class ... 'train'"),
        case("one class", "1 class folder ... '{root}' ... at least 2", a=[1]),
        case("no class", "1 images ... no class folders ... '{root}'", **{"x.png": png(0)}),
        case("neither", "neither class folders nor images ... '{root}'", **{"x.txt": b""}),
        case("empty class", "'{root}/b' ... no images", a=[1], b=[]),
        case(
            "one class in train",
            "1 class folder ... '{root}/train' ... at least 2",
            train__a=[1],
            val__a=[2],
        ),
        case(
            "images right in the splits",
            "2 images ... no class folders ... '{root}/train'",
            train=[1, 2],
            val=[3],
        ),
        case(
            "unknown class",
            "'{root}/val/bee' ... '{root}/train' ... Did you mean 'bees'?",
            train__ants=[1],
            train__bees=[2],
            val__bee=[3],
        ),
        case(
            "empty split",
            "no images in class folders ... '{root}/val'",
            train__a=[1],
            train__b=[2],
            val__a=[],
        ),
        case("no train", "'{root}' ... 'val' ... no 'train'", val__a=[1], val__b=[2]),
        case(
            "train and validation in one",
            "'{root}' ... no 'train' ... 'TrainVal' ... Rename '{root}/TrainVal' to 'train'",
            TrainVal__a=[1],
            TrainVal__b=[2],
            test__a=[3],
            test__b=[4],
        ),
        case(
            "two validations",
            "'{root}' ... 'val' and 'valid' ... same split",
            train__a=[1],
            train__b=[2],
            val__a=[1],
            valid__a=[2],
        ),
        case(
            "nothing for validation",
            "validation ... no class has more than one image",
            a=[1],
            b=[2],
        ),
    ],
)
def test_an_unsupported_folder_layout_is_an_error_that_names_the_folder(tmp_path, files, message):
    write(tmp_path, **files)
    with pytest.raises(UsageError, match=parts(message.format(root=tmp_path))):
        opened(tmp_path)


def test_a_file_is_no_directory(tmp_path):
    write(tmp_path, **{"photos.zip": b""})
    with pytest.raises(
        UsageError, match=r"photos.zip' is a file, but neither a manifest \(.csv, .tsv,"
    ):
        opened(tmp_path / "photos.zip")


def test_a_directory_that_may_not_be_listed_is_an_error_that_names_it(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may list every directory")
    root = write(tmp_path, a=[1, 2], b=[3, 4])
    (root / "a").chmod(0)
    with pytest.raises(DataError, match=r"'.*a': Permission denied"):
        opened(root)


def test_opening_decodes_no_more_than_a_sample(tmp_path):
    root = write(tmp_path, train__a=[*range(200)], train__b=[201], val__a=[202], val__b=[203])
    for path in sorted((root / "train" / "a").iterdir())[1:3]:
        path.write_bytes(b"no image")
    assert np.bincount(opened(root).splits["train"].labels).tolist() == [200, 1]
