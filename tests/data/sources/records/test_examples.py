"""What is read of TFRecord examples."""

import tensorflow as tf
from record_files import example

from tfxfer.data.sources.records.examples import Told


def test_labels_are_read_example_by_example(tmp_path):
    records = [
        example(0, image_class_label=[4, 2], image_class_text=[b"dog", b"cat"]),
        example(1, image_class_label=[2]),
    ]
    told = Told()
    images = told.add(tmp_path / "x.tfrecord", 5, tf.constant(records))
    assert [bytes(image[1:4]) for image in images] == [b"PNG", b"PNG"]
    assert (told.lengths, told.numbers) == ([2, 1], [4, 2, 2])
    assert told.names == {4: {"dog"}, 2: {"cat", ""}}
    assert told.places == [(tmp_path / "x.tfrecord", 5), (tmp_path / "x.tfrecord", 6)]


def test_features_that_are_named_are_read_as_they_are(tmp_path):
    told = Told(("kind", "price"))
    records = [example(0, kind=[b"cat"], price=[2.5]), example(1, kind=[3])]
    told.add(tmp_path / "x.tfrecord", 0, tf.constant(records))
    assert told.columns == {"kind": ["cat", 3], "price": [2.5, None]}
