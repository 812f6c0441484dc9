"""What Keras reads while it is imported, its variables and its keras.json, looked at beforehand.

Most of it is set aside while tfxfer works (`isolation`). What Keras itself refuses, and a backend
that does not do, which cannot be changed afterwards, end in one line that names the file or the
variable.
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

# What keras.json may say, as Keras 3.15 has it.
_CHOICES = {
    "floatx": ("float32", "float16", "float64"),
    "image_data_format": ("channels_last", "channels_first"),
}

# Where Keras keeps its files for a user whose home directory cannot be written.
_MAKESHIFT = pathlib.Path("/tmp/.keras")

_COUNTS = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")


def check_keras() -> None:
    """Raises a UsageError where Keras cannot be imported, or has a backend that does not do."""
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
    """Raises a UsageError unless tfxfer works with the backend that Keras was imported with."""
    if backend not in BACKENDS:
        raise UsageError(
            f"Keras was imported with the backend '{backend}'; tfxfer works with "
            f"{' and '.join(repr(name) for name in BACKENDS)}. Set KERAS_BACKEND=tensorflow before "
            "anything imports Keras."
        )


def expand_variables() -> None:
    """Expands `~` in the variables that Keras and TFDS would take literally.

    Where the user has no home directory TensorFlow's old Keras would make a directory that is
    called `~`, unless it is given another.

    For a process of one's own, before they are imported.
    """
    if home() is None:
        os.environ.setdefault("KERAS_HOME", str(_MAKESHIFT))
    for name in ("KERAS_HOME", "TFDS_DATA_DIR"):
        if os.environ.get(name):
            os.environ[name] = str(user_path(os.environ[name], f"The variable {name}"))


def weights_home() -> pathlib.Path:
    """Returns the directory below which Keras keeps published weights.

    It is KERAS_HOME, else ~/.keras; where the user has no home directory that can be written,
    Keras' own makeshift, /tmp/.keras.
    """
    named = os.environ.get("KERAS_HOME")
    if named:
        return user_path(named, "The variable KERAS_HOME")
    users = home()
    if users is not None and ((users / ".keras").is_dir() or os.access(users, os.W_OK)):
        return users / ".keras"
    return _MAKESHIFT


def _settings_file() -> pathlib.Path:
    """Returns where Keras looks for its settings, by the rule that it has."""
    if "KERAS_HOME" in os.environ:
        folder = os.environ["KERAS_HOME"]
    else:
        users = os.path.expanduser("~")
        folder = os.path.join(users, ".keras") if os.access(users, os.W_OK) else str(_MAKESHIFT)
    return pathlib.Path(os.path.expanduser(os.path.join(folder, "keras.json")))


def _read(path: pathlib.Path) -> Mapping[str, Any]:
    """Returns what Keras' file of settings says, nothing where Keras takes its defaults."""
    try:
        with path.open(encoding="utf-8") as file:
            settings = json.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        if not os.path.exists(path):  # in a folder that may not be looked into
            return {}
        raise UsageError(
            f"Keras' settings in '{path}' cannot be read: {error.strerror}. Make it a file that "
            "you can read, remove it, or set KERAS_HOME to another folder."
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
            'object such as {"backend": "tensorflow"}. Mend or remove the file.'
        )
    return settings


def _check_values(path: pathlib.Path, settings: Mapping[str, Any]) -> None:
    """Raises a UsageError for a value at which importing Keras fails."""
    for name, allowed in _CHOICES.items():
        value = settings.get(name, allowed[0])
        if not isinstance(value, str) or value not in allowed:
            raise UsageError(
                f"Setting '{name}' in '{path}' is {value!r}; Keras allows "
                f"{', '.join(repr(word) for word in allowed)}.{did_you_mean(str(value), allowed)} "
                f"Change it there; tfxfer itself works with '{allowed[0]}' in any case."
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
            f"The variable {name} is '{value}'; Keras allows a whole number. Unset it; tfxfer does "
            "not go by it in any case."
        ) from None


def _check_backend(backend: Any, where: str, instead: str) -> None:
    if backend not in BACKENDS:
        allowed = " and ".join(repr(name) for name in BACKENDS)
        hint = did_you_mean(str(backend).lower(), BACKENDS)
        raise UsageError(f"{where} is {backend!r}; tfxfer works with {allowed}.{hint} {instead}")
    if backend == "jax" and importlib.util.find_spec("jax") is None:
        raise UsageError(
            f"{where} is 'jax', but JAX is not installed. Run `pip install 'tfxfer[jax]'`. "
            f"{instead}"
        )


def _check_nnx(path: pathlib.Path, settings: Mapping[str, Any]) -> None:
    """Raises a UsageError where Keras would look for Flax while it is imported, and not find it."""
    variable = os.environ.get("KERAS_NNX_ENABLED")
    if variable is not None:
        wanted, where = variable.lower() in ("true", "1"), "The variable KERAS_NNX_ENABLED"
    else:
        wanted, where = bool(settings.get("nnx_enabled")), f"Setting 'nnx_enabled' in '{path}'"
    if wanted and importlib.util.find_spec("flax") is None:
        raise UsageError(
            f"{where} is on, but Flax is not installed, and tfxfer has no use for it. Turn it off."
        )
