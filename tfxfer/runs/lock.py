"""Locks a run against other processes; see `system.sharing.locks`."""

import contextlib
import os
from collections.abc import Iterator
from typing import IO

from tfxfer.errors import RunError, UsageError
from tfxfer.system.files import remove_half_written
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.sharing.locks import owner, take_lock


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
