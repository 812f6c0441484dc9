"""Digests of the content of files; those that earlier runs have read are not read again."""

import concurrent.futures
import functools
import os
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tfxfer.data.cache import Cache
from tfxfer.data.sources.kept_digests import NO_STATE, KeptDigests, state_of, with_states
from tfxfer.system.digests import ID_BYTES, Ids, id_of
from tfxfer.system.progress import Progress

# Files of one turn; within a turn the number of threads stays the same.
_TURN = 1024

# Numbers of threads, each of which is tried in one turn of so many; the fastest takes the others.
# Where files are small and in memory, several threads only wait for each other; with a disk or a
# network in between, or large files to hash, one takes up to twice as long.
_NUMBERS, _TURNS = (16, os.cpu_count() or 1, 1), 48

# As bytes (on Windows), and closed in processes that are started meanwhile.
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def file_digests(paths: Sequence[str], cache: Cache | None = None) -> Ids:
    """Returns the digests of files by their content; an unreadable file has its path's.

    Files that have not changed since an earlier run read them are not opened; see `kept_digests`.

    Args:
        paths: Of the files.
        cache: Where digests are kept between runs; None for the default one.

    Returns:
        Shape (num_files, 16).
    """
    if not len(paths):
        return np.zeros((0, ID_BYTES), np.uint8)
    kept = KeptDigests.of(paths, cache or Cache.of(None))
    taken: list[_Taken] = []
    try:
        taken += _all_taken(paths, kept)
    finally:  # where it was interrupted, too
        if taken:
            ids, digests, num_new, num_bytes = zip(*taken, strict=True)
            found = np.concatenate(digests)
            kept.keep(np.concatenate(ids), found, sum(num_new), sum(num_bytes))
    return found


class _Taken(NamedTuple):
    """Digests of some files.

    Attributes:
        ids: By which they are kept.
        digests: Of their contents.
        num_new: How many files were read whose digests may be kept.
        num_bytes: How much was read.
    """

    ids: Ids
    digests: Ids
    num_new: int
    num_bytes: int


class _Read(NamedTuple):
    """The digest of a file that was read, its state if it may be kept, and its size."""

    digest: bytes
    state: bytes
    num_bytes: int


def _all_taken(paths: Sequence[str], kept: KeptDigests) -> Iterator[_Taken]:
    """Yields the digests of files, some at a time, in their order."""
    rates = dict.fromkeys(_NUMBERS, 0.0)
    with (
        concurrent.futures.ThreadPoolExecutor(max(_NUMBERS)) as threads,
        Progress("files", len(paths)) as shown,
    ):
        for turn, start in enumerate(range(0, len(paths), _TURN)):
            tried = _NUMBERS[turn % _TURNS : turn % _TURNS + 1]
            number = tried[0] if tried else max(_NUMBERS, key=rates.__getitem__)
            some, begun = paths[start : start + _TURN], time.perf_counter()
            length = -(-len(some) // number)
            blocks = [some[first : first + length] for first in range(0, len(some), length)]
            yield from list(threads.map(functools.partial(_take, kept=kept), blocks))
            rates[number] = len(some) / (time.perf_counter() - begun)
            shown.update(start + len(some))


def _take(paths: Sequence[str], kept: KeptDigests) -> _Taken:
    """Returns the digests of some files, and reads what is not kept."""
    ids = kept.ids_of(paths)
    digests, is_kept = kept.look_up(ids)
    new = np.flatnonzero(~is_kept)
    if not len(new):
        return _Taken(ids, digests, 0, 0)
    read = [_read(paths[place]) for place in new.tolist()]
    ids[new] = with_states(ids[new], (one.state for one in read))
    contents = b"".join(one.digest for one in read)
    digests[new] = np.frombuffer(contents, np.uint8).reshape(-1, ID_BYTES)
    num_new = sum(one.state != NO_STATE for one in read)
    return _Taken(ids, digests, num_new, sum(one.num_bytes for one in read))


def _read(path: str) -> _Read:
    try:
        file = os.open(path, _FLAGS)
        try:
            told = os.fstat(file)
            state = state_of(told, time.time_ns())
            content = os.read(file, told.st_size + 1)
            if len(content) != told.st_size:  # it is no plain file, or lies on a slow network
                parts = [content]
                while parts[-1]:
                    parts.append(os.read(file, 2**24))
                content = b"".join(parts)
        finally:
            os.close(file)
    except (OSError, ValueError):
        # Whoever reads the image will say what is wrong with it.
        return _Read(id_of(b"unreadable", os.fsencode(path)), NO_STATE, 0)
    return _Read(id_of(content), state, len(content))
