import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.data.image.decoding import decode_and_resize
from tfxfer.errors import DataError, RunError, UsageError
from tfxfer.inference.loading import load
from tfxfer.models.objectives import softmax


def test_a_run_and_its_file_are_the_same_classifier(finished):
    result, _ = finished
    run, file = load(result.run), load(str(result.model))
    assert run.class_names == file.class_names == ("blue", "green", "red")
    assert run.input_size == file.input_size == 32
    assert run.config.run == "colours"
    assert file.config is None
    assert file.notes == ()


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
    assert features.shape == (1, 256)
    logits = np.asarray(classifier.model.get_layer("head")(features))
    assert softmax(logits) == pytest.approx(classifier.predict(path), abs=1e-6)


def test_images_that_cannot_be_read_are_named(finished, tmp_path):
    result, _ = finished
    classifier = load(result.run)
    (tmp_path / "a.jpg").write_bytes(b"hello")
    with pytest.raises(DataError, match=r"Cannot read '.*a.jpg': "):
        classifier.predict(tmp_path / "a.jpg")
    with pytest.raises(DataError, match=r"Cannot read '.*none.jpg': there is no such file"):
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
    with pytest.raises(UsageError, match=r"was not built by tfxfer: it has no features"):
        classifier.features(image)


def of_two_classes(folder, *layers):
    """Saves a model of images of 8 pixels, with its class names."""
    image = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    for layer in layers:
        x = layer(x)
    keras.Model(image, x).save(folder / "model.keras")
    (folder / "classes.txt").write_text("a\nb\n")
    return folder / "model.keras"


def test_what_is_assumed_of_a_model_of_others_is_said_once(tmp_path, capsys):
    path = of_two_classes(tmp_path, keras.layers.Dense(2))
    classifier = load(path)
    assert [*capsys.readouterr()] == ["", f"note: '{path}': {classifier.notes[0]}\n"]
    assert "logits" in classifier.notes[0]
    classifier.predict(np.zeros((8, 8, 3), "uint8"))
    assert [*capsys.readouterr()] == ["", ""]


def test_what_is_not_a_number_is_no_prediction(tmp_path):
    path = of_two_classes(tmp_path, keras.layers.Dense(2, "softmax", kernel_initializer="ones"))
    model = keras.models.load_model(path)
    model.layers[-1].set_weights([np.ones((192, 2)), np.array([0, np.nan])])
    model.save(path)
    with pytest.raises(RunError, match=r"model.keras' gives NaN"):
        load(path).predict(np.zeros((8, 8, 3), "uint8"))


def test_an_h5_file_is_a_classifier_too(tmp_path):
    path = of_two_classes(tmp_path, keras.layers.Dense(2, "softmax"))
    keras.models.load_model(path).save(tmp_path / "old.h5")
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype("uint8")
    found = load(tmp_path / "old.h5")
    assert (found.class_names, found.path.name, found.config) == (("a", "b"), "old.h5", None)
    assert found.predict(image) == pytest.approx(load(path).predict(image), abs=1e-7)


def test_the_directories_that_keras_leaves_are_told_from_runs(tmp_path):
    path = of_two_classes(tmp_path, keras.layers.Dense(2))
    shutil.unpack_archive(path, tmp_path / "unpacked", "zip")
    with pytest.raises(UsageError, match=r"unpacked content of a '.keras' file: zip it again"):
        load(tmp_path / "unpacked")


def test_class_names_that_are_not_utf_8_are_refused(tmp_path):
    path = of_two_classes(tmp_path, keras.layers.Dense(2))
    (tmp_path / "classes.txt").write_text("a\nb\n", "utf-16")
    with pytest.raises(UsageError, match=r"classes.txt' is not UTF-8"):
        load(path)


def test_what_is_no_model_is_refused(tmp_path, finished):
    result, _ = finished
    with pytest.raises(
        UsageError, match="is neither the directory of a run or of a SavedModel nor a '.keras"
    ):
        load(tmp_path / "none.keras")
    with pytest.raises(UsageError, match="is not a run: it has no 'config.toml'"):
        load(tmp_path)
    alone = shutil.copy(result.model, tmp_path / "alone.keras")
    with pytest.raises(UsageError, match=r"There is no '.*classes.txt' with the names"):
        load(alone)


def test_a_damaged_file_is_named(tmp_path, finished):
    result, _ = finished
    shutil.copy(result.run / "classes.txt", tmp_path)
    damaged = tmp_path / "model.keras"
    damaged.write_bytes(result.model.read_bytes()[:5000])
    with pytest.raises(RunError, match=r"Cannot load the model '.*model.keras'"):
        load(damaged)


def test_a_file_that_wants_to_run_code_is_refused(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Lambda(lambda image: image * 2)(inputs)
    keras.Model(inputs, x).save(tmp_path / "model.keras")
    (tmp_path / "classes.txt").write_text("a\nb\n")
    with pytest.raises(RunError, match=r"Cannot load the model '.*model.keras': .*Lambda.*not run"):
        load(tmp_path / "model.keras")


def test_a_model_of_something_else_is_refused(tmp_path):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "model.keras")
    (tmp_path / "classes.txt").write_text("a\nb\n")
    with pytest.raises(RunError, match="does not take a batch of images"):
        load(tmp_path / "model.keras")


def test_class_names_must_be_as_many_as_the_outputs(tmp_path, finished):
    result, _ = finished
    shutil.copy(result.model, tmp_path / "model.keras")
    (tmp_path / "classes.txt").write_text("a\nb\n")
    with pytest.raises(RunError, match=r"3 classes, but '.*classes.txt' names 2"):
        load(tmp_path / "model.keras")


def test_a_saved_model_is_a_classifier_too_but_gives_no_features(finished, paths):
    result, _ = finished
    served, run = load(result.export), load(result.run)
    assert (served.class_names, served.input_size) == (run.class_names, run.input_size)
    assert served.predict(paths, batch_size=5) == pytest.approx(run.predict(paths), abs=1e-6)
    assert load(result.export.parent).path == result.export
    with pytest.raises(UsageError, match="asked for by its signature 'features'"):
        served.features(paths)


def test_a_saved_model_of_others_and_a_damaged_one_are_named(finished, tmp_path):
    result, _ = finished
    tf.saved_model.save(tf.Module(), str(tmp_path / "other"))
    with pytest.raises(
        UsageError, match="was not published by `tfxfer export`: it has no 'assets/.*model.h5"
    ):
        load(tmp_path / "other")
    damaged = shutil.copytree(result.export, tmp_path / "damaged")
    (damaged / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(RunError, match=r"Cannot load the SavedModel '.*damaged': "):
        load(damaged)
