"""Folders of images, one for each class, at the root or under `train`, `validation`, `test`."""

import itertools
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from tfxfer.data.cache import Cache
from tfxfer.data.source import Source, Split
from tfxfer.data.sources.files import split_of_files
from tfxfer.data.sources.folders.layout import read_layout
from tfxfer.data.sources.sizes import typical_height_and_width
from tfxfer.system.names import safe_name


def open_folder(
    root: pathlib.Path, *, needs_train: bool = True, cache: Cache | None = None
) -> Source:
    """Returns the images in a directory of class folders, or of `train` and other split folders.

    Classes are in the order of their names, the images of a class in that of their paths; folders
    inside a class folder belong to the class. What is no data is left out with a note; see `layout`
    and `walk`.

    Args:
        root: The directory.
        needs_train: Whether there must be a split to train on, with at least two classes.
        cache: Where digests of files are kept between runs; None for the default one.

    Raises:
        UsageError: The directory is not laid out like that.
        DataError: A directory cannot be listed.
    """
    layout = read_layout(root, needs_train=needs_train)
    class_names = layout.class_names
    splits = {name: _split(images, class_names, cache) for name, images in layout.images.items()}
    name = safe_name(root.resolve().name)  # "." has no base name of its own
    size = typical_height_and_width(next(iter(splits.values())))
    return Source(name, class_names, splits, size, notes=layout.notes)


def _split(
    paths: Mapping[str, list[str]], class_names: Sequence[str], cache: Cache | None
) -> Split:
    """Returns the images of a split, class by class."""
    of_classes = [paths.get(name, []) for name in class_names]
    labels = np.repeat(np.arange(len(class_names)), list(map(len, of_classes)))
    return split_of_files(list(itertools.chain(*of_classes)), labels, cache)
