"""Keeping other processes out by the lock of an open file, where the system has such locks.

Network shares without a lock service, some file systems of containers, and Windows have none: the
work goes on, which is said once, and processes of one machine still go by what the file says.

The library `filelock` does not do: it goes on only where the system says ENOSYS, and stops at what
network shares say (ENOLCK, ENOTSUP, EINVAL); its releases before the fourth empty the file, which
says who has the lock; and to look whether a run is locked it would have to take the lock, for which
a run that begins at that moment would be refused.
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
    """Returns what a lock's file is to say of the process that has it."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def take_lock(file: IO[str], *, shared: bool = False) -> bool:
    """Locks an open file until it is closed; tells whether no other process has it locked.

    Args:
        file: Open for writing or, if the lock is shared, for reading; what it says is `owner`'s.
        shared: Whether others may have it in the same way: for a look whether it is locked.
    """
    if fcntl is None:
        reason = "this system has none"
    else:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        except OSError as error:  # ENOLCK, ENOTSUP, ENOSYS, EINVAL: which one is the system's taste
            reason = error.strerror
    if not shared:
        warn_once(
            "locks",
            f"'{file.name}' cannot be locked ({reason}): its file system has no locks. The work "
            "goes on; make sure that no other machine works on the same run.",
        )
    file.seek(0)
    return not _is_running(file.read())


def _is_running(text: str) -> bool:
    """Tells whether a lock's file names another process of this machine that still runs."""
    named = re.fullmatch(r"process (\d+) on (.*)", text, re.DOTALL)
    if named is None or named[2] != socket.gethostname() or sys.platform == "win32":
        return False
    process = int(named[1])
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)  # asks, and does nothing
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True


@contextlib.contextmanager
def locked(run: RunDirectory) -> Iterator[None]:
    """Keeps other processes out of a run, and makes its directory.

    The system drops the lock when the process ends, however it ends: no stale lock stays. A
    directory in which nothing was written is removed again, with those it was made in.

    Raises:
        UsageError: Another process has the run.
        RunError: The directory cannot be made.
    """
    made = [path for path in (run.path, *run.path.parents) if not path.exists()] or [run.path]
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        file = _take_lock(run)
    except OSError as error:
        raise RunError(f"Cannot make the run '{run.path}': {error.strerror}.") from error
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
            with contextlib.suppress(OSError):  # Windows removes no file that is open
                run.lock.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                for path in made:
                    path.rmdir()


def _take_lock(run: RunDirectory) -> IO[str] | None:
    """Returns the open file that holds the lock of a run, None where another process has it."""
    while True:
        file = run.lock.open("a+", encoding="utf-8")
        if not take_lock(file):
            file.close()
            return None
        try:
            # Between the two calls the one who had it may have ended, and removed the file.
            if os.fstat(file.fileno()).st_ino == os.stat(run.lock).st_ino:
                file.truncate(0)
                file.write(owner())
                file.flush()
                return file
        except FileNotFoundError:
            pass
        file.close()


def holder(run: RunDirectory) -> str | None:
    """Returns which process works on a run, None where none does."""
    with contextlib.suppress(OSError), run.lock.open(encoding="utf-8") as file:
        if not take_lock(file, shared=True):
            file.seek(0)
            return file.read() or "a process that has just begun"
    return None
