"""Files that the user names: what keeps them from being written is found out before the work."""

import contextlib
import errno
import os
import pathlib
import tempfile
import threading
from collections.abc import Iterable

from tfxfer.errors import UsageError
from tfxfer.paths import user_path

# More than file systems keep in their tables of files: a full one has no room for it.
_TRIED_BYTES = 64 * 1024


def check_output(
    path: str | pathlib.Path, option: str = "", read: Iterable[str | pathlib.Path] = ()
) -> None:
    """Raises a UsageError unless a file that the user named can be written; it is not made.

    Args:
        path: The file.
        option: That names it, for the message, if it is known.
        read: What is read for it, and must stay.
    """
    reason = _why_not(os.fspath(path), read)
    if reason:
        what_next = f"Choose another file with {option}." if option else "Choose another file."
        raise UsageError(f"Cannot write '{path}': {reason}. {what_next}")


def why_unwritable(directory: pathlib.Path) -> str | None:
    """Returns why no file can be made in a directory, None where one can; nothing is left there."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(_TRIED_BYTES))
            file.flush()
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            return f"no permission to write in '{directory}'"
        return f"{error.strerror or error} in '{directory}'"
    return None


def is_stream(path: pathlib.Path) -> bool:
    """Tells whether a path is a device or a pipe: written to where it is, and never replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _why_not(name: str, read: Iterable[str | pathlib.Path]) -> str | None:
    """Returns why a file cannot be written, None where it can."""
    if not name or name == "-":
        return "it is not a file name"
    path = user_path(name)
    try:
        if path.is_dir() or name.endswith(os.sep):
            return "it is a directory"
        if is_stream(path):
            return None if os.access(path, os.W_OK) else "no permission to write to it"
        if path.exists() and any(same_file(path, other) for other in read):
            return "it is read for this, and would be lost"
        target = path.resolve()
        # The name under which it is made; see `run_directory.replacing`.
        os.stat(target.parent)
        with contextlib.suppress(FileNotFoundError):
            temporary = f".{os.getpid()}.{threading.get_ident()}.{target.name}"
            os.lstat(target.with_name(temporary))
    except FileNotFoundError:
        return f"there is no directory '{path.parent}'"
    except NotADirectoryError:
        return f"'{path.parent}' is not a directory"
    except (OSError, ValueError, RuntimeError) as error:  # too long; with a NUL; links in a circle
        return getattr(error, "strerror", None) or str(error)
    if not target.parent.is_dir():
        return f"'{target.parent}' is not a directory"
    return why_unwritable(target.parent)


def same_file(path: pathlib.Path, other: str | pathlib.Path) -> bool:
    """Tells whether two paths lead to one file, which is there."""
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):
        return False
