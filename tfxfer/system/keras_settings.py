"""Checks Keras' environment variables and `keras.json` before Keras is imported.

tfxfer overrides most settings while it works (`isolation`). Values that Keras rejects, and
unsupported backends, which cannot be changed after the import, give an error that names the file or
the variable.
"""

import importlib.util
import json
import os
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from tfxfer.config.paths import home, user_path
from tfxfer.errors import UsageError, did_you_mean
from tfxfer.system.notices import warn_once

BACKENDS = ("tensorflow", "jax")

# Allowed values in keras.json, as of Keras 3.15.
_CHOICES = {
    "floatx": ("float32", "float16", "float64"),
    "image_data_format": ("channels_last", "channels_first"),
}

# Keras' directory for users without a writable home directory.
_MAKESHIFT = pathlib.Path("/tmp/.keras")

_COUNTS = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")


def check_keras() -> None:
    """Raises a UsageError if Keras cannot be imported, or its backend is not supported."""
    keras = sys.modules.get("keras")
    if keras is not None:
        if hasattr(keras, "config"):  # else it is being imported
            check_imported_backend(keras.config.backend())
        return
    for name in _COUNTS:
        _check_count(name)
    path = _settings_file()
    settings = _read(path)
    _check_values(path, settings)
    backend, where, instead = os.environ.get("KERAS_BACKEND"), "The variable KERAS_BACKEND", ""
    if not backend:
        backend, where = settings.get("backend", BACKENDS[0]), f"Setting 'backend' in '{path}'"
        instead = "Change it there, or set the variable KERAS_BACKEND=tensorflow."
    _check_backend(backend, where, instead or "Set KERAS_BACKEND=tensorflow, or unset it.")
    _check_nnx(path, settings)


def check_imported_backend(backend: str) -> None:
    """Raises a UsageError unless the backend of the imported Keras is supported."""
    if backend not in BACKENDS:
        raise UsageError(
            f"Keras was imported with the backend '{backend}'; tfxfer supports "
            f"{' and '.join(repr(name) for name in BACKENDS)}. Set KERAS_BACKEND=tensorflow before "
            "anything imports Keras."
        )


def expand_variables() -> None:
    """Expands `~` in environment variables that Keras and TFDS would take literally.

    Without a home directory, TensorFlow's legacy Keras would create a directory named `~` unless
    KERAS_HOME is set. Call this in a process of one's own, before they are imported.
    """
    if home() is None:
        os.environ.setdefault("KERAS_HOME", str(_MAKESHIFT))
    for name in ("KERAS_HOME", "TFDS_DATA_DIR"):
        if os.environ.get(name):
            os.environ[name] = str(user_path(os.environ[name], f"The variable {name}"))


def weights_home() -> pathlib.Path:
    """Returns the directory in which Keras stores downloaded weights.

    KERAS_HOME if it is set, else ~/.keras; /tmp/.keras for users without a writable home directory.
    """
    named = os.environ.get("KERAS_HOME")
    if named:
        return user_path(named, "The variable KERAS_HOME")
    users = home()
    if users is not None and ((users / ".keras").is_dir() or os.access(users, os.W_OK)):
        return users / ".keras"
    return _MAKESHIFT


def _settings_file() -> pathlib.Path:
    """Returns the path of Keras' settings file, by Keras' own rule."""
    if "KERAS_HOME" in os.environ:
        folder = os.environ["KERAS_HOME"]
    else:
        users = os.path.expanduser("~")
        folder = os.path.join(users, ".keras") if os.access(users, os.W_OK) else str(_MAKESHIFT)
    return pathlib.Path(os.path.expanduser(os.path.join(folder, "keras.json")))


def _read(path: pathlib.Path) -> Mapping[str, Any]:
    """Returns the content of Keras' settings file; empty if Keras takes its defaults."""
    try:
        with path.open(encoding="utf-8") as file:
            settings = json.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        if not os.path.exists(path):  # in a folder without read permission
            return {}
        raise UsageError(
            f"Keras' settings in '{path}' cannot be read: {error.strerror}. Make the file "
            "readable, remove it, or set KERAS_HOME to another folder."
        ) from None
    except ValueError:
        warn_once(
            f"keras.json {path}",
            f"Keras' settings in '{path}' are not valid JSON; the defaults are used.",
        )
        return {}
    if not isinstance(settings, dict):
        raise UsageError(
            f"Keras' settings in '{path}' are a {type(settings).__name__}; they must be a JSON "
            'object such as {"backend": "tensorflow"}. Fix or remove the file.'
        )
    return settings


def _check_values(path: pathlib.Path, settings: Mapping[str, Any]) -> None:
    """Raises a UsageError for a value that makes importing Keras fail."""
    for name, allowed in _CHOICES.items():
        value = settings.get(name, allowed[0])
        if not isinstance(value, str) or value not in allowed:
            raise UsageError(
                f"Setting '{name}' in '{path}' is {value!r}; Keras allows "
                f"{', '.join(repr(word) for word in allowed)}.{did_you_mean(str(value), allowed)} "
                f"Change it there; tfxfer itself always uses '{allowed[0]}'."
            )
    epsilon = settings.get("epsilon", 1e-7)
    if not isinstance(epsilon, float):
        raise UsageError(
            f"Setting 'epsilon' in '{path}' is {epsilon!r}; Keras allows a number with a decimal "
            "point, such as 1e-07. Change it there."
        )


def _check_count(name: str) -> None:
    value = os.environ.get(name)
    if value is None:
        return
    try:
        int(value)
    except ValueError:
        raise UsageError(
            f"The variable {name} is '{value}'; Keras allows an integer. Unset it; tfxfer ignores "
            "it anyway."
        ) from None


def _check_backend(backend: Any, where: str, instead: str) -> None:
    if backend not in BACKENDS:
        allowed = " and ".join(repr(name) for name in BACKENDS)
        hint = did_you_mean(str(backend).lower(), BACKENDS)
        raise UsageError(f"{where} is {backend!r}; tfxfer supports {allowed}.{hint} {instead}")
    if backend == "jax" and importlib.util.find_spec("jax") is None:
        raise UsageError(
            f"{where} is 'jax', but JAX is not installed. Run `pip install 'tfxfer[jax]'`. "
            f"{instead}"
        )


def _check_nnx(path: pathlib.Path, settings: Mapping[str, Any]) -> None:
    """Raises a UsageError if Keras would import Flax, which is not installed."""
    variable = os.environ.get("KERAS_NNX_ENABLED")
    if variable is not None:
        wanted, where = variable.lower() in ("true", "1"), "The variable KERAS_NNX_ENABLED"
    else:
        wanted, where = bool(settings.get("nnx_enabled")), f"Setting 'nnx_enabled' in '{path}'"
    if wanted and importlib.util.find_spec("flax") is None:
        raise UsageError(
            f"{where} is on, but Flax is not installed. Turn it off; tfxfer does not use Flax."
        )
