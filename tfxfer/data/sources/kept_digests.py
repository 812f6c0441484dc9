"""The digests of files that earlier runs have read, found by what the file system says of a file.

Each folder from which files were listed has an entry of the cache. Its ids are for each file eight
bytes of a digest of its path below the folder, and eight of one of its state: size, time of
modification, time of change, and inode. Its rows are the digests of the contents. So a file takes
32 bytes.

A program can set the time of modification, but not the time of change. So another content is
another state, except that what is written twice within a tick of the clock has the same times
twice. Therefore nothing is kept of a file that had just changed when it was read. Git does likewise
("racy-git").
"""

import hashlib
import os
import struct
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from tfxfer.data.cache import Cache
from tfxfer.system.digests import ID_BYTES, Ids, key_of

KIND = "digests"

_HALF = ID_BYTES // 2

# The state of a file of which nothing is kept.
NO_STATE = bytes(_HALF)

# The longest tick: FAT counts time in steps of two seconds.
_SETTLED_NANOSECONDS = 2 * 10**9

# What is new is written when it is so many files, or so many bytes were read of them. To read less
# again takes a moment; to write millions of digests for each new file takes longer.
_WORTH_FILES, _WORTH_BYTES = 256, 64 * 10**6

# Other listings of a folder may have files that one has not; so many of them stay.
_MOST_OTHERS = 1_000_000

_FACTS = struct.Struct("<qqqQ")
_INODE = 2**64 - 1


def state_of(told: os.stat_result, now: int = 0) -> bytes:
    """Returns the state of a file, 8 bytes; `NO_STATE` if it has just changed.

    Args:
        told: What the file system says of it.
        now: Nanoseconds since 1970, from before it is read; 0 where it is not to be read.
    """
    # Without the number of the device, which may be another one when the machine has started again.
    modified, changed = told.st_mtime_ns, told.st_ctime_ns
    if now and max(modified, changed) >= now - _SETTLED_NANOSECONDS:
        return NO_STATE
    facts = _FACTS.pack(told.st_size, modified, changed, told.st_ino & _INODE)
    return hashlib.blake2b(facts, digest_size=_HALF).digest()


class KeptDigests:
    """What is kept of the files in a folder.

    Args:
        folder: In which all the files are, as their paths begin; "" is the current directory.
        cache: Where it is kept.
    """

    def __init__(self, folder: str, cache: Cache) -> None:
        self._start = len(folder)
        self._folder = os.path.abspath(folder)
        self._key = key_of({"folder": self._folder})
        self._cache = cache
        self._read()

    @classmethod
    def of(cls, paths: Sequence[str], cache: Cache) -> Self:
        """Returns what is kept of files in the innermost folder that all of them are in."""
        first, last = min(paths), max(paths)
        length = next(
            (place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
            len(first),
        )
        return cls(first[: first.rfind(os.sep, 0, length) + 1], cache)

    def _read(self) -> None:
        nothing: Ids = np.zeros((0, ID_BYTES), np.uint8)
        ids, digests = self._cache.read(KIND, self._key) or (nothing, nothing)
        if any(part.dtype != np.uint8 or part.shape[1:] != (ID_BYTES,) for part in (ids, digests)):
            ids = digests = nothing  # corrupt
        self._ids, self._digests = ids, digests
        self._paths = _of_paths(self._ids)  # ascending

    def ids_of(self, paths: Sequence[str]) -> Ids:
        """Returns what the digests of files are found by, (num_files, 16)."""
        ids = np.zeros((len(paths), ID_BYTES), np.uint8)
        names = (os.fsencode(path[self._start :]) for path in paths)
        ids[:, :_HALF] = _rows(hashlib.blake2b(name, digest_size=_HALF).digest() for name in names)
        if len(self._ids):  # else there is nothing to find
            ids[:, _HALF:] = _rows(map(_state_at, paths))
        return ids

    def look_up(self, ids: Ids) -> tuple[Ids, npt.NDArray[np.bool_]]:
        """Returns the digest of each file, (num_files, 16), and of which files one is kept."""
        if not len(self._ids):
            return np.zeros_like(ids), np.zeros(len(ids), np.bool_)
        places = np.searchsorted(self._paths, _of_paths(ids)).clip(max=len(self._ids) - 1)
        is_kept: npt.NDArray[np.bool_] = (self._ids[places] == ids).all(axis=1)
        return self._digests[places], is_kept

    def keep(self, ids: Ids, digests: Ids, num_new: int, num_bytes: int) -> None:
        """Keeps the digests of files for later runs, if enough of them are new.

        Args:
            ids: Of all files of a listing, with states from when each was read.
            digests: Of their contents.
            num_new: How many of them were read and may be kept.
            num_bytes: How much was read.
        """
        if not num_new or (num_new < _WORTH_FILES and num_bytes < _WORTH_BYTES):
            return
        self._read()  # another process may have written meanwhile
        paths, at_first = np.unique(_of_paths(ids), return_index=True)
        others = np.flatnonzero(~np.isin(self._paths, paths))
        others = others[: max(_MOST_OTHERS, len(paths))]
        mine = at_first[ids[at_first, _HALF:].any(axis=1)]
        ids = np.concatenate([ids[mine], self._ids[others]])
        digests = np.concatenate([digests[mine], self._digests[others]])
        order = np.argsort(_of_paths(ids))
        what = {"what": f"files in '{self._folder}'"}
        rows = [digests[order]]
        self._cache.write(KIND, self._key, ids[order], rows, np.uint8, (ID_BYTES,), what)


def with_states(ids: Ids, states: Iterable[bytes]) -> Ids:
    """Returns ids with other states."""
    found = ids.copy()
    found[:, _HALF:] = _rows(states)
    return found


def _state_at(path: str) -> bytes:
    try:
        return state_of(os.stat(path))
    except (OSError, ValueError):  # with a NUL
        return NO_STATE


def _rows(halves: Iterable[bytes]) -> Ids:
    return np.frombuffer(b"".join(halves), np.uint8).reshape(-1, _HALF)


def _of_paths(ids: Ids) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(ids).view(np.uint64)[:, 0]
