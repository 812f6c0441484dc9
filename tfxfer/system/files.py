"""Atomic writes: a file is written completely or not at all."""

import contextlib
import errno
import json
import os
import pathlib
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from tfxfer.config.paths import is_url, user_path
from tfxfer.config.settings import option_of
from tfxfer.errors import RunError, UsageError
from tfxfer.system.notices import warn_once

# The start of a file, which is binary if it has control characters that no text has.
_LOOKED_AT_BYTES = 4096
_NO_TEXT = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")

# More than file systems store inline: on a full disk, writing this fails.
_TRIED_BYTES = 64 * 1024
_NO_URL = "it is a URL, and results are written to a file system"
_ABANDONED_SECONDS = 24 * 3600

# Errors of `fsync` that mean lost data. Any other error means that the file system does not support
# it, as many do not for directories, such as network shares and FUSE.
_LOST = (errno.EIO, errno.ENOSPC, errno.EDQUOT)


def check_output(
    path: str | pathlib.Path,
    option: str = "",
    read: Iterable[str | pathlib.Path] = (),
    kind: Literal["text", "parquet"] | None = None,
) -> None:
    """Checks that an output file can be written, without creating it.

    Args:
        path: The file.
        option: Option that names it, for the message, if known.
        read: Input files, which must not be overwritten.
        kind: Kind of the output. An existing file of another kind, such as an image or a model, was
            probably named by mistake and must not be overwritten; None allows any.

    Raises:
        UsageError: The file cannot be written, or would overwrite something else.
    """
    reason = _why_not(os.fspath(path), read)
    reason = _NO_URL if is_url(os.fspath(path)) else reason
    if reason is None and kind is not None:
        reason = _why_not_replaced(user_path(path), kind)
    if reason:
        what_next = f"Choose another file with {option}." if option else "Choose another file."
        raise UsageError(f"Cannot write '{path}': {reason}. {what_next}")


def why_unwritable(directory: pathlib.Path) -> str | None:
    """Returns why no file can be created in a directory, or None; leaves nothing behind."""
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
    """Tells whether a path is a device or a pipe, which is written to and never replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _why_not(name: str, read: Iterable[str | pathlib.Path]) -> str | None:
    """Returns why a file cannot be written, or None."""
    if not name or name == "-":
        return "it is not a file name"
    path = user_path(name)
    try:
        if path.is_dir() or name.endswith(os.sep):
            return "it is a directory"
        if is_stream(path):
            return None if os.access(path, os.W_OK) else "no permission to write to it"
        if path.exists() and any(same_file(path, other) for other in read):
            return "it is an input file and would be overwritten"
        target = _target(path)
        # The temporary name; see `replacing`.
        os.stat(target.parent)
        with contextlib.suppress(FileNotFoundError):
            os.lstat(temporary_beside(target))
    except FileNotFoundError:
        return f"there is no directory '{_target(path).parent}'"
    except NotADirectoryError:
        return f"'{path.parent}' is not a directory"
    except (OSError, ValueError, RuntimeError) as error:  # too long; with a NUL; circular links
        return getattr(error, "strerror", None) or str(error)
    if not target.parent.is_dir():
        return f"'{target.parent}' is not a directory"
    return why_unwritable(target.parent)


def _target(path: pathlib.Path) -> pathlib.Path:
    """Returns the target of a symbolic link, or the path itself."""
    return path.resolve() if path.is_symlink() else path


def _why_not_replaced(path: pathlib.Path, kind: Literal["text", "parquet"]) -> str | None:
    """Returns why an existing file must not be overwritten, or None."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            start = file.read(_LOOKED_AT_BYTES)
    except OSError:
        return None  # a file that cannot be read may still be replaced
    is_such = {"parquet": start.startswith(b"PAR1"), "text": not _NO_TEXT.search(start)}
    if is_such[kind] or not start:
        return None
    name = {"parquet": "Parquet", "text": "text"}[kind]
    return f"it exists, is not a {name} file, and would be overwritten"


def same_file(path: pathlib.Path, other: str | pathlib.Path) -> bool:
    """Tells whether two paths lead to the same existing file."""
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):
        return False


