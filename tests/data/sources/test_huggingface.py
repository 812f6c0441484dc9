"""Data sets of the Hugging Face library, saved on the disk; its hub cannot be reached in a test."""

import pytest
import tensorflow as tf

from tfxfer.config.schema import FitConfig
from tfxfer.data.labels.reading import LabelReading
from tfxfer.data.opening import open_as_it_is
from tfxfer.data.sources.huggingface import content_of
from tfxfer.errors import DataError, UsageError

datasets = pytest.importorskip("datasets")


def png(gray):
    return tf.io.encode_png(tf.fill((5, 4, 3), tf.cast(gray, tf.uint8))).numpy()


def rows(grays, *, images=None, label="label", declared=True):
    """Returns a data set of the classes odd and even, or of labels that are text."""
    images = images or [{"bytes": png(gray), "path": None} for gray in grays]
    names = ["even", "odd"]
    labels = [gray % 2 if declared else names[gray % 2] for gray in grays]
    features = datasets.Features(
        {
            "photo": datasets.Image(),
            label: datasets.ClassLabel(names=names) if declared else datasets.Value("string"),
        }
    )
    return datasets.Dataset.from_dict({"photo": images, label: labels}, features)


def test_splits_and_classes_are_those_of_the_data_set(tmp_path):
    saved = datasets.DatasetDict(
        {
            "train": rows(range(300)),
            "validation": rows([7]),
            "test": rows([4, 5]),
            "more": rows([9]),
        }
    )
    saved.save_to_disk(tmp_path / "numbers")
    source = open_as_it_is(str(tmp_path / "numbers"))
    assert (source.name, source.class_names) == ("numbers", ("even", "odd"))
    assert {name: len(split) for name, split in source.splits.items()} == {
        "train": 300,
        "validation": 1,
        "test": 2,
    }
    train = source.splits["train"]
    assert train.labels.tolist() == [0, 1] * 150
    assert [int(image[0, 0, 0]) for image in train.open_images().map(tf.io.decode_png)] == [
        number % 256 for number in range(300)
    ]
    assert train.describe(257).endswith("numbers train #257")
    # Grays from 256 on are those from 0 on again.
    assert (train.digests()[256] == train.digests()[0]).all()


def test_another_split_may_be_meant(tmp_path):
    saved = datasets.DatasetDict({"a": rows(range(8)), "b": rows([7])})
    saved.save_to_disk(tmp_path / "numbers")
    source = open_as_it_is(f"{tmp_path}/numbers?train=a&test=b")
    assert {name: len(split) for name, split in source.splits.items()} == {"train": 8, "test": 1}
    assert source.origin == f"{tmp_path}/numbers?train=a&test=b"
    with pytest.raises(UsageError, match="no split 'c'.*splits are a, b"):
        open_as_it_is(f"{tmp_path}/numbers?train=c")
    with pytest.raises(UsageError, match=r"no split 'train'.*splits are a, b.*numbers\?train=a"):
        open_as_it_is(f"{tmp_path}/numbers")


def test_labels_may_be_text_and_images_paths(tmp_path):
    images = []
    for gray in range(4):
        (tmp_path / f"{gray}.png").write_bytes(png(gray))
        images.append({"bytes": None, "path": str(tmp_path / f"{gray}.png")})
    # What is saved holds the files' content; what the hub's builder `imagefolder` makes does not.
    rows(range(4), images=images, declared=False).save_to_disk(tmp_path / "numbers")
    train = open_as_it_is(str(tmp_path / "numbers")).splits["train"]
    assert train.labels.tolist() == [0, 1, 0, 1]
    assert list(train.open_images().as_numpy_iterator()) == [png(0), png(1), png(2), png(3)]
    assert content_of({"bytes": None, "path": str(tmp_path / "2.png")}) == png(2)
    assert content_of({"bytes": None, "path": str(tmp_path / "none.png")}) == b""
    assert content_of(None) == b""


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: rows([2, 4], declared=False), "1 class.* at least 2"),
        (
            lambda: rows(range(4), label="kind", declared=False),
            r"features are photo \(Image\), kind \(Value\)",
        ),
    ],
)
def test_other_data_sets_are_an_error(tmp_path, made, message):
    made().save_to_disk(tmp_path / "numbers")
    with pytest.raises(UsageError, match=message):
        open_as_it_is(str(tmp_path / "numbers"))


