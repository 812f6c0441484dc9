"""Where the paths in a run's settings lead, whatever directory it is asked about from.

Settings keep paths as the user typed them, often relative to the directory of that day. A run
remembers that directory, so that its data and its exports are found from anywhere; and where a
whole project was moved, the run's own place tells where the rest of it is now.
"""

import dataclasses
import json
import os
import pathlib
from typing import Any

from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import AnyConfig, FitConfig, RunConfig
from tfxfer.config.settings import setting_keys
from tfxfer.system.files import write_json
from tfxfer.system.run_layout import RunDirectory

# Settings that may be paths; the first two, and the weights, may be names of something else, too.
_DATA = ("data", "data_dir")

_KEYS = (*_DATA, "weights", "cache_dir", "export_dir")


def note_places(run: RunDirectory, config: RunConfig) -> None:
    """Writes down, in the run, what the relative paths of its settings are relative to."""
    path = os.path.abspath(os.path.expanduser("".join(_as_path(config.data))))
    data = path if config.data and os.path.exists(path) else None
    content = {"working_directory": os.getcwd(), "data": data}
    write_json(run.places, content)


def run_settings(run: RunDirectory, kind: type[AnyConfig]) -> AnyConfig:
    """Returns the settings of a run, with paths that lead there from the working directory.

    Raises:
        UsageError: The settings cannot be read.
    """
    return settings_from_here(run, read_recipe(run.config, kind()))


def settings_from_here(run: RunDirectory, config: AnyConfig) -> AnyConfig:
    """Returns settings of a run likewise, given as they were typed."""
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
    """Returns settings in which a path that is typed as in the run means what it means there.

    Args:
        ours: Settings to resume the run with.
        run: Where it lies.
        theirs: Its settings, of `run_settings`.
    """
    typed = read_recipe(run.config, type(theirs)())
    same = [key for key in _keys(ours) if ours.get(key) == typed.get(key)]
    return dataclasses.replace(ours, **{key: theirs.get(key) for key in same})


def absolute(config: AnyConfig) -> AnyConfig:
    """Returns settings whose paths are absolute, as far as there is something at them."""
    changes = {}
    for key in _keys(config):
        value = config.get(key)
        if _is_relative(value) and (key == "export_dir" or os.path.exists(_as_path(value)[0])):
            changes[key] = os.path.abspath(value)
    return dataclasses.replace(config, **changes)


def missing_data(run: RunDirectory, config: RunConfig) -> list[str]:
    """Returns the places where the data of a run were looked for in vain; none where they are.

    None, too, where they have a name instead of a place.

    Args:
        run: Where it lies.
        config: Its settings, of `run_settings`.
    """
    places = data_places(run, config)
    recorded = _read(run).get("data")
    is_path = recorded is not None or os.sep in config.data or config.data[:1] in (".", "~")
    if not is_path or config.data.startswith("hf:"):
        return []
    found = os.path.expanduser("".join(_as_path(config.data)))
    return [] if os.path.exists(found) else places


def data_places(run: RunDirectory, config: RunConfig) -> list[str]:
    """Returns where the data of a run may lie, the likeliest first, as absolute paths."""
    typed = read_recipe(run.config, type(config)())
    (path,) = _as_path(typed.data) or ("",)
    places = [os.path.expanduser(path)]
    if _is_relative(typed.data):
        places = [str(base / path) for base in _bases(run, typed)]
    recorded = _read(run).get("data")
    return list(dict.fromkeys(map(os.path.abspath, [*places, *([recorded] if recorded else [])])))


def is_relative(run: RunDirectory, key: str) -> bool:
    """Tells whether a setting of a run was typed as a relative path, or as a name."""
    return _is_relative(read_recipe(run.config, FitConfig()).get(key))


def _keys(config: RunConfig) -> list[str]:
    return [key for key in _KEYS if key in setting_keys(type(config))]


def _as_path(value: str | None) -> tuple[str, ...]:
    """Returns the path in the value of a setting, without what says which splits are meant."""
    if not value:
        return ()
    return (value,) if os.path.exists(value) else (value.partition("?")[0],)


def _is_relative(value: str | None) -> bool:
    return bool(value) and not os.path.isabs(str(value)) and not str(value).startswith(("~", "hf:"))


def _bases(run: RunDirectory, config: RunConfig) -> list[pathlib.Path]:
    """Returns the directories that relative paths may be meant from, the likeliest first.

    These are the directory of the project that the run lies in now, that in which it was started,
    and the working directory.
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
    """Returns what `note_places` wrote; nothing where it did not, or cannot be read."""
    try:
        content = json.loads(run.places.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
