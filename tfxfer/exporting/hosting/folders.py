"""Folders that are written whole or not at all."""

import contextlib
import pathlib
import shutil
from collections.abc import Iterator

from tfxfer.config.paths import user_path
from tfxfer.errors import ExportError, UsageError
from tfxfer.system.files import check_writable, temporary_beside
from tfxfer.system.run_layout import EXTRA_FOLDER


def check_new(directory: str | pathlib.Path, option: str) -> pathlib.Path:
    """Returns the path of a folder that can be created.

    Args:
        directory: The folder; it may exist if it is empty.
        option: The setting that names it, for the message.

    Raises:
        UsageError: It has files, or it cannot be created.
    """
    path = user_path(directory).absolute()
    check_writable(path, option)
    if path.is_dir() and any(path.iterdir()):
        raise UsageError(
            f"'{directory}' is not empty, and nothing in it is overwritten. Choose a new folder "
            f"for --{option}, or remove it."
        )
    return path


@contextlib.contextmanager
def new_folder(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty folder that has the name `path` once it is complete.

    Args:
        path: As `check_new` returned it.

    Raises:
        ExportError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(path)
        temporary.mkdir()
        try:
            yield temporary
            temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise ExportError(f"Cannot write '{path}': {error.strerror or error}.") from error


def copy_model(version: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a SavedModel without its requests, which have examples of the user's data.

    Args:
        version: The directory of a published version.
        target: Directory to create.
    """
    shutil.copytree(version, target, ignore=shutil.ignore_patterns(EXTRA_FOLDER))