def check_writable(directory: str | pathlib.Path, setting: str) -> None:
    """Checks that files can be created in a directory, which need not exist yet.

    Args:
        directory: The output directory.
        setting: The setting that names it, for the message.

    Raises:
        UsageError: The directory is not writable.
    """
    path = user_path(directory).absolute()
    try:
        path.is_dir()
        existing = next(parent for parent in (path, *path.parents) if os.path.lexists(parent))
        usable = existing.is_dir()
        problem = why_unwritable(existing) if usable else f"'{existing}' is not a directory"
    except (OSError, ValueError) as error:  # too long a name, one with a NUL
        problem = getattr(error, "strerror", None) or str(error)
    problem = _NO_URL if is_url(os.fspath(directory)) else problem
    if problem:
        raise UsageError(
            f"Cannot write to '{directory}': {problem}. Choose another {option_of(setting)}."
        )


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a temporary path next to `path`, with the same suffix, that replaces it at the end.

    The file is flushed to disk before it is renamed, so `path` has either the old or the complete
    new content. An error leaves nothing behind; an `OSError` is raised as a `RunError`.
    """
    temporary = temporary_beside(path)
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
    except OSError as error:
        raise RunError(f"Cannot write '{path}': {error.strerror or error}.") from error
    finally:
        # If the directory is gone, the error above said so.
        with contextlib.suppress(OSError):
            temporary.unlink()


def temporary_beside(path: pathlib.Path) -> pathlib.Path:
    """Returns the temporary path of a file; see `remove_half_written`."""
    # Threads of one process may write the same file.
    return path.with_name(f".{os.getpid()}.{threading.get_ident()}.{path.name}")


def remove_half_written(directory: pathlib.Path, *, shared: bool = False) -> None:
    """Removes temporary files left by killed processes; see `replacing`.

    Args:
        directory: Directory of the files.
        shared: Whether other processes may be writing there; then only files that have not changed
            for a day are removed.
    """
    for path in directory.glob(".*"):
        if not re.match(r"\.[0-9]+\.", path.name) or (shared and not is_abandoned(path)):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def is_abandoned(path: pathlib.Path) -> bool:
    """Tells whether a file has not changed for a day, so that nobody is writing it."""
    try:
        return time.time() - path.stat().st_mtime > _ABANDONED_SECONDS
    except OSError:  # already removed
        return False


def remove_at_once(directory: pathlib.Path) -> None:
    """Removes a directory atomically: by a rename, before its files are deleted."""
    if directory.exists():
        gone = directory.with_name(f".{os.getpid()}.{directory.name}")
        rename_away(directory, gone)
        shutil.rmtree(gone, ignore_errors=True)


def rename_away(directory: pathlib.Path, gone: pathlib.Path) -> None:
    """Renames a directory before its removal, or removes it if it cannot be renamed.

    Overlay file systems of containers cannot rename directories of lower layers.
    """
    try:
        directory.rename(gone)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def replacing_named(path: str | pathlib.Path) -> Iterator[pathlib.Path]:
    """Does what `replacing` does for a file that the user named; see `check_output`.

    The target of a symbolic link is replaced. Devices and pipes are written to directly.

    Raises:
        UsageError: It cannot be written.
        RunError: Writing failed later.
    """
    check_output(path)
    path = user_path(path)
    if is_stream(path):
        try:
            yield path
        except OSError as error:
            raise RunError(f"Cannot write '{path}': {error.strerror or error}.") from error
    else:
        with replacing(path.resolve() if path.is_symlink() else path) as temporary:
            yield temporary


def write_text(path: str | pathlib.Path, text: str) -> None:
    """Writes a text file that the user named; bytes of file names that are not UTF-8 are kept.

    Raises:
        UsageError: It cannot be written.
    """
    with replacing_named(path) as temporary:
        temporary.write_text(text, "utf-8", "surrogateescape")


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes indented JSON; bytes of file names that are not UTF-8 are escaped."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, "utf-8", "backslashreplace")


def flush(path: pathlib.Path) -> None:
    """Flushes a file, or the entries of a directory, to disk.

    If the file system does not support it, a warning is logged once.

    Raises:
        OSError: The file does not exist, or its content could not be written.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        if not path.is_dir():
            raise
        return  # Windows cannot open directories, others need the permission to list them
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in _LOST:
            raise
        what = "directories" if path.is_dir() else "files"
        warn_once(
            f"flush {what} {os.fstat(descriptor).st_dev}",
            f"The file system of '{path.parent}' does not flush {what} to disk "
            f"({error.strerror}). Continuing; if the machine crashes, the latest changes may be "
            "lost.",
        )
    finally:
        os.close(descriptor)
