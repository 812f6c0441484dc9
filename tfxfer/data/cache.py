"""A content-addressed cache on the disk: rows of numbers, each under the id of what it was made of.

An entry is a folder `<kind>/<key>`. The key stands for a function, with all that its results depend
on but the image: `key_of`. The id of a row stands for the image: `id_of`. So an entry serves every
run that computes the same of some of the same images, and grows where there are new ones.

```
<cache>/features/3f0c.../rows-91ab....npy   the rows; their SHA-256 is in the name
                         index.npz          the ids in the order of the rows, and what they are
```

The index is written last, by a rename: a reader sees an entry as it was or as it is. Of two writers
the last one wins; what the other one added is computed again when it is next wanted.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import threading
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tfxfer.config.paths import home, user_path
from tfxfer.config.schema import GIGABYTE, RunConfig
from tfxfer.errors import DataError, InterruptionError, RunError, UsageError
from tfxfer.system.digests import ID_BYTES, Ids
from tfxfer.system.files import flush, replacing
from tfxfer.system.notices import warn_once

# What is kept: features of frozen backbones; decoded images; of which content it is known that it
# can be decoded, where only the ids count.
KINDS = ("features", "images", "readable")

Rows = npt.NDArray[Any]  # (num_rows, ...)

_HALF_WRITTEN_SECONDS = 24 * 3600


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
            "There is no place for the cache: the user has no home directory, and TFXFER_CACHE_DIR "
            "is not set. Set it to a directory that can be written, or give --cache-dir."
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
            warn_once("no cache", f"{error} Until then nothing is kept between runs.")
            return cls(pathlib.Path(os.devnull), 0)

    def read(self, kind: str, key: str) -> tuple[Ids, Rows] | None:
        """Returns the ids and the memory-mapped rows of an entry, None where there is none.

        A damaged entry, whose rows are not those that were written, is removed.
        """
        if not self.max_bytes:
            return None
        folder = self.directory / kind / key
        index = folder / "index.npz"
        try:
            with index.open("rb") as file, np.load(file) as content:
                ids, about = content["ids"], json.loads(str(content["about"]))
            path = folder / about["file"]
            if f"rows-{_digest(path)}.npy" != path.name:
                raise ValueError("other rows than were written")
            # Copy on write, though nothing is written: TensorFlow takes no read-only memory.
            rows = np.load(path, mmap_mode="c")
            if len(rows) != len(ids):
                raise ValueError("other ids than were written")
            os.utime(index)  # which is when it was last used
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
            shutil.rmtree(folder, ignore_errors=True)
            return None
        return ids, rows

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
        # Threads of one process may be at the same entry, too.
        temporary = folder / f".{os.getpid()}.{threading.get_ident()}.rows.npy"
        leftovers = [temporary]
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(like)),
            "fortran_order": False,
            "shape": (len(ids), *shape),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                np.lib.format.write_array_header_1_0(file, header)
                for batch in batches:
                    file.write(np.ascontiguousarray(batch, like).data)
            flush(temporary)
            named = temporary.with_name(f"rows-{_digest(temporary)}.npy")
            if not named.exists():
                leftovers.append(named)
            temporary.replace(named)
            text = json.dumps({**about, "file": named.name})
            with replacing(folder / "index.npz") as index:
                np.savez(index, ids=ids, about=np.array(text))
            for other in folder.glob("rows-*.npy"):
                if other != named:
                    other.unlink(missing_ok=True)
            rows: Rows = np.load(named, mmap_mode="c")
            leftovers.clear()
        except InterruptionError:
            raise
        except (OSError, RunError) as error:
            # No space, no permission: the cache saves work, and is no reason to lose any.
            self._tell(error)
            return None
        finally:
            _remove(leftovers)
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
                f"The cache '{self.directory}' cannot be written: {cause.strerror or cause}. The "
                "work goes on without; what is not kept is computed again by the next run. Make "
                "room (`tfxfer cache --clear`) or choose another place (--cache-dir, "
                "TFXFER_CACHE_DIR).",
            )

    def entries(self) -> list[Entry]:
        """Returns what there is, the entry used longest ago first."""
        found = []
        for folder in self._folders():
            index = folder / "index.npz"
            with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                with index.open("rb") as file, np.load(file) as content:
                    num_rows, about = len(content["ids"]), json.loads(str(content["about"]))
                used, num_bytes = index.stat().st_mtime, _size(folder)
                found.append(
                    Entry(folder.parent.name, folder.name, about, num_rows, num_bytes, used)
                )
        return sorted(found, key=lambda entry: entry.used)

    def clear(self) -> int:
        """Removes every entry, damaged and half-written ones too, and returns how many bytes."""
        num_bytes = 0
        for folder in self._folders():
            if folder.parent.name in KINDS:
                num_bytes += _size(folder)
                shutil.rmtree(folder, ignore_errors=True)
        return num_bytes

    def _folders(self) -> list[pathlib.Path]:
        """Returns the folders of all entries; others may be removing them meanwhile."""
        kinds = [kind for kind in _listed(self.directory) if kind.is_dir()]
        return [folder for kind in kinds for folder in _listed(kind) if folder.is_dir()]

    def _evict(self, kept: pathlib.Path) -> None:
        """Removes the entries used longest ago until the rest is small enough.

        What a process that was killed had half written goes, too, a day later.
        """
        for half in (file for folder in self._folders() for file in _listed(folder)):
            with contextlib.suppress(OSError):
                is_old = time.time() - half.stat().st_mtime > _HALF_WRITTEN_SECONDS
                if half.match(".*.rows.npy") and is_old:
                    half.unlink()
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


def _remove(files: list[pathlib.Path]) -> None:
    """Removes files, and the folders of the entry and of its kind where nothing else is in them."""
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
            file.parent.rmdir()
            file.parent.parent.rmdir()


def _size(folder: pathlib.Path) -> int:
    """Returns the bytes of the files of a folder; others may be removing them meanwhile."""
    total = 0
    for file in _listed(folder):
        with contextlib.suppress(OSError):
            total += file.stat().st_size
    return total


def _digest(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[: 2 * ID_BYTES]
