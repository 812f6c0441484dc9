"""Locks of files against other processes, by `flock` where the file system supports it.

Network shares without a lock service, some container file systems, and Windows do not support it.
Work then continues after one warning, and processes of the same machine still check the process id
in the lock file.

The library `filelock` does not fit: it continues only on ENOSYS, and fails on what network shares
return (ENOLCK, ENOTSUP, EINVAL); its releases before the fourth empty the file, which names the
owner; and it can only check a lock by taking it, which would make a run fail that starts then.
"""

import os
import re
import socket
import sys
from typing import IO

from tfxfer.system.notices import warn_once

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
