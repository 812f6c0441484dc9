import json
import logging.handlers

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_network import SMALL

from tfxfer.data.labels.outputs import Outputs
from tfxfer.exporting.gate import half_precision_nodes
from tfxfer.exporting.serving.signatures import write_saved_model

NAMES = np.array([b"blue", b"green", b"red"])


@pytest.fixture(scope="module")
def export(finished):
    result, _ = finished
    return result.export


@pytest.fixture(scope="module")
def files(paths):
    return [path.read_bytes() for path in paths]


@pytest.fixture(scope="module")
def expected(trained, paths):
    return trained.predict(paths)


@pytest.mark.parametrize("batch_size", [1, 5, 12])
def test_encoded_images_get_the_models_probabilities(signatures, files, expected, batch_size):
    answer = signatures["serving_default"](image_bytes=tf.constant(files[:batch_size]))
    assert answer["probabilities"].numpy() == pytest.approx(expected[:batch_size], abs=1e-5)
    assert np.array_equal(answer["class_id"], expected[:batch_size].argmax(axis=1))
    assert np.array_equal(answer["label"], NAMES[answer["class_id"].numpy()])


def test_the_most_probable_classes_come_best_first(signatures, files, expected):
    answer = signatures["serving_default"](image_bytes=tf.constant(files))
    order = np.argsort(-expected, axis=1, kind="stable")
    assert np.array_equal(answer["top_k_class_ids"], order)
    assert np.array_equal(answer["top_k_labels"], NAMES[order])
    best_first = np.take_along_axis(expected, order, axis=1)
    assert answer["top_k_probabilities"].numpy() == pytest.approx(best_first, abs=1e-5)


def test_png_and_jpeg_of_other_sizes_share_a_batch(signatures, expected, files):
    pixels = tf.io.decode_jpeg(files[0], dct_method="INTEGER_ACCURATE")
    png = tf.io.encode_png(pixels).numpy()
    large = tf.io.encode_png(np.zeros((300, 200, 3), "uint8")).numpy()
    answer = signatures["serving_default"](image_bytes=tf.constant([png, large]))
    assert answer["probabilities"][0].numpy() == pytest.approx(expected[0], abs=1e-5)


def test_pixels_of_any_size_get_the_same_answer(signatures, files, expected):
    pixels = np.stack([tf.io.decode_jpeg(x, dct_method="INTEGER_ACCURATE") for x in files[:5]])
    answer = signatures["pixels"](pixels=tf.constant(pixels))
    assert answer["probabilities"].numpy() == pytest.approx(expected[:5], abs=1e-5)
    assert "features" not in answer


def test_features_are_what_the_backbone_pools(signatures, trained, files, paths):
    answer = signatures["features"](image_bytes=tf.constant(files[:3]))
    assert set(answer) == {"features"}
    features = trained.features(paths[:3])
    assert features.shape == (3, SMALL.num_features)
    assert answer["features"].numpy() == pytest.approx(features, abs=1e-4)
    probabilities = keras.ops.softmax(trained.model.get_layer("head")(features)).numpy()
    assert probabilities == pytest.approx(trained.predict(paths[:3]), abs=1e-5)


def test_the_signatures_are_named_for_a_server(signatures):
    assert set(signatures) == {"serving_default", "pixels", "features"}
    (_, inputs) = signatures["serving_default"].structured_input_signature
    assert inputs["image_bytes"].dtype == tf.string
    assert list(inputs["image_bytes"].shape) == [None]


@pytest.mark.parametrize("name", ["serving_default", "features"])
def test_an_empty_batch_gets_an_empty_answer(signatures, name):
    answer = signatures[name](image_bytes=tf.constant([], tf.string))
    assert {len(value) for value in answer.values()} == {0}


def png_header(height, width):
    """Returns a PNG file that ends after the header, which states this size."""
    return (
        tf.io.encode_png(np.zeros((1, 1, 3), "uint8")).numpy()[:16]
        + b"".join(number.to_bytes(4, "big") for number in (width, height))
        + b"\x08\x02\x00\x00\x00"
        + bytes(16)
    )


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"", "empty"),
        (b"hello", "not a JPEG, PNG"),
        (b"\xff\xd8\xff", "incomplete"),
        ("cut", "truncated JPEG"),
        (png_header(10_001, 10_000), "100010000 pixels.*100,000,000"),
    ],
)
def test_what_is_no_image_is_refused_by_its_number(signatures, files, bad, reason):
    bad = files[2][:-100] if bad == "cut" else bad
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"image_bytes\[2\].*{reason}"):
        signatures["serving_default"](image_bytes=tf.constant([*files[:2], bad, files[3]]))
    signatures["serving_default"](image_bytes=tf.constant(files[:2]))  # goes on as before


def test_a_jpeg_with_something_after_its_end_is_read(signatures, files, expected):
    answer = signatures["serving_default"](image_bytes=tf.constant([files[0] + b"\x00\x00"]))
    assert answer["probabilities"].numpy() == pytest.approx(expected[:1], abs=1e-5)


def test_labels_and_facts_are_assets(export, finished):
    result, _ = finished
    assert (export / "assets" / "labels.txt").read_text() == "blue\ngreen\nred\n"
    facts = json.loads((export / "assets" / "tfxfer.json").read_text())
    assert facts["name"] == "colors"
    assert facts["versions"]["keras"] == keras.__version__
    assert facts["versions"]["tensorflow"] == tf.__version__
    assert facts["backbone"]["name"] == SMALL.name
    assert facts["test"] == result.metrics["test"]
    assert facts["data"] == result.metrics["data"]
    assert len(facts["data"]["fingerprint"]) == 64
    assert set(facts["signatures"]) == {"serving_default", "pixels", "features"}
    assert (facts["num_classes"], facts["input_size"]) == (3, 32)


def test_the_graph_computes_in_float32(export):
    assert half_precision_nodes(export) == []


def test_a_model_that_was_not_built_here_has_no_features(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.INFO)  # as in a notebook
    written = logging.handlers.BufferingHandler(100)
    logger.addHandler(written)
    write_saved_model(model, Outputs(("a", "b")), {}, tmp_path / "1")
    logger.removeHandler(written)
    assert written.buffer == []
    assert logger.level == logging.INFO
    logger.setLevel(level)
    assert set(tf.saved_model.load(str(tmp_path / "1")).signatures) == {"serving_default", "pixels"}
