import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.config.frame import Frame
from tfxfer.data.image.channels import decode_and_resize
from tfxfer.data.labels.outputs import Outputs
from tfxfer.errors import ExportError
from tfxfer.exporting.gate import TOLERANCE, foreign_operations, half_precision_nodes
from tfxfer.exporting.serving.signatures import write_saved_model
from tfxfer.exporting.verification import check_export


@pytest.fixture(scope="module")
def files(pictures):
    return [path.read_bytes() for path in sorted((pictures / "test").rglob("*.jpg"))[:3]]


def check(directory, model, files):
    check_export(directory, model, files, Outputs(("a", "b")))


def rewrite(export, directory, name, change):
    """Writes an export of which one signature's answers are changed."""
    module = tf.Module()
    module.kept = tf.saved_model.load(str(export))
    signatures = dict(module.kept.signatures)
    original = signatures[name]

    def changed(image_bytes):
        return change(original(image_bytes=image_bytes))

    image_bytes = tf.TensorSpec((None,), tf.string, name="image_bytes")
    signatures[name] = tf.function(changed, [image_bytes])
    tf.saved_model.save(module, str(directory), signatures)


@pytest.mark.slow
def test_an_export_that_answers_as_the_model_passes(finished, trained, files):
    result, _ = finished
    check(result.export, trained.model, files)


@pytest.mark.slow
def test_an_export_of_other_weights_is_refused(finished, trained, files):
    result, _ = finished
    other = keras.models.clone_model(trained.model)
    other.set_weights([weight + 0.01 for weight in trained.model.get_weights()])
    with pytest.raises(ExportError, match=r"all images .*differ .*0\.\d+"):
        check(result.export, other, files)


def classifier(activation):
    """Returns a small model of 8 pixels."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    return keras.Model(inputs, keras.layers.Dense(2, activation=activation)(x))


def test_outputs_that_are_no_probabilities_are_refused(files, tmp_path):
    model = classifier(None)
    write_saved_model(model, Outputs(("a", "b")), {}, tmp_path / "1")
    with pytest.raises(ExportError, match=r"not probabilities; one su"):
        check(tmp_path / "1", model, files)


class Rounded(keras.layers.Layer):
    """Rounds otherwise layer by layer than in a graph, far beyond the tolerance."""

    def call(self, x):
        return x * (1.0 if tf.executing_eagerly() else 1.01)


@pytest.mark.slow
def test_a_model_that_rounds_otherwise_layer_by_layer_is_compared_as_a_graph(files, tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(Rounded()(keras.layers.Rescaling(1 / 255)(inputs)))
    normal = keras.initializers.RandomNormal(seed=0)
    top = keras.layers.Dense(2, activation="softmax", kernel_initializer=normal)
    model = keras.Model(inputs, top(x))
    write_saved_model(model, Outputs(("a", "b")), {}, tmp_path / "1")
    pixels = np.stack([decode_and_resize(one, Frame(8, 8)).numpy() for one in files])
    apart = np.array(model(pixels)) - model.predict_on_batch(pixels)
    assert np.abs(apart).max() > TOLERANCE
    check(tmp_path / "1", model, files)


@pytest.mark.slow
def test_answers_that_change_from_call_to_call_are_refused(finished, trained, files, tmp_path):
    result, _ = finished
    # By less than the probabilities may differ.
    rewrite(
        result.export,
        tmp_path / "1",
        "serving_default",
        lambda x: x | {"probabilities": x["probabilities"] + tf.random.uniform((), 0, 1e-6)},
    )
    with pytest.raises(ExportError, match=r"same request.*different"):
        check(tmp_path / "1", trained.model, files)


def test_a_graph_of_half_precision_is_refused(files, tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(inputs / 255)
    x = keras.layers.Dense(2, dtype="mixed_float16")(x)
    model = keras.Model(inputs, keras.layers.Softmax(dtype="float32")(x))
    write_saved_model(model, Outputs(("a", "b")), {}, tmp_path / "1")
    assert half_precision_nodes(tmp_path / "1")
    with pytest.raises(ExportError, match=r"\d+ of its nodes .*half precision.* '"):
        check(tmp_path / "1", model, files)


class CallsPython(keras.layers.Layer):
    """Computes in Python."""

    def call(self, x):
        return tf.ensure_shape(tf.numpy_function(lambda x: 2 * x, [x], tf.float32), x.shape)


def test_a_graph_that_calls_python_is_refused(files, tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(CallsPython()(keras.layers.Rescaling(1 / 255)(inputs)))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    write_saved_model(model, Outputs(("a", "b")), {}, tmp_path / "1")
    assert foreign_operations(tmp_path / "1") == ["PyFunc"]
    with pytest.raises(ExportError, match=r"does not have: PyFunc.*not published"):
        check(tmp_path / "1", model, files)


@pytest.mark.slow
def test_what_tensorflow_cannot_load_is_refused(finished, trained, files, tmp_path):
    result, _ = finished
    (tmp_path / "saved_model.pb").write_bytes((result.export / "saved_model.pb").read_bytes())
    with pytest.raises(ExportError, match=r"TensorFlow cannot run the export: .*not published"):
        check(tmp_path, trained.model, files)


@pytest.mark.slow
def test_features_are_compared_too(finished, trained, files, tmp_path):
    result, _ = finished
    rewrite(result.export, tmp_path / "1", "features", lambda x: {"features": 2 * x["features"]})
    with pytest.raises(ExportError, match=r"features differ by up to [\d.]+"):
        check(tmp_path / "1", trained.model, files)
