"""Whole Keras models in files: `.keras`, and the `.h5` of earlier years; no code in them is run.

What a file is, is told by its content, not by its name.
"""

import json
import pathlib
import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py
import keras

from tfxfer.errors import RunError, UsageError

# Keras' own layers that run code from a file, which safe mode refuses.
_CODE = {
    "Lambda": "a Lambda layer or a lambda function, which is Python code",
    "TFSMLayer": "a TFSMLayer, which is the code of a SavedModel",
}

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_keras_archive(path: pathlib.Path) -> bool:
    """Tells whether a file is what Keras 3 writes as `.keras`: a zip file with a `config.json`."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "config.json" in archive.namelist()


def read_model(path: pathlib.Path) -> keras.Model:
    """Returns the model in a file, not compiled.

    Args:
        path: A `.keras` file, or a whole model in HDF5 (`.h5`).

    Raises:
        UsageError: The file is something else, such as weights without a model.
        RunError: It is corrupt, needs code that Keras does not have, or this Keras cannot read it.
    """
    try:
        kind = _kind(path)
        config = _config(path, kind)
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise RunError(f"Cannot load the model '{path}': {_first_line(error)}.") from error
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how the model was once built; nothing can be done
        named = path
        if path.suffix != kind:  # Keras goes by the name
            named = pathlib.Path(folder, f"model{kind}")
            named.symlink_to(path.resolve())
        try:
            model = keras.models.load_model(named, compile=False, safe_mode=True)
        # Layers raise what they like when they are built of a corrupt or an old configuration.
        except Exception as error:
            raise RunError(f"Cannot load the model '{path}': {_why(config, error)}") from error
    if not isinstance(model, keras.Model):
        raise RunError(f"'{path}' holds a '{type(model).__name__}', which is not a model.")
    return model


def _kind(path: pathlib.Path) -> str:
    """Returns the suffix that Keras expects of a file's content.

    Raises:
        UsageError: It is not a model.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if start == _HDF5_SIGNATURE:
        return ".h5"
    if zipfile.is_zipfile(path):
        if is_keras_archive(path):
            return ".keras"
        raise UsageError(
            f"'{path}' is a zip file, but not one that Keras wrote: it has no 'config.json'. Save "
            f"the model with `model.save('{path.stem}.keras')`."
        )
    # The end of a zip file, where its contents are listed, is lost when a copy is cut short.
    if start.startswith(b"PK\x03\x04"):
        raise RunError(f"Cannot load the model '{path}': the file is corrupt or incomplete.")
    if start == b"version ":
        raise UsageError(f"'{path}' is a Git LFS pointer, not the file: `git lfs pull` gets it.")
    raise UsageError(
        f"'{path}' is neither a '.keras' file nor a model in '.h5'. Save the model with "
        f"`model.save('{path.stem}.keras')`."
    )


def _config(path: pathlib.Path, kind: str) -> Any:
    """Returns what a file says of the layers of its model.

    Raises:
        UsageError: It says nothing, as it holds weights alone.
        OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile: It is corrupt.
    """
    if kind == ".keras":
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
        # What it was trained with is not loaded, and may be anything.
        return {key: value for key, value in config.items() if key != "compile_config"}
    with h5py.File(path) as file:
        text = file.attrs.get("model_config")
    if text is None:
        raise UsageError(
            f"'{path}' holds weights without a model. Build the model, call `load_weights`, and "
            "save the whole model with `model.save('model.keras')`."
        )
    return json.loads(text)


def _why(config: Any, error: Exception) -> str:
    """Returns, as a sentence, why Keras could not load a model."""
    names = list(_foreign_names(config))
    code = next((_CODE[name] for name in names if name in _CODE), None)
    if code:
        return (
            f"it has {code}, and code from a file is not run. Use Keras' other layers or keras.ops "
            "instead, and save the model again."
        )
    if names:
        return (
            f"it needs '{names[0]}', which is not part of Keras, and code is not loaded with a "
            "model. Use Keras' own layers instead, and save the model again."
        )
    return (
        f"{_first_line(error)}. If it loads where it was made, save it there again: "
        "`keras.models.load_model(...).save('model.keras')`."
    )


def _foreign_names(config: Any) -> Iterator[str]:
    """Yields the names of layers that run code, and of classes and functions not Keras' own."""
    if isinstance(config, dict):
        name, module = config.get("class_name"), config.get("module", "keras")
        if name in _CODE:
            yield str(name)
        elif list(config) == ["value"]:  # a lambda in place of an activation
            yield "Lambda"
        elif name == "function" and not hasattr(keras.activations, str(config["config"])):
            yield str(config["config"])
        elif name and str(module).split(".")[0] not in ("keras", "builtins"):
            yield str(name)
        for layer in config.get("layers") or ():
            # Keras 2 writes no modules.
            if isinstance(layer, dict) and "module" not in layer:
                name = str(layer.get("class_name"))
                if not any(hasattr(place, name) for place in (keras.layers, keras.models)):
                    yield name
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _foreign_names(value)


def without_colors(text: str) -> str:
    """Returns a text of Keras without the escape sequences that make it bold on a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _first_line(error: Exception) -> str:
    """Returns the first sentence of an error, without its full stop."""
    text = without_colors(str(error)).rpartition("Exception encountered: ")[2].strip()
    lines = text.splitlines() or [type(error).__name__]
    return lines[0].split(". ")[0].strip().rstrip(".")
