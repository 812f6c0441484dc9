"""A content-addressed cache on disk: rows of numbers by the id of the image they come from.

An entry is a folder `<kind>/<key>`. The key identifies a function with everything its results
depend on except the image: `key_of`. The id of a row identifies the image: `id_of`. So an entry
serves every run that computes the same from some of the same images, and grows with new images.

`cache_entry` describes the files in such a folder.
"""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tfxfer.config.paths import home, user_path
from tfxfer.config.schema import GIGABYTE, RunConfig
from tfxfer.data.cache_entry import CORRUPT, EntryFolder, Rows
from tfxfer.data.contents import as_items
from tfxfer.errors import DataError, InterruptionError, RunError, UsageError
from tfxfer.system.digests import Ids
from tfxfer.system.files import remove_half_written
from tfxfer.system.notices import warn_once
from tfxfer.system.run_layout import CACHE_INDEX, is_cache_rows

# What is cached: features of frozen backbones; decoded images; which contents are readable, where
# only the ids matter; digests of files, whose ids are not of contents but of what the file system
# says of them.
KINDS = ("features", "images", "readable", "digests")


def default_cache_dir() -> pathlib.Path:
    """Returns TFXFER_CACHE_DIR or, where it is not set, the user's cache directory.

    Raises:
        UsageError: There is neither, nor a home directory.
    """
    chosen = os.environ.get("TFXFER_CACHE_DIR")
    if chosen:
        return user_path(chosen, "The variable TFXFER_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return user_path(base, "The variable XDG_CACHE_HOME") / "tfxfer"
    users = home()
    if users is None:
        raise UsageError(
            "No directory for the cache: the user has no home directory, and TFXFER_CACHE_DIR is "
            "not set. Set it to a writable directory, or use --cache-dir."
        )
    return users / ".cache" / "tfxfer"


@dataclass(frozen=True)
class Entry:
    """An entry as `tfxfer cache` lists it.

    Attributes:
        kind: One of `KINDS`.
        key: Name of its folder.
        about: Description of the rows.
        num_rows: Number of rows.
        num_bytes: Size on disk.
        used: When it was last read or written, in seconds since 1970.
    """

    kind: str
    key: str
    about: Mapping[str, Any]
    num_rows: int
    num_bytes: int
    used: float


class Cache:
    """The entries in one directory, limited in size.

    Args:
        directory: Of the cache; created on the first write.
        max_bytes: After each write, the least recently used entries are removed until the rest is
            no larger. 0 disables the cache.
    """

    def __init__(self, directory: pathlib.Path, max_bytes: int) -> None:
        self.directory = directory
        self.max_bytes = max_bytes

    @classmethod
    def of(cls, config: RunConfig | None) -> Self:
        """Returns the cache of a run's settings; None are the defaults.

        Without a directory for it the cache is disabled, with one warning.
        """
        config = config or RunConfig()
        max_bytes = int(config.cache_gigabytes * GIGABYTE)
        if config.cache_dir or not max_bytes:
            return cls(pathlib.Path(config.cache_dir or os.devnull), max_bytes)
        try:
            return cls(default_cache_dir(), max_bytes)
        except UsageError as error:
            warn_once("no cache", f"{error} Until then nothing is cached between runs.")
            return cls(pathlib.Path(os.devnull), 0)

    def read(self, kind: str, key: str) -> tuple[Ids, Rows] | None:
        """Returns the ids and the memory-mapped rows of an entry, None where there is none.

        A corrupt entry is removed. Another user's that may not be read stays.
        """
        if not self.max_bytes:
            return None
        folder = EntryFolder(self.directory / kind / key)
        try:
            return folder.read()
        except (FileNotFoundError, PermissionError):
            return None
        except CORRUPT:
            shutil.rmtree(folder.path, ignore_errors=True)
            return None

    def write(
        self,
        kind: str,
        key: str,
        ids: Ids,
        batches: Iterable[Rows],
        like: npt.DTypeLike,
        shape: tuple[int, ...],
        about: Mapping[str, Any],
    ) -> Rows | None:
        """Writes or replaces an entry, and returns its rows, memory-mapped.

        Returns None if it is larger than the cache may be, or cannot be written.

        Args:
            kind: One of `KINDS`.
            key: See `key_of`.
            ids: Of the rows, in their order.
            batches: The rows, some at a time.
            like: Their type.
            shape: Of one row.
            about: What they are, for people; values that JSON can write.
        """
        num_bytes = len(ids) * int(np.prod(shape, dtype=np.int64)) * np.dtype(like).itemsize
        if not self.max_bytes or num_bytes > self.max_bytes:
            return None
        folder = self.directory / kind / key
        try:
            rows = EntryFolder(folder).write(ids, batches, like, shape, about)
        except InterruptionError:
            raise
        except (OSError, RunError) as error:
            # No space, no permission: the cache saves work, and is no reason to lose any.
            self._tell(error)
            return None
        self._evict(folder)
        return rows

    def _tell(self, error: Exception) -> None:
        """Warns that an entry could not be written.

        There is no warning if another process has cleared the cache meanwhile, or if the images are
        at fault.
        """
        if isinstance(error, DataError):
            return
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        # A directory that another process removes while it is made seems to be there already.
        cleared = isinstance(cause, FileNotFoundError) or (
            isinstance(cause, FileExistsError) and not os.path.isfile(cause.filename)
        )
        if isinstance(cause, OSError) and not cleared:
            warn_once(
                f"cache {self.directory} {cause.errno}",
                f"Cannot write the cache '{self.directory}': {cause.strerror or cause}. Continuing "
                "without it; the next run computes again what is not cached. Free space "
                "(`tfxfer cache --clear`) or choose another directory (--cache-dir, "
                "TFXFER_CACHE_DIR).",
            )

    def entries(self) -> list[Entry]:
        """Returns all entries, the least recently used first."""
        found = []
        for folder in self._folders():
            entry = EntryFolder(folder)
            with contextlib.suppress(*CORRUPT):
                ids, about = entry.read_index()
                used, num_bytes = entry.index.stat().st_mtime, _size(folder)
                found.append(
                    Entry(folder.parent.name, folder.name, about, len(ids), num_bytes, used)
                )
        return sorted(found, key=lambda entry: entry.used)

    def clear(self) -> int:
        """Removes every entry, also corrupt and partial ones, and returns the bytes freed."""
        num_bytes = 0
        for folder in self._folders():
            num_bytes += _size(folder)
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (*(self.directory / kind for kind in KINDS), self.directory):
            with contextlib.suppress(OSError):  # there is none, or there is more in it
                folder.rmdir()
        return num_bytes

    def _folders(self) -> list[pathlib.Path]:
        """Returns the folders of all entries, and none that is not the cache's.

        Others may be removing them meanwhile.
        """
        return [
            folder
            for kind in KINDS
            for folder in _listed(self.directory / kind)
            if folder.is_dir() and _is_entry(folder)
        ]

    def _evict(self, kept: pathlib.Path) -> None:
        """Removes the least recently used entries until the rest is small enough.

        Partial files of killed processes are removed, too; see `remove_half_written`.
        """
        for folder in self._folders():
            with contextlib.suppress(OSError):
                remove_half_written(folder, shared=True)
        entries = self.entries()
        total = sum(entry.num_bytes for entry in entries)
        for entry in entries:
            folder = self.directory / entry.kind / entry.key
            if total > self.max_bytes and folder != kept:
                shutil.rmtree(folder, ignore_errors=True)
                total -= entry.num_bytes


def places(wanted: Ids, there: Ids) -> npt.NDArray[np.int64]:
    """Returns where each id lies among those that are there, -1 where it does not."""
    if not len(there):
        return np.full(len(wanted), -1, np.int64)
    items, names = as_items(there), as_items(wanted)
    order = np.argsort(items, kind="stable")
    # Of equal ones the last.
    found = np.searchsorted(items, names, side="right", sorter=order) - 1
    place = order[found]
    return np.where((found >= 0) & (items[place] == names), place, -1)


def in_blocks(rows: Rows, size: int = 8192) -> Iterator[Rows]:
    """Yields rows some at a time, so that those on the disk are never all in memory."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _listed(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns what is in a folder, sorted; nothing where there is none, or none any more."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _is_entry(folder: pathlib.Path) -> bool:
    """Tells whether a folder is an entry by what is in it; half-written files are hidden."""
    names = [file.name for file in _listed(folder)]
    return all(name[0] == "." or name == CACHE_INDEX or is_cache_rows(name) for name in names)


def _size(folder: pathlib.Path) -> int:
    """Returns the bytes of the files of a folder; others may be removing them meanwhile."""
    total = 0
    for file in _listed(folder):
        with contextlib.suppress(OSError):
            total += file.stat().st_size
    return total
