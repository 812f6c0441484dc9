"""Labels of TFRecord files: several for an example, tasks, a number, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf
from record_files import example

from tfxfer.config.schema import FitConfig
from tfxfer.data.labels.reading import LabelReading
from tfxfer.data.opening import open_as_it_is
from tfxfer.errors import UsageError


def opened(path, *examples, **settings):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for one in examples:
            writer.write(one)
    source = open_as_it_is(str(path), how=LabelReading.of(FitConfig(**settings)))
    return source, source.splits["train"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "all.tfrecord"


def tagged(gray, labels, texts=None):
    more = {} if texts is None else {"image_class_text": texts}
    return example(gray, image_class_label=labels, **more)


def test_several_integers_are_several_labels(path):
    source, train = opened(
        path,
        tagged(0, [7, 3], [b"dog", b"cat"]),
        tagged(1, []),
        tagged(2, [3], [b"cat"]),
    )
    assert (source.special, source.class_names) == ("multi-label", ("cat", "dog"))
    assert train.labels.tolist() == [[1, 1], [0, 0], [1, 0]]
    assert train.labels.dtype == np.float32


def test_one_integer_each_is_one_class_unless_several_are_meant(path):
    examples = [tagged(0, [3]), tagged(1, [7])]
    assert opened(path, *examples)[1].labels.tolist() == [0, 1]
    source, train = opened(path, *examples, labels="multi")
    assert train.labels.tolist() == [[1, 0], [0, 1]]
    assert source.class_names == ("3", "7")


def test_tasks_are_features_with_integers_or_text(path):
    source, train = opened(
        path,
        example(0, species=[10], health=[b"ill"]),
        example(1, species=[9], health=[b"well"]),
        example(2, species=[-1], health=[b"well"]),
        example(3, species=[9]),
        example(4),
        tasks="species,health",
    )
    assert source.tasks.as_json() == {"species": ["9", "10"], "health": ["ill", "well"]}
    assert source.tasks.chosen(train.labels).tolist() == [[1, 0], [0, 1], [-1, 1], [0, -1]]
    assert "1 of the 5 images of 'train' have no label" in source.notes[0]


def test_a_target_is_a_feature_with_a_number(path):
    source, train = opened(
        path, example(0, price=[2.5]), example(1), example(2, price=[4]), target="price"
    )
    assert (source.special, source.class_names) == ("numeric", ("price",))
    assert train.labels.tolist() == [2.5, 4]


@pytest.mark.parametrize(
    ("examples", "settings", "message"),
    [
        (
            [tagged(0, [3, 7]), tagged(1, [7])],
            {"labels": "single"},
            "#0 of '.*all.*' has several integers .*--labels",
        ),
        ([tagged(0, [3]), tagged(1, [])], {}, "#1 of .* no usable 'image/class/label'.* multi"),
        ([tagged(0, [3]), tagged(1, [7])], {"tasks": "kind,mood"}, "feature 'kind', which --tasks"),
        ([tagged(0, [3]), tagged(1, [7])], {"target": "price"}, "feature 'price', which --target"),
        (
            [example(0, kind=[0.5], mood=[1]), example(1, kind=[1.5], mood=[2])],
            {"tasks": "kind,mood"},
            "#0 of .* has 0.5 in 'kind', a number",
        ),
        (
            [example(0, kind=[1], mood=[1]), example(1, kind=[1], mood=[2])],
            {"tasks": "kind,mood"},
            "'kind' .* only one class in train",
        ),
        (
            [example(0, kind=[1, 2], mood=[1]), example(1, kind=[1], mood=[2])],
            {"tasks": "kind,mood"},
            "#0 of .* has 2 values in 'kind'",
        ),
        ([example(0, price=[b"cheap"])], {"target": "price"}, "#0 of .* has 'cheap' in 'price'"),
        ([tagged(0, [3])], {"label_columns": "a,b"}, "--label-columns.*TFRecord"),
    ],
)
def test_what_is_meant_otherwise_is_one_line(path, examples, settings, message):
    with pytest.raises(UsageError, match=message) as error:
        opened(path, *examples, **settings)
    assert "\n" not in str(error.value)
