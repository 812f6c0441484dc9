"""Where everything of a run lies, and how files get there whole."""

import pathlib

from tfxfer.config.paths import user_path
from tfxfer.errors import RunError, UsageError
from tfxfer.runs.class_names import write_class_names
from tfxfer.system.files import replacing
from tfxfer.system.run_layout import RunDirectory


def start_run(
    run: RunDirectory, settings: str, class_names: tuple[str, ...], asked: str | None = None
) -> None:
    """Makes the directory of a run with its settings, a TOML text, and its class names.

    What was asked for, another TOML text, stays what it was where the run was begun before.

    Raises:
        RunError: It cannot be made.
    """
    try:
        run.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"Cannot make the run '{run.path}': {error.strerror}.") from error
    if asked is not None and not run.asked.is_file():
        with replacing(run.asked) as temporary:
            temporary.write_text(asked, encoding="utf-8")
    with replacing(run.config) as temporary:
        temporary.write_text(settings, encoding="utf-8")
    write_class_names(run.classes, class_names)


def open_run(path: str | pathlib.Path) -> RunDirectory:
    """Returns a finished run.

    Raises:
        UsageError: The directory is no run, or its fit did not come to an end.
    """
    run = RunDirectory(user_path(path))
    if not run.config.is_file():
        raise UsageError(f"'{path}' is not a run: it has no '{run.config.name}'.")
    if not run.model.is_file():
        raise UsageError(f"The run '{path}' did not finish: it has no '{run.model.name}'.")
    return run
