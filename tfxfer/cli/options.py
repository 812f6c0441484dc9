"""The options of the commands that take settings."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from tfxfer.api.modality import check_asked
from tfxfer.cli.formatting import COMMON, Option
from tfxfer.config.frame import AnySize, as_size, sides
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import GROUPS, AnyConfig, RunConfig
from tfxfer.config.settings import (
    option_of,
    section_of,
    setting_field,
    setting_group,
    setting_keys,
    setting_meaning,
    setting_types,
)
from tfxfer.errors import UsageError
from tfxfer.system.processes.asked import WAIT_SECONDS, Processes
from tfxfer.system.run_layout import RunDirectory

# TensorFlow takes seconds to import, so commands import the verbs that need it inside.

Command = TypeVar("Command", bound=Callable[..., Any])

OTHER_DATA = (
    "Another dataset, as for fit, or the new location of the run's data.  [default: the run's data]"
)

CONFIG_FILE = "Recipe (TOML file) with settings. Command-line options override it."

JSON_HELP = "Also write the result as JSON to FILE; with '-', print only the JSON."

# For commands that take models.
batch_size_option = click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Images per batch.",
)


def advanced(group: str) -> str:
    """Returns the heading of a group of settings that few people need."""
    return f"{group} (advanced)"


# The options for several processes: placeholder, type and help.
_PROCESSES: dict[str, tuple[str | None, type, str]] = {
    "distributed": (
        None,
        bool,
        "Train with other processes that run the same command, with KERAS_BACKEND=jax: on the "
        "nodes of a SLURM, Open MPI or Kubernetes job, or as the next options say.",
    ),
    "coordinator": ("HOST:PORT", str, "Where the first process waits for the others."),
    "process-id": ("N", int, "Number of this process, from 0."),
    "num-processes": ("N", int, "How many processes train together."),
    "coordinator-seconds": (
        "N",
        int,
        f"How long to wait for all of them to start.  [default: {WAIT_SECONDS}]",
    ),
}
_PROCESSES_META = "tfxfer.processes."

# For commands that take settings.
HEADINGS = (COMMON, *map(advanced, GROUPS))


class _Size(click.ParamType[Any]):
    """The type of options that are sizes."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> AnySize:
        """Returns the size."""
        size = as_size(value)
        try:
            sides(size)
        except (ValueError, AttributeError):
            self.fail(
                f"{value!r} is neither the side of a square, such as 224, nor height x width, such "
                "as 224x320.",
                param,
                ctx,
            )
        found: AnySize = size
        return found


def setting_help(record: type[RunConfig], key: str) -> str:
    """Returns the help of a setting's option: what it does, and its default."""
    field = setting_field(record, key)
    default = field.default
    if default is None:
        default = field.metadata["unset"] or "from the data"
    elif default is True:
        default = "true"
    shown = "" if default in ("", ()) or default is False else f"  [default: {default}]"
    return setting_meaning(record, key) + shown


def settings_of(record: type[RunConfig]) -> Callable[[Command], Command]:
    """Returns a decorator that adds `--config` and an option for each setting of a record."""

    def decorate(command: Command) -> Command:
        command = options_of(record, list(setting_keys(record)))(command)
        return click.option("--config", "recipe", cls=Option, metavar="FILE", help=CONFIG_FILE)(
            command
        )

    return decorate


def options_of(record: type[RunConfig], keys: Sequence[str]) -> Callable[[Command], Command]:
    """Returns a decorator that adds an option for each of some settings of a record."""

    def decorate(command: Command) -> Command:
        ordered = sorted(keys, key=lambda key: GROUPS.index(setting_group(record, key)))
        for key in reversed(ordered):
            command = _option(record, key)(command)
        return command

    return decorate


def _option(record: type[RunConfig], key: str) -> Callable[[Command], Command]:
    """Returns an option with the type and default of its field; `head.epochs` is --head-epochs."""
    allowed = setting_types(record, key)
    field = setting_field(record, key)
    several = field.default == ()
    names = [option_of(key)]
    if field.metadata["short"]:
        names.insert(0, field.metadata["short"])
    heading = COMMON if field.metadata["common"] else advanced(setting_group(record, key))
    return click.option(
        *names,
        cls=Option,
        heading=heading,
        type=_type_of(field, allowed),
        is_flag=field.default is False,
        multiple=several,
        default=None,
        expose_value=False,
        callback=functools.partial(_collect, key),
        help=setting_help(record, key),
    )


def _type_of(field: dataclasses.Field[Any], allowed: tuple[Any, ...]) -> Any:
    """Returns the type of an option: that of a field, or the values that it may have."""
    if field.metadata["is_size"]:
        return _Size()
    if isinstance(allowed[0], str):
        return click.Choice(allowed)
    return int if field.default == () else allowed[0]


def _collect(key: str, context: click.Context, _: click.Parameter, value: Any) -> None:
    """Keeps a value that the user gave, nested as in a recipe, in the context of the command."""
    if value is None or value == ():
        return
    section, name = section_of(context.ensure_object(dict), key)
    section[name] = list(value) if isinstance(value, tuple) else value


def of_several_processes(command: Command) -> Command:
    """Adds the options for a command that several processes run together."""
    for name, (metavar, kind, meaning) in reversed(_PROCESSES.items()):
        command = click.option(
            f"--{name}",
            cls=Option,
            heading=advanced("Performance"),
            metavar=metavar,
            type=kind,
            is_flag=kind is bool,
            default=None,
            expose_value=False,
            callback=_keep,
            help=meaning,
        )(command)
    return command


def _keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    if value is not None:
        context.meta[f"{_PROCESSES_META}{option.name}"] = value


def asked_processes(context: click.Context) -> Processes | None:
    """Returns the processes that run a command together; None for one that runs alone.

    Raises:
        UsageError: What the options say is impossible.
    """
    names = {f"{_PROCESSES_META}{name.replace('-', '_')}": f"--{name}" for name in _PROCESSES}
    given = {option: context.meta[key] for key, option in names.items() if key in context.meta}
    if given.pop("--distributed", False):
        return Processes(
            given.get("--coordinator"),
            given.get("--process-id"),
            given.get("--num-processes"),
            given.get("--coordinator-seconds", WAIT_SECONDS),
        )
    if given:
        raise UsageError(f"{next(iter(given))} is for several processes: add --distributed.")
    return None


def with_settings(
    context: click.Context, recipe: str | None, defaults: AnyConfig, run: RunDirectory | None
) -> AnyConfig:
    """Returns the settings of a command, checked: defaults < recipe < command-line options.

    To resume a run, its settings are the defaults. The verb then checks them, because files that
    they name may have been moved.
    """
    if run is not None:
        defaults = read_recipe(run.to_resume, defaults)
    config = read_recipe(recipe, defaults) if recipe else defaults
    config = config.with_settings(context.ensure_object(dict))
    if run is None:
        # Before the slow import of TensorFlow. The verb checks again, as scripts call it too.
        check_asked(config)
    return config
