"""Copies on disk of the files at a URL, each complete or not there, which runs share.

```
objects/<key>/listing.json   the files with their sizes and stamps, and the URL
objects/<key>/files/...      the copies; one that is there is complete
objects/<key>/used           locked, shared, by the processes that use the copies
objects/<key>/filling        locked by the process that fetches them
```

The key is a digest of the listing. So once a file has changed at the URL there is a folder of its
own for the new state, to which unchanged files are linked, and a run that is training on the old
state is not disturbed. What is interrupted is completed by the next process. Folders that no
process uses are removed when there is a newer state, or for space.
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

from tfxfer.config.settings import option_of
from tfxfer.data.cache import Cache, Entry
from tfxfer.data.remote.fetching import fetch
from tfxfer.data.remote.listing import Listing, StoredFile
from tfxfer.errors import RunError, UsageError
from tfxfer.system.files import check_writable, write_json
from tfxfer.system.progress import readable_bytes
from tfxfer.system.sharing.locks import owner, take_lock
from tfxfer.system.streams import note

KIND = "objects"

_LISTING, _FILES, _USED, _FILLING = "listing.json", "files", "used", "filling"

_WAIT_SECONDS = 0.5

# What is left free on a disk that is filled.
_FREE_BYTES = 100 * 10**6

# The locks of the copies that this process uses; the system releases them when it ends.
_held: dict[pathlib.Path, int] = {}


@dataclass(frozen=True)
class Copies:
    """The copies in a cache, limited in size: to as much as the rest of the cache.

    Attributes:
        cache: Whose directory and limit they have.
    """

    cache: Cache

    @property
    def directory(self) -> pathlib.Path:
        """Where they are."""
        return self.cache.directory / KIND

    def made(self, listing: Listing) -> tuple[pathlib.Path, str]:
        """Returns the folder of the copies of files, complete, and a note on them.

        Raises:
            UsageError: They are larger than the cache may be, or it cannot be written.
            RunError: There is no space for them.
            DataError: They cannot be read.
        """
        self._check_limit(listing)
        check_writable(self.directory, "cache_dir")
        folder = self.directory / listing.key
        _hold(folder)
        with _filling(folder, listing.url):
            files = folder / _FILES
            if not (folder / _LISTING).is_file():
                content = {"url": listing.url, "files": list(map(listing.record_of, listing.files))}
                write_json(folder / _LISTING, content)
            missing = [file for file in listing.files if not _is_there(files / file.place, file)]
            if missing:
                self._link(listing, missing, files)
                missing = [file for file in missing if not _is_there(files / file.place, file)]
                self._make_room(listing, missing)
                if missing:
                    note(f"copying {_amount(missing)} of '{listing.url}' to '{files}'")
                    fetch(listing, missing, files)
                self._remove_older(listing)
        os.utime(folder / _LISTING)  # when it was last used
        fetched = f", {len(missing):,} of them fetched now" if missing else ", fetched before"
        return files, f"{_amount(listing.files)} of '{listing.url}' are in '{files}'{fetched}"

    def entries(self) -> list[Entry]:
        """Returns all copies by URL, the least recently used first."""
        found = []
        for folder in self._folders():
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                told, used = _read(folder), (folder / _LISTING).stat().st_mtime
                size = sum(max(0, size) for _, size, _ in told["files"])
                about = {"what": told["url"]}
                found.append(Entry(KIND, folder.name, about, len(told["files"]), size, used))
        return sorted(found, key=lambda entry: entry.used)

    def clear(self) -> int:
        """Removes the copies that no process uses, and returns the bytes freed."""
        sizes = {entry.key: entry.num_bytes for entry in self.entries()}
        removed = [folder.name for folder in self._folders() if _remove(folder)]
        with contextlib.suppress(OSError):  # there is none, or some are used
            self.directory.rmdir()
        return sum(sizes.get(name, 0) for name in removed)

    def _folders(self) -> list[pathlib.Path]:
        if not self.directory.is_dir():
            return []
        return [one for one in sorted(self.directory.iterdir()) if (one / _USED).is_file()]

    def _check_limit(self, listing: Listing) -> None:
        """Raises a UsageError if files are larger than the cache may be."""
        limit, option = self.cache.max_bytes, option_of("cache_gigabytes")
        if not limit:
            raise UsageError(
                f"The files of '{listing.url}' are copied to the cache, which is disabled: "
                f"'cache_gigabytes' ({option}) is 0, or there is no directory for it."
            )
        if listing.num_bytes > limit:
            raise UsageError(
                f"The {_amount(listing.files)} of '{listing.url}' would be copied, but setting "
                f"'cache_gigabytes' ({option}) allows {readable_bytes(limit)}. Raise it, or name a "
                "part of the data."
            )

    def _make_room(self, listing: Listing, missing: list[StoredFile]) -> None:
        """Removes copies that were not used for longest until there is room for others.

        Raises:
            RunError: There is none.
        """
        needed = sum(max(0, file.size) for file in missing)
        others = [entry for entry in self.entries() if entry.key != listing.key]
        total = listing.num_bytes + sum(entry.num_bytes for entry in others)
        for entry in others:
            free = shutil.disk_usage(self.directory).free - _FREE_BYTES
            if total <= self.cache.max_bytes and needed <= free:
                return
            if _remove(self.directory / entry.key):
                total -= entry.num_bytes
        free = max(0, shutil.disk_usage(self.directory).free - _FREE_BYTES)
        if needed > free:
            raise RunError(
                f"To copy the {_amount(missing)} of '{listing.url}' there is too little space: "
                f"{readable_bytes(free)} in '{self.directory}'. Free some, or choose another "
                f"{option_of('cache_dir')}."
            )

    def _link(self, listing: Listing, missing: list[StoredFile], files: pathlib.Path) -> None:
        """Links what older copies of the same URL have."""
        wanted = {listing.record_of(file): file for file in missing}
        for folder in self._older(listing):
            records = map(tuple, _read(folder)["files"])
            for file in (wanted[record] for record in records if record in wanted):
                source, target = folder / _FILES / file.place, files / file.place
                if _is_there(source, file) and not _is_there(target, file):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with contextlib.suppress(OSError):  # no links here: it is fetched
                        os.link(source, target)

    def _older(self, listing: Listing) -> Iterator[pathlib.Path]:
        """Yields the folders of other states of a URL."""
        for entry in self.entries():
            if entry.about["what"] == listing.url and entry.key != listing.key:
                yield self.directory / entry.key

    def _remove_older(self, listing: Listing) -> None:
        for folder in self._older(listing):
            _remove(folder)


def _is_there(path: pathlib.Path, file: StoredFile) -> bool:
    """Tells whether a file was copied: it appears when it is complete."""
    try:
        return file.size in (-1, path.stat().st_size)
    except OSError:
        return False


def _read(folder: pathlib.Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / _LISTING).read_text("utf-8"))
    return content


def _amount(files: Any) -> str:
    size = sum(max(0, file.size) for file in files)
    return f"{len(files):,} {'file' if len(files) == 1 else 'files'} ({readable_bytes(size)})"


def _hold(folder: pathlib.Path) -> None:
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
def _filling(folder: pathlib.Path, url: str) -> Iterator[None]:
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


def _remove(folder: pathlib.Path) -> bool:
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
