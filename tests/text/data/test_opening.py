import numpy as np
import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.errors import DataError, UsageError
from tfxfer.text.data.opening import as_they_come, open_as_they_are, open_texts


def opened(data, **settings):
    return open_texts(FitConfig(data=str(data), backbone="lstm", **settings))


def write(folder, texts):
    for place, text in texts.items():
        path = folder / f"{place}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_validation_is_split_off_and_no_text_is_in_two_splits(reviews):
    source = opened(reviews)
    assert source.name == "reviews"
    assert list(source.splits) == ["train", "validation", "test"]
    assert len(source.splits["train"]) + len(source.splits["validation"]) == 80
    assert np.bincount(source.splits["validation"].labels).tolist() == [8, 8]
    assert any("16 of the 80" in note and "held out" in note for note in source.notes)
    texts = [text for split in source.splits.values() for text in split.texts]
    assert len(set(texts)) == len(texts)


def test_texts_that_say_the_same_stay_together(tmp_path):
    texts = {
        f"train/{c}/{n}": f"{c} number {n // 2}{'!' * (n % 2)}" for c in "ab" for n in range(40)
    }
    source = opened(write(tmp_path, texts))
    seen = {bytes(row): name for name, one in source.splits.items() for row in one.digests()}
    assert all(
        seen[bytes(row)] == name for name, one in source.splits.items() for row in one.digests()
    )
    assert len(seen) == 40


def test_train_has_no_text_of_test(tmp_path):
    texts = {f"train/{c}/{n}": f"{c} {n}" for c in "ab" for n in range(9)}
    texts |= {"test/a/0": "A, 0!", "test/b/0": "other"}
    source = opened(write(tmp_path, texts))
    assert any("1 text that is also in 'test'" in note for note in source.notes)
    used = [text for name in ("train", "validation") for text in source.splits[name].texts]
    assert "a 0" not in used
    assert len(used) == 17


def test_empty_texts_are_left_out_and_named(tmp_path):
    texts = {f"{c}/{n}": f"{c} {n}" for c in "ab" for n in range(9)}
    source = opened(write(tmp_path, texts | {"a/x": " \n", "b/y": ""}))
    (note,) = [note for note in source.notes if "empty" in note]
    assert note.startswith("left out 2 empty texts: ")
    assert note.endswith("y.txt")
    assert sum(map(len, source.splits.values())) == 18


def test_splits_do_not_depend_on_the_names_of_files(tmp_path):
    one = {f"{c}/{n}": f"{c} {n}" for c in "ab" for n in range(20)}
    other = {f"{c}/{19 - n}x": f"{c} {n}" for c in "ab" for n in range(20)}
    found = [opened(write(tmp_path / name, texts)) for name, texts in (("1", one), ("2", other))]
    for name in found[0].splits:
        first, second = (sorted(source.splits[name].texts) for source in found)
        assert first == second
    assert found[0].fingerprint() == found[1].fingerprint()


def test_limits_are_kept(reviews):
    source = opened(reviews, train_examples=10, test_examples=7)
    assert len(source.splits["train"]) == 10
    assert len(source.splits["test"]) == 7
    assert np.bincount(source.splits["train"].labels).tolist() == [5, 5]


def test_data_without_texts_are_refused(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"")
    for data in ("digits", str(tmp_path / "a.bin")):
        with pytest.raises(UsageError, match="has no texts"):
            opened(data)


def test_one_class_or_only_a_test_split_cannot_be_trained_on(tmp_path):
    with pytest.raises(UsageError, match="texts of 1 class"):
        opened(write(tmp_path / "one", {"a/1": "x", "a/2": "y"}))
    with pytest.raises(UsageError, match="to train on: .* only test"):
        opened(write(tmp_path / "two", {"test/a/1": "x", "test/b/2": "y"}))
    with pytest.raises(DataError, match="are empty"):
        opened(write(tmp_path / "three", {"a/1": "", "b/2": " "}))


def test_data_to_evaluate_on_keep_their_splits(reviews):
    source = as_they_come(open_as_they_are(str(reviews), "utf-8"))
    assert {name: len(split) for name, split in source.splits.items()} == {"train": 80, "test": 40}


def test_near_copies_stay_in_one_split_where_asked(tmp_path):
    def text(c, pair, number):  # the texts of a pair differ in one word of 62
        return " ".join([f"{c}{pair}", *(f"{c}{pair}w{n}" for n in range(60)), f"n{number}"])

    texts = {f"train/{c}/{n}": text(c, n // 2, n) for c in "ab" for n in range(40)}
    texts |= {f"test/{c}/9": text(c, 7, 99) for c in "ab"}
    folder = write(tmp_path, texts)
    source = opened(folder, group_near_copies=True)
    pairs = {
        name: {text.split()[0] for text in split.texts} for name, split in source.splits.items()
    }
    assert not pairs["train"] & pairs["validation"]
    assert not (pairs["train"] | pairs["validation"]) & pairs["test"]
    assert any("left out of 'train': 4 texts with near copies" in note for note in source.notes)
    apart = opened(folder)
    assert {"a7", "b7"} <= {text.split()[0] for text in apart.splits["train"].texts}


def test_texts_at_a_url_are_an_error():
    with pytest.raises(UsageError, match="setting 'data' is the URL 's3://bucket/texts'"):
        opened("s3://bucket/texts")
