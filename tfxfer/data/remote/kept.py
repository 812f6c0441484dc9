"""The copies of files at URLs in a cache: what there is, who uses it, and what can be removed.

```
objects/<key>/listing.json   the files with their sizes and stamps, and the URL
objects/<key>/files/...      the copies; one that is there is complete
objects/<key>/used           locked, shared, by the processes that use the copies
objects/<key>/filling        locked by the process that fetches them
```
"""

import contextlib
import json
import os
import pathlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tfxfer.data.cache import Cache, Entry
from tfxfer.errors import RunError
from tfxfer.system.sharing.locks import owner, take_lock
from tfxfer.system.streams import note

KIND = "objects"

LISTING, FILES = "listing.json", "files"

_USED, _FILLING = "used", "filling"

_WAIT_SECONDS = 0.5

# The locks of the copies that this process uses; the system releases them when it ends.
_held: dict[pathlib.Path, int] = {}


@dataclass(frozen=True)
class KeptCopies:
    """The copies in a cache.

    Attributes:
        cache: In whose directory they are.
    """

    cache: Cache

    @property
    def directory(self) -> pathlib.Path:
        """Where they are."""
        return self.cache.directory / KIND

    def entries(self) -> list[Entry]:
        """Returns all copies by URL, the least recently used first."""
        found = []
        for folder in self._folders():
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                told, used = read_listing(folder), (folder / LISTING).stat().st_mtime
                size = sum(max(0, size) for _, size, _ in told["files"])
                about = {"what": told["url"]}
                found.append(Entry(KIND, folder.name, about, len(told["files"]), size, used))
        return sorted(found, key=lambda entry: entry.used)

    def clear(self) -> int:
        """Removes the copies that no process uses, and returns the bytes freed."""
        sizes = {entry.key: entry.num_bytes for entry in self.entries()}
        removed = [folder.name for folder in self._folders() if remove(folder)]
        with contextlib.suppress(OSError):  # there is none, or some are used
            self.directory.rmdir()
        return sum(sizes.get(name, 0) for name in removed)

    def _folders(self) -> list[pathlib.Path]:
        if not self.directory.is_dir():
            return []
        return [one for one in sorted(self.directory.iterdir()) if (one / _USED).is_file()]


def read_listing(folder: pathlib.Path) -> dict[str, Any]:
    """Returns what a folder has, or is to have: `url`, and `files` by place, size and stamp."""
    content: dict[str, Any] = json.loads((folder / LISTING).read_text("utf-8"))
    return content


def hold(folder: pathlib.Path) -> None:
    """Keeps others from removing copies until this process ends.

    Raises:
        RunError: The folder cannot be made.
    """
    while True:
        known = _held.get(folder)
        if known is not None and _is_same(known, folder / _USED):
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / _USED).open("a+", encoding="utf-8") as file:
                if take_lock(file, shared=True) and _is_same(file.fileno(), folder / _USED):
                    _held[folder] = os.dup(file.fileno())  # which keeps the lock
                    return
        except FileNotFoundError:  # it is being removed
            continue
        except OSError as error:
            raise RunError(f"Cannot create '{folder}': {error.strerror}.") from error
        time.sleep(_WAIT_SECONDS)


def _is_same(descriptor: int, path: pathlib.Path) -> bool:
    """Tells whether an open file is still the one at a path."""
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except OSError:
        return False


@contextlib.contextmanager
def filling(folder: pathlib.Path, url: str) -> Iterator[None]:
    """Keeps other processes from fetching the same files; they wait."""
    has_told = False
    with (folder / _FILLING).open("a+", encoding="utf-8") as file:
        while not take_lock(file):
            if not has_told:
                file.seek(0)
                note(f"waiting for {file.read() or 'another process'}, which copies '{url}'")
                has_told = True
            time.sleep(_WAIT_SECONDS)
        file.truncate(0)
        file.write(owner())
        file.flush()
        yield


def remove(folder: pathlib.Path) -> bool:
    """Removes copies unless a process uses them; tells whether they are gone."""
    if folder in _held:
        return False
    try:
        with (folder / _USED).open("a+", encoding="utf-8") as file:
            if not take_lock(file):
                return False
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # another process has removed it
        return False
    return not folder.exists()
