"""A content-addressed cache on the disk: rows of numbers, each under the id of what it was made of.

An entry is a folder `<kind>/<key>`. The key stands for a function, with all that its results depend
on but the image: `key_of`. The id of a row stands for the image: `id_of`. So an entry serves every
run that computes the same of some of the same images, and grows where there are new ones.

What is in such a folder is said in `cache_entry`.
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
from tfxfer.data.cache_entry import DAMAGED, EntryFolder, Rows
from tfxfer.errors import DataError, InterruptionError, RunError, UsageError
from tfxfer.system.digests import Ids
from tfxfer.system.files import remove_half_written
from tfxfer.system.notices import warn_once
from tfxfer.system.run_layout import CACHE_INDEX, is_cache_rows

# What is kept: features of frozen backbones; decoded images; of which content it is known that it
# can be decoded, where only the ids count.
KINDS = ("features", "images", "readable")


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
    """What `tfxfer cache` tells of an entry.

    Attributes:
        kind: One of `KINDS`.
        key: Its folder's name.
        about: What the rows are, as they were written.
        num_rows: How many.
        num_bytes: On the disk.
        used: When it was last read or written, in seconds since 1970.
    """

    kind: str
    key: str
    about: Mapping[str, Any]
    num_rows: int
    num_bytes: int
    used: float


class Cache:
    """The entries below one directory, kept within a size.

    Args:
        directory: Where they are; made when first written to.
        max_bytes: After each write the entries used longest ago are removed until all of them take
            no more. 0 keeps nothing and reads nothing.
    """

    def __init__(self, directory: pathlib.Path, max_bytes: int) -> None:
        self.directory = directory
        self.max_bytes = max_bytes

    @classmethod
    def of(cls, config: RunConfig) -> Self:
        """Returns the cache that the settings of a run name.

        Where there is no place for one nothing is kept, and that is said once.
        """
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

        A damaged entry, whose rows are not those that were written, is removed.
        """
        if not self.max_bytes:
            return None
        folder = EntryFolder(self.directory / kind / key)
        try:
            return folder.read()
        except FileNotFoundError:
            return None
        except DAMAGED:
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
        """Writes an entry in place of the one there was, and returns its rows, memory-mapped.

        Returns None where it is larger than the whole cache may be, or cannot be written.

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
        """Says why an entry could not be written.

        Nothing is said where another process cleared the cache meanwhile, or of what is wrong with
        the images.
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
        """Returns what there is, the entry used longest ago first."""
        found = []
        for folder in self._folders():
            entry = EntryFolder(folder)
            with contextlib.suppress(*DAMAGED):
                ids, about = entry.read_index()
                used, num_bytes = entry.index.stat().st_mtime, _size(folder)
                found.append(
                    Entry(folder.parent.name, folder.name, about, len(ids), num_bytes, used)
                )
        return sorted(found, key=lambda entry: entry.used)

    def clear(self) -> int:
        """Removes every entry, damaged and half-written ones too, and returns how many bytes."""
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
        """Removes the entries used longest ago until the rest is small enough.

        What a process that was killed had half written goes, too; see `remove_half_written`.
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
    where = {row.tobytes(): place for place, row in enumerate(there)}
    return np.array([where.get(row.tobytes(), -1) for row in wanted], np.int64)


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
