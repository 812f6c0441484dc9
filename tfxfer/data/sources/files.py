"""Image files as a split: read by index, identified by content."""

import concurrent.futures
import functools
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.data.labels.targets import Labels
from tfxfer.data.source import Split, in_any_order
from tfxfer.system.digests import ID_BYTES, id_of
from tfxfer.system.progress import Progress

# Files that are read at a time.
_BLOCK = 1024


def split_of_files(paths: Sequence[str], labels: Labels) -> Split:
    """Returns image files as a split, each read when needed.

    Args:
        paths: In their order; they are the ids of the examples.
        labels: Of either kind; see `labels.targets`.
    """
    # As bytes, for a file name need not be valid UTF-8.
    table = tf.constant([os.fsencode(path) for path in paths], tf.string)
    return in_any_order(
        labels,
        lambda index: tf.io.read_file(tf.gather(table, index)),
        lambda index: paths[index],
        # Once, for it reads every file.
        functools.cache(lambda: file_digests(paths)),
    )


def file_digests(paths: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Returns the digests of files by their content; an unreadable file has its path's."""

    def digest(path: str) -> bytes:
        try:
            return id_of(pathlib.Path(path).read_bytes())
        except OSError:
            # Whoever reads the image will say what is wrong with it.
            return id_of(b"unreadable", os.fsencode(path))

    found: list[bytes] = []
    # Reading waits for the disk, and hashing lets go of the interpreter.
    with concurrent.futures.ThreadPoolExecutor() as threads, Progress("files", len(paths)) as shown:
        for start in range(0, len(paths), _BLOCK):
            found += threads.map(digest, paths[start : start + _BLOCK])
            shown.update(len(found))
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, ID_BYTES)
