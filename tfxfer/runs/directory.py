"""Creates and opens the directory of a run."""

import pathlib

from tfxfer.config.paths import user_path
from tfxfer.errors import RunError, UsageError
from tfxfer.runs.class_names import write_class_names
from tfxfer.system.files import replacing
from tfxfer.system.run_layout import RunDirectory


def start_run(
    run: RunDirectory, settings: str, class_names: tuple[str, ...], asked: str | None = None
) -> None:
    """Creates the directory of a run and writes its settings and class names.

    Args:
        run: The run.
        settings: The decided settings as TOML.
        class_names: The class names, in the order of the model's outputs.
        asked: The settings that the user gave, as TOML; not overwritten when a run is resumed.

    Raises:
        RunError: The directory cannot be created or written.
    """
    try:
        run.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"Cannot create the run directory '{run.path}': {error.strerror}."
        ) from error
    if asked is not None and not run.asked.is_file():
        with replacing(run.asked) as temporary:
            temporary.write_text(asked, encoding="utf-8")
    with replacing(run.config) as temporary:
        temporary.write_text(settings, encoding="utf-8")
    write_class_names(run.classes, class_names)


def replace_settings(run: RunDirectory, settings: str) -> None:
    """Replaces the settings of an interrupted run by those that it is finished with.

    Those that it was started with are kept until it is finished, so that it can be resumed.

    Args:
        run: The run; it may have no checkpoint yet.
        settings: The new settings as TOML.

    Raises:
        RunError: A file cannot be written.
    """
    started = run.to_resume.read_text(encoding="utf-8")
    try:
        run.checkpoints.mkdir(exist_ok=True)
    except OSError as error:
        raise RunError(f"Cannot create '{run.checkpoints}': {error.strerror}.") from error
    for path, text in ((run.started, started), (run.config, settings)):
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def open_run(path: str | pathlib.Path) -> RunDirectory:
    """Returns a run whose training is finished.

    Args:
        path: The directory of the run.

    Raises:
        UsageError: The directory is not a run, or its training did not finish.
    """
    run = RunDirectory(user_path(path))
    if not run.config.is_file():
        raise UsageError(f"'{path}' is not a run: it has no '{run.config.name}'.")
    if not run.model.is_file():
        if run.metrics.is_file() and run.out_of_fold.is_file():
            raise UsageError(
                f"The run '{path}' has no '{run.model.name}': of a fit within --folds only the "
                f"predictions are kept. Name '{run.path.parent}', which has the final model."
            )
        raise UsageError(f"The run '{path}' did not finish: it has no '{run.model.name}'.")
    return run
