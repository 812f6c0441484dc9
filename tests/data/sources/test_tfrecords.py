"""TFRecord files: their forms, and the errors of others."""

import numpy as np
import pytest
import tensorflow as tf
from messages import parts

from tfxfer.data.opening import open_as_it_is
from tfxfer.data.sources.tfrecords import is_tfrecord_name
from tfxfer.errors import DataError, UsageError


def png(gray):
    return tf.io.encode_png(tf.fill((5, 4, 3), tf.cast(gray, tf.uint8))).numpy()


def record(image=None, label=None, text=None):
    """Returns an example that has only what is given."""
    kinds = {
        "image/encoded": lambda: tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        "image/class/label": lambda: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        "image/class/text": lambda: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text])),
    }
    given = {"image/encoded": image, "image/class/label": label, "image/class/text": text}
    feature = {key: kinds[key]() for key, value in given.items() if value is not None}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def write(path, *records, compression=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for content in records:
            writer.write(content)
    return path


def two_classes(path, start=0, **options):
    """Writes five images of gray `start` and on, of the classes 3 and 7 in turn."""
    records = [record(png(start + number), (3, 7)[number % 2]) for number in range(5)]
    return write(path, *records, **options)


def grays(split):
    return [int(image[0, 0, 0]) for image in split.open_images().map(tf.io.decode_png)]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("x.tfrecord", True),
        ("x.tfrecords", True),
        ("x.tfrecord.gz", True),
        ("mnist-test.tfrecord-00000-of-00001", True),
        ("train-00003-of-01024", True),
        ("x.png", False),
        ("train", False),
    ],
)
def test_files_of_tfrecords_are_known_by_their_names(name, is_one):
    assert is_tfrecord_name(name) == is_one


def test_files_belong_to_the_split_that_their_name_says(tmp_path):
    two_classes(tmp_path / "train-00001-of-00002", 5)
    two_classes(tmp_path / "train-00000-of-00002", 0, compression="GZIP")
    two_classes(tmp_path / "flowers_val.tfrecord", 10)
    two_classes(tmp_path / "flowers-test.tfrecord-00000-of-00001", 15)
    two_classes(tmp_path / "more.tfrecord", 20)
    source = open_as_it_is(str(tmp_path))
    assert {name: grays(split) for name, split in source.splits.items()} == {
        "train": [*range(10)],
        "validation": [*range(10, 15)],
        "test": [*range(15, 20)],
    }
    assert source.splits["train"].labels.tolist() == [0, 1, 0, 1, 0] * 2
    assert source.splits["train"].describe(7) == "train-00001-of-00002 #2"
    (note,) = source.notes
    assert all(part in note for part in (f"left out of '{tmp_path}'", "1 file: more.tfrecord"))
    assert source.origin == str(tmp_path)


def test_a_file_alone_is_to_train_on_whatever_its_name(tmp_path):
    source = open_as_it_is(str(two_classes(tmp_path / "pets-val.tfrecord")))
    assert list(source.splits) == ["train"]
    assert (source.name, source.class_names) == ("pets-val", ("3", "7"))


@pytest.mark.parametrize(
    ("labels_file", "texts", "names"),
    [
        (None, (b"cat", b"dog"), ("cat", "dog")),
        (None, (b"cat", b"cat"), ("3", "7")),
        (None, (b"cat", b""), ("3", "7")),
        ("3:a cat\n7:a dog\n", (b"cat", b"dog"), ("a cat", "a dog")),
        ("zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\n", (b"", b""), ("three", "seven")),
    ],
)
def test_classes_have_the_names_that_are_to_be_had(tmp_path, labels_file, texts, names):
    records = [record(png(gray), (3, 7)[gray % 2], texts[gray % 2]) for gray in range(4)]
    write(tmp_path / "all.tfrecord", *records)
    if labels_file is not None:
        (tmp_path / "labels.txt").write_text(labels_file)
    assert open_as_it_is(str(tmp_path)).class_names == names


def test_names_that_are_missing_in_the_labels_file_are_an_error(tmp_path):
    two_classes(tmp_path / "all.tfrecord")
    (tmp_path / "labels.txt").write_text("3:cat\n")
    with pytest.raises(UsageError, match=r"labels\.txt'.* no name .* 7\b"):
        open_as_it_is(str(tmp_path))


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "no records ... 1 file: "),
        ([record(png(0), 3), record(png(1), 3)], "one class"),
        (
            [record(png(0), 3), record(None, 7)],
            "#1 of '{}' ... 'image/encoded'",
        ),
        ([record(png(0))], "'image/class/label' ... image/encoded"),
        ([record(png(0), -1)], "'image/class/label'"),
        ([b"no example"], "'{}' ... #0 ... tf.train.Example"),
    ],
)
def test_invalid_records_are_an_error(tmp_path, records, message):
    path = write(tmp_path / "all.tfrecord", *records)
    with pytest.raises(UsageError, match=parts(message.format(path))):
        open_as_it_is(str(path))


@pytest.mark.parametrize("where", [3, 100, -3])
def test_a_corrupt_file_is_an_error_that_names_it(tmp_path, where):
    path = two_classes(tmp_path / "all.tfrecord")
    content = bytearray(path.read_bytes())
    content[where] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"all\.tfrecord' after \d"):
        open_as_it_is(str(path))


def test_a_file_that_ends_too_early_is_an_error(tmp_path):
    path = two_classes(tmp_path / "all.tfrecord")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="Cannot read .*TFRecord"):
        open_as_it_is(str(path))


def test_files_of_evaluation_alone_are_an_error(tmp_path):
    two_classes(tmp_path / "test-00000-of-00001")
    with pytest.raises(UsageError, match="test.* none .*'train': 1 file"):
        open_as_it_is(str(tmp_path))


def test_a_label_that_only_evaluation_has_is_an_error(tmp_path):
    two_classes(tmp_path / "train.tfrecord")
    write(tmp_path / "test.tfrecord", record(png(9), 5))
    with pytest.raises(UsageError, match="label 5 .* training files"):
        open_as_it_is(str(tmp_path))


def test_digests_are_those_of_the_same_files_in_folders(tmp_path):
    two_classes(tmp_path / "records" / "all.tfrecord")
    for number in range(5):
        path = tmp_path / "folder" / str((3, 7)[number % 2]) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))
    records = open_as_it_is(str(tmp_path / "records")).splits["train"].digests()
    folder = open_as_it_is(str(tmp_path / "folder")).splits["train"].digests()
    np.testing.assert_array_equal(np.sort(records, axis=0), np.sort(folder, axis=0))
