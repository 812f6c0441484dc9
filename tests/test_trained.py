import shutil

import keras
import pytest

from tfxfer.errors import RunError, UsageError
from tfxfer.trained import load_trained


def test_a_run_and_its_file_are_the_same_classifier(finished):
    result, _ = finished
    run, file = load_trained(result.run), load_trained(str(result.model))
    assert run.class_names == file.class_names == ("blue", "green", "red")
    assert run.input_size == file.input_size == 32
    assert run.config.run == "colours"
    assert file.config is None


def test_what_is_no_model_is_refused(tmp_path, finished):
    result, _ = finished
    with pytest.raises(UsageError, match="is neither the directory of a run nor a '.keras' file"):
        load_trained(tmp_path / "none.keras")
    with pytest.raises(UsageError, match="is not a run: it has no 'config.toml'"):
        load_trained(tmp_path)
    alone = shutil.copy(result.model, tmp_path / "alone.keras")
    with pytest.raises(UsageError, match=r"There is no '.*classes.txt' with the names"):
        load_trained(alone)


def test_a_damaged_file_is_named(tmp_path, finished):
    result, _ = finished
    shutil.copy(result.run / "classes.txt", tmp_path)
    damaged = tmp_path / "model.keras"
    damaged.write_bytes(result.model.read_bytes()[:5000])
    with pytest.raises(RunError, match=r"Cannot load the model '.*model.keras'"):
        load_trained(damaged)


def test_a_file_that_wants_to_run_code_is_refused(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Lambda(lambda image: image * 2)(inputs)
    keras.Model(inputs, x).save(tmp_path / "model.keras")
    (tmp_path / "classes.txt").write_text("a\nb\n")
    with pytest.raises(RunError, match=r"Cannot load the model '.*model.keras'"):
        load_trained(tmp_path / "model.keras")


def test_a_model_of_something_else_is_refused(tmp_path):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "model.keras")
    (tmp_path / "classes.txt").write_text("a\nb\n")
    with pytest.raises(RunError, match="does not take a batch of images"):
        load_trained(tmp_path / "model.keras")


def test_class_names_must_be_as_many_as_the_outputs(tmp_path, finished):
    result, _ = finished
    shutil.copy(result.model, tmp_path / "model.keras")
    (tmp_path / "classes.txt").write_text("a\nb\n")
    with pytest.raises(RunError, match=r"3 classes, but '.*classes.txt' names 2"):
        load_trained(tmp_path / "model.keras")