def test_a_label_that_does_not_occur_in_train_is_an_error(tmp_path):
    saved = datasets.DatasetDict(
        {"train": rows(range(4), declared=False), "test": rows([1], declared=False)}
    )
    saved["test"] = saved["test"].map(lambda row: {**row, "label": "prime"})
    saved.save_to_disk(tmp_path / "numbers")
    with pytest.raises(UsageError, match="'prime'.* not occur in train"):
        open_as_it_is(str(tmp_path / "numbers"))


def test_a_corrupt_data_set_is_an_error(tmp_path):
    rows(range(4)).save_to_disk(tmp_path / "numbers")
    (tmp_path / "numbers" / "state.json").write_text("{")
    with pytest.raises(DataError, match="Cannot read .*numbers': "):
        open_as_it_is(str(tmp_path / "numbers"))


def several_columns(count=12):
    """Returns rows with lists of classes, two classes, text and a number."""
    declared = datasets.ClassLabel(names=["even", "three"])
    columns = {
        "photo": [{"bytes": png(gray), "path": None} for gray in range(count)],
        "tags": [
            None if gray == 5 else [place for place in (0, 1) if gray % (place + 2) == 0]
            for gray in range(count)
        ],
        "kind": [gray % 2 for gray in range(count)],
        "mood": [None if gray == 3 else ["calm", "wild"][gray // 2 % 2] for gray in range(count)],
        "price": [None if gray == 4 else gray / 2 for gray in range(count)],
    }
    features = datasets.Features(
        {
            "photo": datasets.Image(),
            "tags": datasets.Sequence(declared),
            "kind": datasets.ClassLabel(names=["zero", "one"]),
            "mood": datasets.Value("string"),
            "price": datasets.Value("float32"),
        }
    )
    return datasets.Dataset.from_dict(columns, features)


def opened(rows, folder, **settings):
    rows.save_to_disk(folder / "numbers")
    how = LabelReading.of(FitConfig(**settings))
    source = open_as_it_is(str(folder / "numbers"), how=how)
    return source, source.splits["train"]


def test_lists_of_classes_are_any_number_of_labels(tmp_path):
    source, train = opened(several_columns(), tmp_path, labels="multi")
    assert (source.special, source.class_names) == ("multi-label", ("even", "three"))
    assert len(train) == 11
    assert train.labels[:5].tolist() == [[1, 1], [0, 0], [1, 0], [0, 1], [1, 0]]
    assert "1 of the 12 images of 'train' have no label" in source.notes[0]
    assert train.describe(5).endswith("#6")


def test_lists_of_text_are_labels_if_they_are_called_so(tmp_path):
    columns = {
        "image": [{"bytes": png(gray), "path": None} for gray in range(3)],
        "labels": [["sun", "cat"], [], ["cat"]],
    }
    features = {"image": datasets.Image(), "labels": datasets.Sequence(datasets.Value("string"))}
    rows = datasets.Dataset.from_dict(columns, datasets.Features(features))
    source, train = opened(rows, tmp_path)
    assert source.class_names == ("cat", "sun")
    assert train.labels.tolist() == [[1, 1], [0, 0], [1, 0]]


def test_columns_with_a_class_each_are_tasks(tmp_path):
    source, train = opened(several_columns(), tmp_path, tasks="mood,kind")
    assert source.tasks.as_json() == {"mood": ["calm", "wild"], "kind": ["zero", "one"]}
    assert source.tasks.chosen(train.labels)[:5].tolist() == [
        [0, 0],
        [0, 1],
        [1, 0],
        [-1, 1],
        [0, 0],
    ]


def test_a_column_of_numbers_is_the_target(tmp_path):
    source, train = opened(several_columns(), tmp_path, target="price")
    assert source.class_names == ("price",)
    assert train.labels[:5].tolist() == [0.0, 0.5, 1.0, 1.5, 2.5]


def test_lists_and_a_class_are_a_doubt(tmp_path):
    with pytest.raises(UsageError, match="'kind', and any number .* 'tags'.*single or .*multi"):
        opened(several_columns(), tmp_path)
