"""Resolves the paths in a run's settings, whatever the working directory.

Settings keep paths as the user typed them, often relative to the working directory. A run records
that directory, so its data and exports are found from anywhere. If a whole project was moved, the
location of the run tells where the rest of it is now.
"""

import dataclasses
import json
import os
import pathlib
from typing import Any

from tfxfer.config.paths import is_url
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import AnyConfig, FitConfig, RunConfig
from tfxfer.config.settings import setting_keys
from tfxfer.system.files import write_json
from tfxfer.system.run_layout import RunDirectory

# Settings that may be paths; `data`, `data_dir` and `weights` may also be names.
_DATA = ("data", "data_dir")

_KEYS = (*_DATA, "weights", "cache_dir", "export_dir")


def note_places(run: RunDirectory, config: RunConfig) -> None:
    """Records in the run what the relative paths of its settings are relative to.

    Args:
        run: The run.
        config: Settings of the run.
    """
    path = os.path.abspath(os.path.expanduser("".join(_as_path(config.data))))
    data = path if config.data and os.path.exists(path) else None
    content = {"working_directory": os.getcwd(), "data": data}
    write_json(run.places, content)


def run_settings(run: RunDirectory, kind: type[AnyConfig]) -> AnyConfig:
    """Reads the settings of a run, with paths that are valid in the working directory.

    Args:
        run: The run.
        kind: `FitConfig` or `PretrainConfig`.

    Raises:
        UsageError: The settings cannot be read.
    """
    return settings_from_here(run, read_recipe(run.config, kind()))


def settings_to_resume(run: RunDirectory, kind: type[AnyConfig]) -> AnyConfig:
    """Reads the settings that a run was started with, as `run_settings` reads those it has now.

    Raises:
        UsageError: The settings cannot be read.
    """
    return settings_from_here(run, read_recipe(run.to_resume, kind()))


def settings_from_here(run: RunDirectory, config: AnyConfig) -> AnyConfig:
    """Returns settings with paths that are valid in the working directory.

    Args:
        run: The run.
        config: Its settings, as they were typed.
    """
    changes: dict[str, Any] = {}
    for key in _keys(config):
        value = config.get(key)
        for base in _bases(run, config) if _is_relative(value) else ():
            path = base if key == "export_dir" else base / _as_path(value)[0]
            if path.exists():
                if not _is_same(base, pathlib.Path.cwd()):
                    changes[key] = str(base / value)
                break
    return dataclasses.replace(config, **changes)


def with_unchanged_places(ours: AnyConfig, run: RunDirectory, theirs: AnyConfig) -> AnyConfig:
    """Returns settings whose paths, if typed as in the run, point to the same place as there.

    Args:
        ours: Settings to resume the run with.
        run: The run.
        theirs: Settings of the run, from `run_settings`.
    """
    typed = read_recipe(run.config, type(theirs)())
    same = [key for key in _keys(ours) if ours.get(key) == typed.get(key)]
    return dataclasses.replace(ours, **{key: theirs.get(key) for key in same})


def absolute(config: AnyConfig) -> AnyConfig:
    """Returns settings whose existing paths are absolute."""
    changes = {}
    for key in _keys(config):
        value = config.get(key)
        if _is_relative(value) and (key == "export_dir" or os.path.exists(_as_path(value)[0])):
            changes[key] = os.path.abspath(value)
    return dataclasses.replace(config, **changes)


def missing_data(run: RunDirectory, config: RunConfig) -> list[str]:
    """Returns where the data of a run were searched, if they are missing.

    Args:
        run: The run.
        config: Settings of the run, from `run_settings`.

    Returns:
        Absolute paths; empty if the data exist, or are a name instead of a path.
    """
    places = data_places(run, config)
    recorded = _read(run).get("data")
    is_path = recorded is not None or os.sep in config.data or config.data[:1] in (".", "~")
    if not is_path or config.data.startswith("hf:") or is_url(config.data):
        return []
    found = os.path.expanduser("".join(_as_path(config.data)))
    return [] if os.path.exists(found) else places


def data_places(run: RunDirectory, config: RunConfig) -> list[str]:
    """Returns where the data of a run may be, most likely first, as absolute paths."""
    typed = read_recipe(run.config, type(config)())
    (path,) = _as_path(typed.data) or ("",)
    places = [os.path.expanduser(path)]
    if _is_relative(typed.data):
        places = [str(base / path) for base in _bases(run, typed)]
    recorded = _read(run).get("data")
    return list(dict.fromkeys(map(os.path.abspath, [*places, *([recorded] if recorded else [])])))


def is_relative(run: RunDirectory, key: str) -> bool:
    """Tells whether a setting of a run was typed as a relative path or a name."""
    return _is_relative(read_recipe(run.config, FitConfig()).get(key))


def _keys(config: RunConfig) -> list[str]:
    return [key for key in _KEYS if key in setting_keys(type(config))]


def _as_path(value: str | None) -> tuple[str, ...]:
    """Returns the path in the value of a setting, without its selection of splits."""
    if not value:
        return ()
    return (value,) if os.path.exists(value) else (value.partition("?")[0],)


def _is_relative(value: str | None) -> bool:
    text = value or ""
    return bool(text) and not (os.path.isabs(text) or is_url(text) or text.startswith(("~", "hf:")))


def _bases(run: RunDirectory, config: RunConfig) -> list[pathlib.Path]:
    """Returns the directories that paths may be relative to, most likely first.

    These are the project that contains the run, the directory in which the run was started, and the
    working directory.
    """
    bases = []
    here = run.path.resolve()
    below = pathlib.Path(config.runs_dir, run.path.resolve().name)
    if _is_relative(config.runs_dir) and here.parts[-len(below.parts) :] == below.parts:
        bases.append(here.parents[len(below.parts) - 1])
    started = _read(run).get("working_directory")
    if isinstance(started, str) and os.path.isdir(started):
        bases.append(pathlib.Path(started))
    bases.append(pathlib.Path.cwd())
    return list(dict.fromkeys(bases))


def _is_same(one: pathlib.Path, other: pathlib.Path) -> bool:
    return one.resolve() == other.resolve()


def _read(run: RunDirectory) -> dict[str, Any]:
    """Returns what `note_places` wrote; empty if it is missing or cannot be read."""
    try:
        content = json.loads(run.places.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
