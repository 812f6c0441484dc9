import pathlib
import zipfile

import h5py
import keras
import numpy as np
import pytest

from tfxfer.errors import RunError, UsageError
from tfxfer.inference.model_files import is_keras_archive, read_model

IMAGES = np.random.default_rng(0).random((2, 4, 4, 3), np.float32)


class Doubled(keras.layers.Layer):
    def call(self, images):
        return 2 * images


class Subclassed(keras.Model):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.flatten = keras.layers.Flatten()

    def call(self, images):
        return self.flatten(images)


def doubled(images):
    return 2 * images


def own_loss(labels, found):
    return found


def model_of(layer):
    image = keras.Input((4, 4, 3))
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(layer(image))))


@pytest.fixture(scope="module")
def model():
    return model_of(keras.layers.Rescaling(1 / 255))


@pytest.mark.parametrize("written", ["m.keras", "m.h5"])
@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.hdf5", "model"])
def test_a_file_is_what_is_in_it_whatever_its_name(model, written, name, tmp_path):
    model.save(tmp_path / written)
    path = (tmp_path / written).rename(tmp_path / name)
    assert is_keras_archive(path) == written.endswith(".keras")
    found = read_model(path)
    assert np.asarray(found(IMAGES)) == pytest.approx(np.asarray(model(IMAGES)), abs=1e-7)
    assert not found.compiled


def test_what_a_model_was_trained_with_does_not_matter(tmp_path):
    model = model_of(keras.layers.Rescaling(1 / 255))
    model.compile("adam", loss=own_loss)
    model.save(tmp_path / "model.keras")
    assert read_model(tmp_path / "model.keras").output_shape == (None, 3)


@pytest.mark.filterwarnings("ignore")  # Keras warns of what it will not load
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (lambda: keras.layers.Lambda(lambda images: 2 * images), "Lambda"),
        (Doubled, "'Doubled'"),
        (lambda: keras.layers.Activation(doubled), "doubled"),
        (lambda: keras.layers.Activation(lambda images: 2 * images), ""),
    ],
)
def test_a_model_that_needs_code_is_refused(layer, name, suffix, tmp_path):
    path = tmp_path / f"model{suffix}"
    model_of(layer()).save(path)
    with pytest.raises(
        RunError, match=f"Cannot load the model '.*model{suffix}': .*{name}"
    ) as error:
        read_model(path)
    assert "\n" not in str(error.value)
    assert "save" in str(error.value)


def test_a_class_of_its_own_is_named(tmp_path):
    model = Subclassed()
    model(IMAGES)
    model.save(tmp_path / "model.keras")
    with pytest.raises(RunError, match="'Subclassed'.*not part of Keras"):
        read_model(tmp_path / "model.keras")


def test_a_file_that_this_keras_cannot_read_is_named_with_the_reason(model, tmp_path):
    path = tmp_path / "model.h5"
    model.save(path)
    with h5py.File(path, "r+") as file:
        text = file.attrs["model_config"]
        file.attrs["model_config"] = text.replace('"use_bias": true', '"unheard_of": true')
    with pytest.raises(RunError, match="unheard_of.*save it there again"):
        read_model(path)


def test_weights_alone_are_no_model(model, tmp_path):
    model.save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(UsageError, match="model.weights.h5' holds weights without a model.*save"):
        read_model(tmp_path / "model.weights.h5")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "neither a '.keras' file nor"),
        (b"hello world", "neither a '.keras' file nor.*model.save"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
def test_what_is_no_model_is_refused(content, message, tmp_path):
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(UsageError, match=f"model.keras' is .*{message}"):
        read_model(tmp_path / "model.keras")


def test_another_zip_file_is_no_model(tmp_path):
    path = pathlib.Path(tmp_path, "model.keras")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", "")
    assert not is_keras_archive(path)
    with pytest.raises(UsageError, match="is a zip file, but .* no 'config.json'"):
        read_model(path)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_corrupt_file_is_named(model, suffix, kept, tmp_path):
    path = tmp_path / f"model{suffix}"
    model.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(RunError, match=f"Cannot load the model '.*model{suffix}'"):
        read_model(path)


def test_an_archive_without_its_weights_is_corrupt(model, tmp_path):
    model.save(tmp_path / "whole.keras")
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(tmp_path / "whole.keras") as whole, zipfile.ZipFile(path, "w") as part:
        part.writestr("config.json", whole.read("config.json"))
        part.writestr("metadata.json", whole.read("metadata.json"))
    with pytest.raises(RunError, match="Cannot load the model"):
        read_model(path)
