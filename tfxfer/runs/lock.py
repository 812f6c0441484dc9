"""Locks a run against other processes, by `flock` where the file system supports it.

Network shares without a lock service, some container file systems, and Windows do not support it.
Work then continues after one warning, and processes of the same machine still check the process id
in the lock file.

The library `filelock` does not fit: it continues only on ENOSYS, and fails on what network shares
return (ENOLCK, ENOTSUP, EINVAL); its releases before the fourth empty the file, which names the
owner; and it can only check a lock by taking it, which would make a run fail that starts then.
"""

import contextlib
import os
import re
import socket
import sys
from collections.abc import Iterator
from typing import IO

from tfxfer.errors import RunError, UsageError
from tfxfer.system.files import remove_half_written
from tfxfer.system.notices import warn_once
from tfxfer.system.run_layout import RunDirectory

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def owner() -> str:
    """Returns the content of a lock file: this process and its host."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def take_lock(file: IO[str], *, shared: bool = False) -> bool:
    """Locks an open file until it is closed.

    Args:
        file: Open for writing, or for reading if the lock is shared; its content is `owner()`.
        shared: Take a shared lock, to check whether the file is locked.

    Returns:
        Whether the lock was taken; False if another process holds it.
    """
    if fcntl is None:
        reason = "this system has no file locks"
    else:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        except OSError as error:  # ENOLCK, ENOTSUP, ENOSYS or EINVAL, depending on the system
            reason = error.strerror
    if not shared:
        warn_once(
            "locks",
            f"'{file.name}' cannot be locked ({reason}). Continuing without a lock; make sure that "
            "no other machine works on the same run.",
        )
    file.seek(0)
    return not _is_running(file.read())


def _is_running(text: str) -> bool:
    """Tells whether a lock file names another running process of this machine."""
    named = re.fullmatch(r"process (\d+) on (.*)", text, re.DOTALL)
    if named is None or named[2] != socket.gethostname() or sys.platform == "win32":
        return False
    process = int(named[1])
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)  # signal 0 only checks
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True


@contextlib.contextmanager
def locked(run: RunDirectory) -> Iterator[None]:
    """Creates the directory of a run and locks it.

    The system releases the lock when the process ends, however it ends: there are no stale locks.
    Directories created here are removed again if they stay empty.

    Args:
        run: The run.

    Raises:
        UsageError: Another process is working on the run.
        RunError: The directory cannot be created.
    """
    made = [path for path in (run.path, *run.path.parents) if not path.exists()] or [run.path]
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        file = _take_lock(run)
    except OSError as error:
        raise RunError(
            f"Cannot create the run directory '{run.path}': {error.strerror}."
        ) from error
    if file is None:
        raise UsageError(
            f"Another process is working on the run '{run.path}': {holder(run) or 'just ended'}. "
            "Wait for it, or choose another --run."
        )
    with file:
        remove_half_written(run.path)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows cannot remove an open file
                run.lock.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                for path in made:
                    path.rmdir()


def _take_lock(run: RunDirectory) -> IO[str] | None:
    """Returns the open, locked file of a run; None if another process holds the lock."""
    while True:
        file = run.lock.open("a+", encoding="utf-8")
        if not take_lock(file):
            file.close()
            return None
        try:
            # The previous owner may have removed the file between the two calls.
            if os.fstat(file.fileno()).st_ino == os.stat(run.lock).st_ino:
                file.truncate(0)
                file.write(owner())
                file.flush()
                return file
        except FileNotFoundError:
            pass
        file.close()


def holder(run: RunDirectory) -> str | None:
    """Returns which process is working on a run; None if none is."""
    with contextlib.suppress(OSError), run.lock.open(encoding="utf-8") as file:
        if not take_lock(file, shared=True):
            file.seek(0)
            return file.read() or "a process that has just started"
    return None
