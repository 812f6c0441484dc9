"""Folders of images, one for each class, at the root or under `train`, `validation`, `test`."""

import concurrent.futures
import functools
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.data.image.sizes import typical_height_and_width
from tfxfer.data.source import Source, Split, in_any_order
from tfxfer.data.sources.layout import read_layout
from tfxfer.system.digests import ID_BYTES, id_of
from tfxfer.system.names import safe_name
from tfxfer.system.progress import Progress

# Files that are read at a time.
_BLOCK = 1024


def open_folder(root: pathlib.Path) -> Source:
    """Returns the images in a directory of class folders, or of `train` and other split folders.

    Classes are in the order of their names, the images of a class in that of their paths; folders
    inside a class folder belong to the class. What is no data is left out with a note; see `layout`
    and `walk`.

    Raises:
        UsageError: The directory is not laid out like that.
        DataError: A directory cannot be listed.
    """
    layout = read_layout(root)
    splits = {name: _split(images, layout.class_names) for name, images in layout.images.items()}
    name = safe_name(root.resolve().name)  # "." has no base name of its own
    size = typical_height_and_width(splits["train"])
    return Source(name, layout.class_names, splits, size, notes=layout.notes)


def _split(paths: Mapping[str, list[str]], class_names: Sequence[str]) -> Split:
    """Returns the images of a split, class by class."""
    all_paths = [path for name in class_names for path in paths.get(name, ())]
    labels = [label for label, name in enumerate(class_names) for _ in paths.get(name, ())]
    # As bytes, for a file name need not be valid UTF-8.
    table = tf.constant([os.fsencode(path) for path in all_paths])
    return in_any_order(
        np.array(labels, np.int64),
        lambda index: tf.io.read_file(tf.gather(table, index)),
        lambda index: all_paths[index],
        # Once, for it reads every file.
        functools.cache(lambda: file_digests(all_paths)),
    )


def file_digests(paths: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Returns the digests of files by their content; a file that cannot be read has its path's."""

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
