"""Keeping other processes out by the lock of an open file, where the system has such locks.

Network shares without a lock service, some file systems of containers, and Windows have none: the
work goes on, which is said once, and processes of one machine still go by what the file says.
"""

import os
import re
import socket
import sys
from typing import IO

from tfxfer.notices import warn_once

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
