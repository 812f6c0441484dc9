"""Files that are written whole or not at all."""

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

from tfxfer.config.paths import user_path
from tfxfer.config.settings import option_of
from tfxfer.errors import RunError, UsageError
from tfxfer.system.notices import warn_once

# The start of a file, which tells text from anything else by these characters that no text has.
_LOOKED_AT_BYTES = 4096
_NO_TEXT = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")

# More than file systems keep in their tables of files: a full one has no room for it.
_TRIED_BYTES = 64 * 1024

_ABANDONED_SECONDS = 24 * 3600

# What a file system says that lost data when it was told to flush them. Any other error is that of
# one that cannot: of directories many cannot, such as network shares and those of FUSE.
_LOST = (errno.EIO, errno.ENOSPC, errno.EDQUOT)


def check_output(
    path: str | pathlib.Path,
    option: str = "",
    read: Iterable[str | pathlib.Path] = (),
    kind: Literal["text", "parquet"] | None = None,
) -> None:
    """Raises a UsageError unless a file that the user named can be written; it is not made.

    Args:
        path: The file.
        option: That names it, for the message, if it is known.
        read: What is read for it, and must stay.
        kind: What is written. A file of another kind that is there, an image or a model, was named
            by mistake and must stay, too; None takes any.
    """
    reason = _why_not(os.fspath(path), read)
    if reason is None and kind is not None:
        reason = _why_not_replaced(user_path(path), kind)
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
        target = _target(path)
        # The name under which it is made; see `replacing`.
        os.stat(target.parent)
        with contextlib.suppress(FileNotFoundError):
            os.lstat(temporary_beside(target))
    except FileNotFoundError:
        return f"there is no directory '{_target(path).parent}'"
    except NotADirectoryError:
        return f"'{path.parent}' is not a directory"
    except (OSError, ValueError, RuntimeError) as error:  # too long; with a NUL; links in a circle
        return getattr(error, "strerror", None) or str(error)
    if not target.parent.is_dir():
        return f"'{target.parent}' is not a directory"
    return why_unwritable(target.parent)


def _target(path: pathlib.Path) -> pathlib.Path:
    """Returns where a path leads, as it was typed where no link leads elsewhere."""
    return path.resolve() if path.is_symlink() else path


def _why_not_replaced(path: pathlib.Path, kind: Literal["text", "parquet"]) -> str | None:
    """Returns why the content of a file must stay, None where there is none, or it is replaced."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            start = file.read(_LOOKED_AT_BYTES)
    except OSError:
        return None  # who cannot read it may still replace it
    is_such = {"parquet": start.startswith(b"PAR1"), "text": not _NO_TEXT.search(start)}
    if is_such[kind] or not start:
        return None
    name = {"parquet": "Parquet", "text": "text"}[kind]
    return f"it is there, is no {name} file, and would be lost"


def same_file(path: pathlib.Path, other: str | pathlib.Path) -> bool:
    """Tells whether two paths lead to one file, which is there."""
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):
        return False


def check_writable(directory: str | pathlib.Path, setting: str) -> None:
    """Raises a UsageError unless files can be made in the directory, there or yet to be made.

    Args:
        directory: Where results are to go.
        setting: The setting that says so, for the message.
    """
    path = user_path(directory).absolute()
    try:
        path.is_dir()
        existing = next(parent for parent in (path, *path.parents) if os.path.lexists(parent))
        usable = existing.is_dir()
        problem = why_unwritable(existing) if usable else f"'{existing}' is not a directory"
    except (OSError, ValueError) as error:  # too long a name, one with a NUL
        problem = getattr(error, "strerror", None) or str(error)
    if problem:
        raise UsageError(
            f"Cannot write to '{directory}': {problem}. Choose another {option_of(setting)}."
        )


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, of the same suffix, that takes its place at the end.

    The file is flushed to the disk before it is renamed, so that `path` holds either what it held
    or all of the new content. After an error nothing is left.
    """
    temporary = temporary_beside(path)
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
    except OSError as error:
        raise RunError(f"Cannot write '{path}': {error.strerror or error}.") from error
    finally:
        # Where the directory is not what it was any more, that was said above.
        with contextlib.suppress(OSError):
            temporary.unlink()


def temporary_beside(path: pathlib.Path) -> pathlib.Path:
    """Returns where what is to become a file is written first; see `remove_half_written`."""
    # Threads of one process may write the same file, too.
    return path.with_name(f".{os.getpid()}.{threading.get_ident()}.{path.name}")


def remove_half_written(directory: pathlib.Path, *, shared: bool = False) -> None:
    """Removes what processes that were killed left of files they were replacing.

    Args:
        directory: Where the files are.
        shared: Whether other processes may be writing there. It cannot be told from what one of
            them has just begun, and so it goes when it has not changed for a day.
    """
    for path in directory.glob(".*"):
        if not re.match(r"\.[0-9]+\.", path.name) or (shared and not _is_abandoned(path)):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_abandoned(path: pathlib.Path) -> bool:
    """Tells whether nobody can still be writing a file: it has not changed for a day."""
    try:
        return time.time() - path.stat().st_mtime > _ABANDONED_SECONDS
    except OSError:  # it is gone
        return False


def remove_at_once(directory: pathlib.Path) -> None:
    """Removes a directory: it is there with all its files or, from one moment to the next, gone."""
    if directory.exists():
        gone = directory.with_name(f".{os.getpid()}.{directory.name}")
        rename_away(directory, gone)
        shutil.rmtree(gone, ignore_errors=True)


def rename_away(directory: pathlib.Path, gone: pathlib.Path) -> None:
    """Renames a directory that is to be removed, or removes it where it cannot be renamed.

    Overlay file systems, those of containers, do not rename the directories of their lower layers.
    """
    try:
        directory.rename(gone)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def replacing_named(path: str | pathlib.Path) -> Iterator[pathlib.Path]:
    """Does what `replacing` does, of a file that the user named; see `check_output`.

    What a link leads to is replaced, and a device or a pipe written to as it is.

    Raises:
        UsageError: It cannot be written.
        RunError: It could, but not any more.
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
    """Writes a file that the user named; characters of file names that are no UTF-8 stay.

    Raises:
        UsageError: There is no directory for it, or it is a directory.
    """
    with replacing_named(path) as temporary:
        temporary.write_text(text, "utf-8", "surrogateescape")


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes JSON that a person can read.

    What names of files have that is no UTF-8 is escaped as JSON does it, and read back the same.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, "utf-8", "backslashreplace")


def flush(path: pathlib.Path) -> None:
    """Has the system write a file, or the names in a directory, to the disk.

    A file system that cannot is told of once, and the work goes on.

    Raises:
        OSError: There is no such file, or its content could not be written.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        if not path.is_dir():
            raise
        return  # Windows opens no directory, and others not without the permission to list it
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in _LOST:
            raise
        what = "directories" if path.is_dir() else "files"
        warn_once(
            f"flush {what} {os.fstat(descriptor).st_dev}",
            f"The file system of '{path.parent}' does not flush {what} to the disk "
            f"({error.strerror}). The work goes on; after a crash of the machine what was written "
            "last may be missing there.",
        )
    finally:
        os.close(descriptor)
