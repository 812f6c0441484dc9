"""The options of the commands that take settings."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import AnyConfig, RunConfig
from tfxfer.config.settings import (
    option_of,
    setting_field,
    setting_keys,
    setting_meaning,
    setting_types,
)
from tfxfer.planning.preflight import check_settings
from tfxfer.system.run_layout import RunDirectory

# TensorFlow takes seconds to import, so the verbs that need it are imported inside the commands.

Command = TypeVar("Command", bound=Callable[..., Any])

OTHER_DATA = "A data set, as for fit, or where the run's own was moved to  [default: the run's own]"


def settings_of(record: type[RunConfig]) -> Callable[[Command], Command]:
    """Returns what gives a command an option for each setting of a record, and for a recipe."""

    def decorate(command: Command) -> Command:
        for key in reversed(list(setting_keys(record))):
            command = _option(record, key)(command)
        return click.option(
            "--config",
            "recipe",
            metavar="FILE",
            help="A recipe (TOML); options on the command line win over it.",
        )(command)

    return decorate


def _option(record: type[RunConfig], key: str) -> Callable[[Command], Command]:
    """Returns an option with the type and default of its field; `head.epochs` is --head-epochs."""
    (kind, *_) = allowed = setting_types(record, key)
    field = setting_field(record, key)
    default, short = field.default, field.metadata["short"]
    several = default == ()
    names = [option_of(key)]
    names += [short] if short else []
    shown = "" if default in (None, "", ()) or default is False else f"  [default: {default}]"
    return click.option(
        *names,
        type=click.Choice(allowed) if isinstance(kind, str) else int if several else kind,
        is_flag=default is False,
        multiple=several,
        default=None,
        expose_value=False,
        callback=functools.partial(_collect, key),
        help=setting_meaning(record, key) + shown,
    )


def _collect(key: str, context: click.Context, _: click.Parameter, value: Any) -> None:
    """Keeps a value that the user gave, nested as in a recipe, for the command to read."""
    if value is None or value == ():
        return
    settings = context.ensure_object(dict)
    *sections, name = key.split(".")
    for section in sections:
        settings = settings.setdefault(section, {})
    settings[name] = list(value) if isinstance(value, tuple) else value


def with_settings(
    context: click.Context, recipe: str | None, defaults: AnyConfig, run: RunDirectory | None
) -> AnyConfig:
    """Returns the settings a command is to work with: defaults < recipe < command line, checked.

    Where a run is to be gone on with, its settings are the defaults, and the verb checks all of
    them: what they name may lie elsewhere than they say.
    """
    if run is not None:
        defaults = read_recipe(run.config, defaults)
    config = read_recipe(recipe, defaults) if recipe else defaults
    config = config.with_settings(context.ensure_object(dict))
    if run is None:
        # Before TensorFlow is imported; the verb, which scripts call too, looks for itself.
        check_settings(config)
    return config
