"""The training images nearest to an image."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tfxfer.data.image.channels import decode_and_resize
from tfxfer.data.source import in_any_order
from tfxfer.inference.loading import load
from tfxfer.showing.images import nearest
from tfxfer.showing.images.nearest import NearestImages


def squares_of(classifier, paths):
    size = classifier.input_size
    return [decode_and_resize(path.read_bytes(), size).numpy() for path in paths]


def test_the_nearest_have_the_largest_cosine(trained, pictures, paths):
    found = NearestImages(trained, trained.open_source())
    (square,) = squares_of(trained, paths[:1])
    assert not found.is_ready
    assert found.of(square) == []
    found.compute()
    train = sorted((pictures / "train").rglob("*.jpg"))
    assert len(found) == len(train)
    features = trained.features([paths[0], *train]).astype(np.float64)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    cosines = features[1:] @ features[0]
    order = np.argsort(-cosines)[: nearest.MOST_SHOWN]
    near = found.of(square)
    np.testing.assert_allclose([one.similarity for one in near], cosines[order], atol=1e-5)
    assert [one.label for one in near] == [train[index].parent.name for index in order]
    for one, seen in zip(near, squares_of(trained, [train[i] for i in order]), strict=True):
        np.testing.assert_array_equal(one.pixels, seen)


def test_a_training_image_is_nearest_to_itself(trained, pictures):
    found = NearestImages(trained, trained.open_source())
    found.start()
    found._thread.join()
    (square,) = squares_of(trained, [pictures / "train" / "green" / "2.jpg"])
    first = found.of(square)[0]
    assert first.label == "green"
    np.testing.assert_allclose(first.similarity, 1, atol=1e-5)
    found.stop()


def test_it_waits_while_an_answer_is_computed(trained):
    found = NearestImages(trained, trained.open_source())
    with found.paused():
        found.start()
        found._thread.join(0.2)
        assert not found.is_ready
    found._thread.join()
    assert found.is_ready


def test_many_training_images_are_searched_evenly(trained, monkeypatch):
    monkeypatch.setattr(nearest, "MOST_SEARCHED", 3)
    found = NearestImages(trained, trained.open_source())
    assert len(found) == 3
    found.compute()
    square = np.zeros((32, 32, 3), np.uint8)
    assert {one.label for one in found.of(square)} == {"blue", "green", "red"}


def test_it_can_be_stopped_and_an_unreadable_image_ends_it(trained):
    source = trained.open_source()
    found = NearestImages(trained, source)
    found.stop()
    found.compute()
    assert not found.is_ready
    broken = in_any_order(
        np.zeros(2, np.int64),
        lambda index: tf.constant(b"no image"),
        lambda index: f"{index}",
        lambda: np.zeros((2, 16), np.uint8),
    )
    found = NearestImages(trained, dataclasses.replace(source, splits={"train": broken}))
    found.compute()
    assert not found.is_ready


def test_what_was_not_built_by_tfxfer_has_no_features(finished, trained):
    done, _ = finished
    inputs = keras.Input((32, 32, 3))
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(inputs))
    other = dataclasses.replace(load(done.run), model=keras.Model(inputs, outputs))
    found = NearestImages(other, trained.open_source())
    found.start()
    found.stop()
    assert not found.is_ready
