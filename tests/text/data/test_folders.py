import numpy as np
import pytest

from tfxfer.errors import DataError, UsageError
from tfxfer.text.data.folders import read_folder, texts_in


def write(folder, **texts):
    for name, text in texts.items():
        path = folder / name.replace("__", "/")
        path = path.with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_layout_of_imdb_is_read(reviews):
    found = read_folder(reviews, "utf-8")
    assert found.class_names == ("neg", "pos")
    assert {name: len(split) for name, split in found.splits.items()} == {"train": 80, "test": 40}
    train = found.splits["train"]
    assert np.bincount(train.labels).tolist() == [40, 40]
    assert train.ids[0].endswith("train/neg/0.txt")
    assert train.texts[0] == (reviews / "train" / "neg" / "0.txt").read_text()
    (note,) = found.notes
    assert "unsup': 1 text without a label" in note


def test_a_folder_without_splits_is_one_to_train_on(tmp_path):
    found = read_folder(write(tmp_path, a__1="x", b__deep__2="y", _c__3="z"), "utf-8")
    assert found.class_names == ("_c", "a", "b")
    assert list(found.splits) == ["train"]
    assert found.splits["train"].texts == ["z", "x", "y"]


def test_words_for_splits_are_understood(tmp_path):
    found = read_folder(write(tmp_path, Training__a__1="x", val__a__1="y"), "utf-8")
    assert list(found.splits) == ["train", "validation"]


def test_two_folders_of_one_split_are_refused(tmp_path):
    with pytest.raises(UsageError, match="both mean the split 'validation'"):
        read_folder(write(tmp_path, train__a__1="x", dev__a__1="y", val__a__1="y"), "utf-8")


def test_a_folder_without_texts_says_what_it_needs(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(UsageError, match="has no classes of texts"):
        read_folder(tmp_path, "utf-8")


def test_another_encoding_is_refused_unless_it_is_given(tmp_path):
    write(tmp_path, a__1="x")
    (tmp_path / "a" / "2.txt").write_bytes(b"\xe9")
    with pytest.raises(DataError, match=r"2.txt' is not UTF-8: byte 0xe9 at offset 0"):
        read_folder(tmp_path, "utf-8")
    assert read_folder(tmp_path, "latin-1").splits["train"].texts == ["x", "é"]


def test_the_texts_of_a_folder_are_found_in_their_order(tmp_path):
    write(tmp_path, b="1", a__c="2")
    assert [path.name for path in texts_in(tmp_path)] == ["c.txt", "b.txt"]
    assert texts_in(tmp_path / "b.txt") == [tmp_path / "b.txt"]
    with pytest.raises(UsageError, match="There is no file"):
        texts_in(tmp_path / "none.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="has no .txt files"):
        texts_in(tmp_path / "empty")
