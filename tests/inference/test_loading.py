import dataclasses
import shutil

import keras
import numpy as np
import pytest

from tfxfer.errors import RunError, UsageError
from tfxfer.inference.loading import for_many, load
from tfxfer.models.layers import leaf_layers


def test_a_run_and_its_file_are_the_same_classifier(finished):
    result, _ = finished
    run, file = load(result.run), load(str(result.model))
    assert run.class_names == file.class_names == ("blue", "green", "red")
    assert run.input_size == file.input_size == 32
    assert run.config.run == "colors"
    assert file.config is None
    assert file.notes == ()


def of_two_classes(folder, *layers):
    """Saves a model of images of 8 pixels, with its class names."""
    image = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    for layer in layers:
        x = layer(x)
    keras.Model(image, x).save(folder / "model.keras")
    (folder / "classes.txt").write_text("a\nb\n")
    return folder / "model.keras"


def test_assumptions_about_a_foreign_model_are_printed_once(tmp_path, capsys):
    path = of_two_classes(tmp_path, keras.layers.Dense(2))
    classifier = load(path)
    assert [*capsys.readouterr()] == ["", f"Note: '{path}': {classifier.notes[0]}\n"]
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


def test_directories_of_keras_are_not_runs(tmp_path):
    path = of_two_classes(tmp_path, keras.layers.Dense(2))
    shutil.unpack_archive(path, tmp_path / "unpacked", "zip")
    with pytest.raises(UsageError, match=r"unpacked.*'\.keras'.* zip"):
        load(tmp_path / "unpacked")


def test_class_names_that_are_not_utf_8_are_refused(tmp_path):
    path = of_two_classes(tmp_path, keras.layers.Dense(2))
    (tmp_path / "classes.txt").write_text("a\nb\n", "utf-16")
    with pytest.raises(UsageError, match=r"classes.txt' is not UTF-8"):
        load(path)


def test_what_is_no_model_is_refused(tmp_path, finished):
    result, _ = finished
    with pytest.raises(UsageError, match=r"none.keras'.* run .*SavedModel"):
        load(tmp_path / "none.keras")
    with pytest.raises(UsageError, match=r"not a run.*'config\.toml'"):
        load(tmp_path)
    alone = shutil.copy(result.model, tmp_path / "alone.keras")
    with pytest.raises(UsageError, match=r"There is no '.*classes.txt'.*one per line"):
        load(alone)


def test_a_corrupt_file_is_named(tmp_path, finished):
    result, _ = finished
    shutil.copy(result.run / "classes.txt", tmp_path)
    corrupt = tmp_path / "model.keras"
    corrupt.write_bytes(result.model.read_bytes()[:5000])
    with pytest.raises(RunError, match=r"Cannot load the model '.*model.keras'"):
        load(corrupt)


def test_a_file_that_wants_to_run_code_is_refused(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Lambda(lambda image: image * 2)(inputs)
    keras.Model(inputs, x).save(tmp_path / "model.keras")
    (tmp_path / "classes.txt").write_text("a\nb\n")
    with pytest.raises(RunError, match=r"'.*model.keras': .*Lambda.*not run"):
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


def has_batch_norm(model):
    return any(isinstance(x, keras.layers.BatchNormalization) for x in leaf_layers(model))


def test_for_many_images_batch_norm_is_folded_and_the_answers_are_the_same(finished):
    trained = load(finished[0].run)
    assert has_batch_norm(trained.model)
    assert for_many(trained, 499) is trained
    fast = for_many(trained, 500)
    assert not has_batch_norm(fast.model)
    assert (fast.class_names, fast.frame) == (trained.class_names, trained.frame)
    images = np.random.default_rng(0).integers(0, 256, (4, *trained.frame.shape)).astype("uint8")
    assert fast.predict(images) == pytest.approx(trained.predict(images), abs=1e-5)


def test_what_reads_features_is_left_as_it_is(finished):
    trained = load(finished[0].run)
    cautious = dataclasses.replace(trained, caution=object())
    assert for_many(cautious, 10_000) is cautious


def test_an_export_is_fast_already(finished):
    exported = load(finished[0].export)
    assert for_many(exported, 10_000) is exported
