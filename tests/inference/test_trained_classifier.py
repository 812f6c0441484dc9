"""A finished classifier answers for files and arrays alike."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_network import SMALL

from tfxfer.data.image.channels import decode_and_resize
from tfxfer.data.labels.outputs import Outputs
from tfxfer.errors import DataError, UsageError
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.inference.loading import load
from tfxfer.models.objectives import softmax


def test_a_classifier_of_other_classes_has_no_labels_for_them(trained):
    source = trained.open_source()
    assert trained.labels(source, source.splits["test"]).tolist() == [0] * 4 + [1] * 4 + [2] * 4
    outputs = Outputs(("blue", "green", "x"))
    other = TrainedClassifier(trained.model, outputs, trained.path, trained.config)
    with pytest.raises(DataError, match="classes .*model .*: red"):
        other.labels(source, source.splits["test"])


def test_paths_and_arrays_get_the_same_probabilities(finished, pictures):
    result, _ = finished
    classifier = load(result.run)
    paths = sorted((pictures / "test").rglob("*.jpg"))
    arrays = [tf.io.decode_jpeg(path.read_bytes(), dct_method="INTEGER_ACCURATE") for path in paths]
    arrays = np.stack([array.numpy() for array in arrays])
    found = classifier.predict(paths, batch_size=5)
    assert (found.shape, found.dtype) == ((12, 3), np.float32)
    images = np.stack([decode_and_resize(path.read_bytes(), 32) for path in paths])
    assert found == pytest.approx(classifier.model.predict(images, verbose=0), abs=1e-6)
    assert classifier.predict(arrays) == pytest.approx(found, abs=1e-6)
    assert classifier.predict(arrays[0]) == pytest.approx(found[:1], abs=1e-6)
    assert classifier.predict(str(paths[0])) == pytest.approx(found[:1], abs=1e-6)
    assert classifier.predict([]).shape == (0, 3)


def test_features_are_those_the_head_is_given(finished, pictures):
    result, _ = finished
    classifier = load(result.run)
    path = next((pictures / "test").rglob("*.jpg"))
    features = classifier.features(path)
    assert features.shape == (1, SMALL.num_features)
    logits = np.asarray(classifier.model.get_layer("head")(features))
    assert softmax(logits) == pytest.approx(classifier.predict(path), abs=1e-6)


def test_unreadable_images_are_named(finished, tmp_path):
    result, _ = finished
    classifier = load(result.run)
    (tmp_path / "a.jpg").write_bytes(b"hello")
    with pytest.raises(DataError, match=r"Cannot read '.*a.jpg': "):
        classifier.predict(tmp_path / "a.jpg")
    with pytest.raises(DataError, match=r"'.*none.jpg': .*no such file"):
        classifier.predict([str(tmp_path / "none.jpg")])
    with pytest.raises(UsageError, match=r"received was float64 of shape \(8, 8, 3\)"):
        classifier.predict(np.zeros((8, 8, 3)))
    with pytest.raises(UsageError, match=r"received was uint8 of shape \(8, 8\)"):
        classifier.predict([np.zeros((8, 8), "uint8")])


def test_a_model_that_was_not_built_here_has_no_features(tmp_path):
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(inputs))
    keras.Model(inputs, outputs).save(tmp_path / "model.keras")
    (tmp_path / "classes.txt").write_text("a\nb\n")
    classifier = load(tmp_path / "model.keras")
    image = np.zeros((8, 8, 3), "uint8")
    assert classifier.predict(image).shape == (1, 2)
    with pytest.raises(UsageError, match=r"was not built by tfxfer.*features"):
        classifier.features(image)
