import importlib.util
import json
import os
import pathlib
import sys

import pytest

from tfxfer.errors import UsageError
from tfxfer.system import keras_settings
from tfxfer.system.keras_settings import (
    check_imported_backend,
    check_keras,
    expand_variables,
    weights_home,
)


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    """A folder of Keras' own, in a process that has not imported it."""
    for name in os.environ:
        if name.startswith("KERAS_"):
            monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


def test_settings_that_are_set_aside_pass(keras_home):
    check_keras()  # no file at all
    settings = {"floatx": "float16", "image_data_format": "channels_first", "epsilon": 0.1}
    (keras_home / "keras.json").write_text(json.dumps({"backend": "tensorflow", **settings}))
    check_keras()


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"backend": "torch"}, ["'backend'", "'torch'", "'tensorflow' and 'jax'"]),
        ({"backend": "theano"}, ["'theano'", "KERAS_BACKEND=tensorflow"]),
        ({"backend": None}, ["'backend'", "None"]),
        ({"backend": ["jax"]}, ["'backend'", "['jax']"]),
        ({"floatx": "float8"}, ["'floatx'", "'float8'", "'float32', 'float16', 'float64'"]),
        ({"floatx": {}}, ["'floatx'", "{}"]),
        ({"epsilon": 1}, ["'epsilon'", "1e-07"]),
        ({"image_data_format": "first"}, ["'image_data_format'", "'channels_last'"]),
        ([1], ["a list", "JSON object"]),
        ({"nnx_enabled": True}, ["'nnx_enabled'", "Flax"]),
    ],
)
def test_what_keras_would_fail_at_is_named_with_its_file(keras_home, monkeypatch, settings, parts):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "flax" else find(name)
    )
    path = keras_home / "keras.json"
    path.write_text(json.dumps(settings))
    with pytest.raises(UsageError) as caught:
        check_keras()
    assert all(part in str(caught.value) for part in [f"'{path}'", *parts])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("KERAS_BACKEND", "torch", ["'torch'", "'tensorflow' and 'jax'"]),
        ("KERAS_BACKEND", "TensorFlow", ["Did you mean 'tensorflow'?"]),
        ("KERAS_MAX_EPOCHS", "many", ["'many'", "integer"]),
        ("KERAS_MAX_STEPS_PER_EPOCH", "1.5", ["'1.5'", "integer"]),
    ],
)
def test_a_variable_that_does_not_do_is_named(keras_home, monkeypatch, name, value, parts):
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        check_keras()
    assert all(part in str(caught.value) for part in [name, *parts])


def test_a_variable_wins_over_the_file(keras_home, monkeypatch):
    (keras_home / "keras.json").write_text('{"backend": "torch"}')
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    check_keras()
    monkeypatch.setenv("KERAS_BACKEND", "")
    with pytest.raises(UsageError, match="'torch'"):
        check_keras()


def test_jax_must_be_installed(keras_home, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"KERAS_BACKEND is 'jax'.*pip install 'tfxfer\[jax\]'"):
        check_keras()


def test_an_invalid_json_file_gives_a_warning_as_keras_takes_its_defaults(keras_home, caplog):
    (keras_home / "keras.json").write_text("{backend: torch")
    check_keras()
    assert f"'{keras_home}/keras.json' are not valid JSON" in caplog.text


def test_a_file_that_cannot_be_read_is_named(keras_home):
    (keras_home / "keras.json").mkdir()
    with pytest.raises(UsageError, match=r"keras.json' cannot be read: Is a directory.*KERAS_HOME"):
        check_keras()


def test_a_backend_that_was_imported_cannot_be_changed():
    check_imported_backend("tensorflow")
    check_imported_backend("jax")
    with pytest.raises(UsageError, match="imported with the backend 'torch'.*KERAS_BACKEND"):
        check_imported_backend("torch")


def test_published_weights_are_where_keras_keeps_them(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", "~/other")
    assert weights_home() == tmp_path / "other"
    monkeypatch.delenv("KERAS_HOME")
    assert weights_home() == tmp_path / ".keras"
    monkeypatch.setattr(keras_settings, "home", lambda: None)
    assert weights_home() == pathlib.Path("/tmp/.keras")


def test_variables_of_others_are_expanded_for_them(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", "~/keras")
    monkeypatch.setenv("TFDS_DATA_DIR", "~/data")
    expand_variables()
    assert os.environ["KERAS_HOME"] == f"{tmp_path}/keras"
    assert os.environ["TFDS_DATA_DIR"] == f"{tmp_path}/data"
    # Without a home directory TensorFlow's old Keras makes a directory that is called "~".
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setattr(keras_settings, "home", lambda: None)
    expand_variables()
    assert os.environ["KERAS_HOME"] == "/tmp/.keras"
