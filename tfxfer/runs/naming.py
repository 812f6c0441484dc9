"""Names of runs."""

import itertools
import pathlib
from collections.abc import Callable

from tfxfer.config.paths import user_path
from tfxfer.errors import UsageError
from tfxfer.runs.lock import holder
from tfxfer.system.names import check_name
from tfxfer.system.run_layout import RunDirectory


def named_run(runs_dir: str, name: str) -> RunDirectory:
    """Returns the run that the user named: a new one, or an interrupted one.

    Args:
        runs_dir: Directory of the runs.
        name: Name of the run.

    Raises:
        UsageError: The name is invalid, or a finished run or another directory has it.
    """
    check_run_name(name)
    run = RunDirectory(pathlib.Path(runs_dir, name))
    if not run.is_new and not run.is_interrupted:
        raise UsageError(
            f"The run '{run.path}' already exists. Choose another --run, or remove it."
        )
    return run


def check_run_name(name: str) -> None:
    """Raises a UsageError unless a run may have this name."""
    check_name(name, "run", "--runs-dir")


def numbered_run(runs_dir: str, name: str, same: Callable[[RunDirectory], bool]) -> RunDirectory:
    """Returns the first of the runs `name`, `name-2`, ... that is new or can be resumed.

    Args:
        runs_dir: Directory of the runs.
        name: Default name of the run.
        same: Tells whether an interrupted run has the same settings.
    """
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    runs = (RunDirectory(pathlib.Path(runs_dir, candidate)) for candidate in names)
    return next(
        run
        for run in runs
        if (run.is_new and holder(run) is None) or (run.is_interrupted and same(run))
    )


def run_to_resume(path: str | pathlib.Path | RunDirectory) -> RunDirectory:
    """Returns the run to resume, finished or not.

    Args:
        path: The directory of the run; a `RunDirectory` is returned as it is.

    Raises:
        UsageError: The directory is not a run.
    """
    if isinstance(path, RunDirectory):
        return path
    run = RunDirectory(user_path(path))
    if run.path.name in ("", ".."):  # "." and ".." have no name of their own
        run = RunDirectory(run.path.resolve())
    if not run.config.is_file():
        raise UsageError(f"Cannot resume '{path}': it is not a run, it has no '{run.config.name}'.")
    return run
