import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.errors import ExportError
from tfxfer.export import export_saved_model
from tfxfer.images import decode_and_resize
from tfxfer.trained import load_trained


@pytest.fixture(scope="module")
def served(finished):
    result, _ = finished
    return tf.saved_model.load(str(result.export))


@pytest.fixture(scope="module")
def files(pictures):
    return [path.read_bytes() for path in sorted((pictures / "test").rglob("*.jpg"))]


@pytest.fixture(scope="module")
def expected(finished, files):
    result, _ = finished
    images = np.stack([decode_and_resize(file, 32).numpy() for file in files])
    return load_trained(result.run).model.predict(images.astype("float32"), verbose=0)


@pytest.mark.parametrize("batch_size", [1, 5, 12])
def test_encoded_images_get_the_models_probabilities(served, files, expected, batch_size):
    serve = served.signatures["serving_default"]
    answer = serve(image_bytes=tf.constant(files[:batch_size]))
    assert answer["probabilities"].numpy() == pytest.approx(expected[:batch_size], abs=1e-5)
    assert np.array_equal(answer["class_id"], expected[:batch_size].argmax(axis=1))
    names = np.array([b"blue", b"green", b"red"])
    assert np.array_equal(answer["label"], names[answer["class_id"].numpy()])


def test_png_and_jpeg_of_other_sizes_share_a_batch(served, expected, files):
    pixels = tf.io.decode_jpeg(files[0], dct_method="INTEGER_ACCURATE")
    png = tf.io.encode_png(pixels).numpy()
    large = tf.io.encode_png(np.zeros((300, 200, 3), "uint8")).numpy()
    answer = served.signatures["serving_default"](image_bytes=tf.constant([png, large]))
    assert answer["probabilities"][0].numpy() == pytest.approx(expected[0], abs=1e-5)


def test_pixels_of_any_size_get_the_same_answer(served, files, expected):
    pixels = np.stack([tf.io.decode_jpeg(x, dct_method="INTEGER_ACCURATE") for x in files[:5]])
    answer = served.signatures["pixels"](pixels=tf.constant(pixels))
    assert answer["probabilities"].numpy() == pytest.approx(expected[:5], abs=1e-5)


def test_the_signatures_are_named_for_a_server(served):
    assert set(served.signatures) == {"serving_default", "pixels"}
    (_, inputs) = served.signatures["serving_default"].structured_input_signature
    assert inputs["image_bytes"].dtype == tf.string
    assert list(inputs["image_bytes"].shape) == [None]


@pytest.fixture
def model(finished):
    result, _ = finished
    return load_trained(result.run).model


def test_the_next_export_gets_the_next_version(finished, model, files, tmp_path):
    result, _ = finished
    for version in ("1", "2"):
        assert export_saved_model(model, result.model, tmp_path, files[:2]) == tmp_path / version
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def test_an_export_that_differs_from_the_model_is_not_published(
    finished, model, files, tmp_path, monkeypatch
):
    result, _ = finished
    # An export whose resize is not the one the model was evaluated with: nearest, not antialiased.
    monkeypatch.setattr(
        "tfxfer.export.decode_and_resize",
        lambda encoded, size: (
            tf.cast(tf.image.resize(tf.io.decode_jpeg(encoded), (size, size), "nearest"), tf.uint8)
            if isinstance(encoded, tf.Tensor) and not tf.executing_eagerly()
            else decode_and_resize(encoded, size)
        ),
    )
    with pytest.raises(ExportError, match="probabilities differ by up to .*; it was not published"):
        export_saved_model(model, result.model, tmp_path, files)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_named(finished, model, files, tmp_path):
    result, _ = finished
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match=r"Cannot write the export to '.*file/x'"):
        export_saved_model(model, result.model, tmp_path / "file" / "x", files)


def test_the_keras_file_needs_nothing_of_ours(finished, files, expected, tmp_path):
    result, _ = finished
    images = np.stack([decode_and_resize(file, 32).numpy() for file in files])
    np.save(tmp_path / "images.npy", images.astype("float32"))
    code = (
        "import sys; sys.modules['tfxfer'] = None\n"
        "import keras, numpy as np\n"
        "model = keras.models.load_model(sys.argv[1], safe_mode=True)\n"
        "np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))\n"
    )
    paths = [str(result.model), str(tmp_path / "images.npy"), str(tmp_path / "found.npy")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True, cwd=tmp_path)
    assert np.load(tmp_path / "found.npy") == pytest.approx(expected, abs=1e-5)
    assert keras.models.load_model(result.model).layers[-1].name == "probabilities"
