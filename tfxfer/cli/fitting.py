"""The commands that train: `fit` and `pretrain`."""

import contextlib
import shutil
import sys
from collections.abc import Iterator

import click

from tfxfer.cli.formatting import Command, Option
from tfxfer.cli.options import (
    HEADINGS,
    advanced,
    asked_processes,
    of_several_processes,
    settings_of,
    with_settings,
)
from tfxfer.cli.quiet import quiet_import, quiet_libraries
from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.errors import UsageError
from tfxfer.runs.naming import run_to_resume
from tfxfer.system import streams
from tfxfer.system.processes.asked import Processes
from tfxfer.system.tables import wrapped
from tfxfer.system.timing.timeline import recording, span

_RESUME = "Resume an interrupted run with its own settings. If its data were moved, add --data."

_DRY_RUN = "Show the plan with all settings, then stop."

_profile_option = click.option(
    "--profile",
    cls=Option,
    metavar="FILE",
    heading=advanced("Performance"),
    help="Write a timeline to FILE, for https://ui.perfetto.dev, and print where the time goes.",
)


def _say(text: str) -> None:
    """Prints lines, broken between words or columns to fit a terminal."""
    if streams.is_terminal(sys.stdout):
        text = wrapped(text, shutil.get_terminal_size().columns)
    streams.say(text)


@contextlib.contextmanager
def _profiled(file: str | None) -> Iterator[None]:
    """Records a timeline, if there is a file for it, and prints it as a table."""
    if file is None:
        yield
        return
    with recording(file) as timeline:
        yield
    streams.say(f"\n{timeline.describe()}\n\nTimeline: {file} (open it at https://ui.perfetto.dev)")


@contextlib.contextmanager
def _together(processes: Processes | None, dry_run: bool) -> Iterator[None]:
    """Joins the processes that run this command; a dry run need not, if it is told how many."""
    if processes is None:
        yield
        return
    from tfxfer.system.processes.joining import check_backend, joined
    from tfxfer.system.processes.team import Team, belonging_to

    if dry_run and processes.count is not None:
        check_backend()
        with belonging_to(Team(0, processes.count)):
            yield
        return
    with quiet_libraries(), joined(processes):
        yield


@click.command(
    cls=Command,
    headings=HEADINGS,
    examples=(
        "tfxfer fit --data photos --backbone mobilenetv2 --dry-run",
        "tfxfer fit --data photos --backbone mobilenetv2 --run first",
    ),
)
@settings_of(FitConfig)
@of_several_processes
@click.option("--resume", cls=Option, metavar="RUN", help=_RESUME)
@click.option("--dry-run", cls=Option, is_flag=True, help=_DRY_RUN)
@_profile_option
@click.pass_context
def fit(
    context: click.Context,
    recipe: str | None,
    resume: str | None,
    dry_run: bool,
    profile: str | None,
) -> None:
    """Train a classifier on a pretrained backbone and export it.

    Settings with "default: from the data" are chosen from the data and the backbone; --dry-run
    shows them. To resume an interrupted run, repeat its command.
    """
    processes = asked_processes(context)
    if processes is not None and profile is not None:
        raise UsageError("--profile records a process that trains alone, without --distributed.")
    run = None if resume is None else run_to_resume(resume)
    config = with_settings(context, recipe, FitConfig(), run)
    with _profiled(profile):
        with span("import"), quiet_import():
            from tfxfer.api import fit as fitting
        with _together(processes, dry_run):
            if dry_run:
                _say(fitting.describe_plan(config, resume=run))
            else:
                fitting.fit(config, resume=run, say=_say)
                streams.check_printed()


@click.command(
    cls=Command,
    headings=HEADINGS,
    examples=(
        "tfxfer pretrain --data photos --backbone resnet10_small --dry-run",
        "tfxfer pretrain --data photos --backbone resnet10_small --epochs 30",
    ),
)
@settings_of(PretrainConfig)
@click.option("--resume", cls=Option, metavar="RUN", help=_RESUME)
@click.option("--dry-run", cls=Option, is_flag=True, help=_DRY_RUN)
@_profile_option
@click.pass_context
def pretrain(
    context: click.Context,
    recipe: str | None,
    resume: str | None,
    dry_run: bool,
    profile: str | None,
) -> None:
    """Train a backbone from scratch, for use with fit --weights.

    `tfxfer fit --weights RUN/backbone.keras` then starts from it, with the same --backbone.

    Settings with "default: from the data" are chosen from the data and the backbone; --dry-run
    shows them. To resume an interrupted run, repeat its command.
    """
    run = None if resume is None else run_to_resume(resume)
    config = with_settings(context, recipe, PretrainConfig(), run)
    with _profiled(profile):
        with span("import"), quiet_import():
            from tfxfer.api import pretrain as pretraining
        if dry_run:
            _say(pretraining.describe_plan(config, resume=run))
        else:
            pretraining.pretrain(config, resume=run, say=_say)
            streams.check_printed()
