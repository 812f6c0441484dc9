"""Recipes: settings in TOML files."""

import pathlib
import tomllib
from collections.abc import Mapping
from typing import Any

import tomli_w

from tfxfer.config.paths import user_path
from tfxfer.config.schema import AnyConfig, RunConfig
from tfxfer.config.settings import section_of, setting_field, setting_keys
from tfxfer.errors import UsageError

# The settings that change nothing of a run's result but its rounding.
_WITHOUT_INFLUENCE = ("run", "runs_dir", "checkpoint_minutes", "devices")


def read_recipe(path: str | pathlib.Path, base: AnyConfig) -> AnyConfig:
    """Returns the settings of `base` overridden by what a TOML recipe sets.

    Raises:
        UsageError: The file cannot be read, is not TOML, or has an unknown key or a wrong value.
    """
    path = user_path(path)
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UsageError(f"There is no recipe '{path}'.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Cannot read the recipe '{path}': {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The recipe '{path}' is not valid TOML: {error}.") from None
    return base.with_settings(settings, origin=str(path))


def differing_setting(theirs: RunConfig, ours: RunConfig) -> str | None:
    """Returns the key of the first setting in which two runs differ, or None.

    Settings without influence on the result are ignored: the place of the run, how often
    checkpoints are saved, and how many devices divide a batch (which changes rounding alone).
    """
    for key in setting_keys(type(theirs)):
        if key not in _WITHOUT_INFLUENCE and theirs.get(key) != ours.get(key):
            return key
    return None


def setting_changes(theirs: RunConfig, ours: RunConfig) -> dict[str, Any]:
    """Returns our settings that differ from theirs, by their dotted keys."""
    keys = setting_keys(type(theirs))
    return {key: ours.get(key) for key in keys if theirs.get(key) != ours.get(key)}


def changed_settings(config: RunConfig) -> dict[str, Any]:
    """Returns the settings that differ from their default, by their dotted keys."""
    kind = type(config)
    return {
        key: config.get(key)
        for key in setting_keys(kind)
        if config.get(key) != setting_field(kind, key).default
    }


def to_toml(config: RunConfig) -> str:
    """Returns the settings as a recipe, which `read_recipe` reads back to an equal record.

    Open settings are left out, as TOML has no null.
    """
    return _as_toml({key: config.get(key) for key in setting_keys(type(config))})


def changed_to_toml(config: RunConfig) -> str:
    """Returns the settings that differ from their default as a recipe."""
    return _as_toml(changed_settings(config))


def _as_toml(settings: Mapping[str, Any]) -> str:
    """Returns settings, by their dotted keys, as TOML without the open ones."""
    table: dict[str, Any] = {}
    for key, value in settings.items():
        section, name = section_of(table, key)
        if value is not None:
            section[name] = value
    return tomli_w.dumps(table)
