"""Folders of images, one for each class, at the root or under `train`, `validation`, `test`."""

import concurrent.futures
import functools
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.cache import ID_BYTES, id_of
from tfxfer.errors import DataError, UsageError, did_you_mean
from tfxfer.images import EXTENSIONS, FORMATS
from tfxfer.progress import Progress
from tfxfer.sources.source import (
    SPLIT_OF,
    SPLITS,
    Source,
    Split,
    first_few,
    in_any_order,
    safe_name,
    typical_height_and_width,
)

# Files that are read at a time.
_BLOCK = 1024


def open_folder(root: pathlib.Path) -> Source:
    """Returns the images in a directory of class folders, or of `train` and other split folders.

    Classes are in the order of their names, the images of a class in that of their paths; folders
    inside a class folder belong to the class. Names that begin with a dot are ignored, files that
    are not JPEG, PNG, BMP, GIF or WebP by their extension are left out with a note.

    Raises:
        UsageError: The directory is not laid out like that.
        DataError: A directory cannot be listed.
    """
    notes: list[str] = []
    folders = _split_folders(root, notes)
    train = _read_split(folders["train"], notes)
    class_names = tuple(train)
    if len(class_names) < 2:
        raise UsageError(_too_few_classes(folders["train"], class_names))
    for name, paths in train.items():
        if not paths:
            raise UsageError(
                f"The class folder '{folders['train'] / name}' has no images. Add some, or remove "
                "the folder."
            )
    splits = {"train": _split(train, class_names)}
    known = frozenset(class_names)
    for split_name, folder in folders.items():
        if split_name == "train":
            continue
        found = _read_split(folder, notes)
        for name in found:
            if name not in known:
                raise UsageError(
                    f"The class folder '{folder / name}' has no counterpart in "
                    f"'{folders['train']}'.{did_you_mean(name, class_names)}"
                )
        if not any(found.values()):
            raise UsageError(
                f"Found no images in class folders in '{folder}'. Add some, or remove the folder."
            )
        splits[split_name] = _split(found, class_names)
    name = safe_name(root.resolve().name)  # "." has no base name of its own
    size = typical_height_and_width(splits["train"])
    return Source(name, class_names, splits, size, notes=tuple(notes))


def _split_folders(root: pathlib.Path, notes: list[str]) -> dict[str, pathlib.Path]:
    """Returns where each split lies; `train` alone, at the root, where classes lie at the root."""
    folders = _visible(root)[0]
    named = [folder for folder in folders if folder.name.lower() in SPLIT_OF]
    # A class may have the name "train"; but then it holds images rather than folders.
    holding_folders = [folder for folder in named if _visible(folder)[0]]
    if not holding_folders and (not named or len(named) < len(folders)):
        return {"train": root}
    splits: dict[str, pathlib.Path] = {}
    for split in SPLITS:
        found = [folder for folder in named if SPLIT_OF[folder.name.lower()] == split]
        if len(found) > 1:
            both = " and ".join(f"'{folder.name}'" for folder in found)
            raise UsageError(f"'{root}' has {both}, which mean the same split. Keep one of them.")
        if found:
            splits[split] = found[0]
    if "train" not in splits:
        raise UsageError(
            f"'{root}' has '{named[0].name}' but no 'train'. Put the class folders with the images "
            f"to learn from into '{root / 'train'}'."
        )
    others = [folder.name for folder in folders if folder not in named]
    if others:
        notes.append(
            f"left out of '{root}', beside 'train': {first_few(others, 'folder', 'folders')}"
        )
    return splits


def _read_split(folder: pathlib.Path, notes: list[str]) -> dict[str, list[str]]:
    """Returns the paths of the images of each class folder."""
    class_folders, files = _visible(folder)
    if files and class_folders:
        names = first_few([file.name for file in files], "file", "files")
        notes.append(f"left out of '{folder}', beside its class folders: {names}")
    left_out: list[str] = []
    paths = {class_folder.name: _images(class_folder, left_out) for class_folder in class_folders}
    if left_out:
        names = first_few([os.path.relpath(path, folder) for path in left_out], "file", "files")
        notes.append(f"left out of '{folder}', not named as {FORMATS} files: {names}")
    return paths


def _images(folder: pathlib.Path, left_out: list[str]) -> list[str]:
    """Returns the images in a folder and the folders in it, in the order of their paths."""
    found: list[str] = []
    pending, seen = [folder], set()
    while pending:
        directory = pending.pop()
        real = os.path.realpath(directory)
        if real in seen:  # a link that leads back
            continue
        seen.add(real)
        folders, files = _visible(directory)
        pending += folders
        for file in files:
            (found if file.suffix.lower() in EXTENSIONS else left_out).append(str(file))
    left_out.sort()
    return sorted(found)


def _visible(directory: pathlib.Path) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Returns the folders and the files in a directory, by name, without the hidden ones."""
    try:
        entries = sorted(path for path in directory.iterdir() if path.name[0] != ".")
    except OSError as error:
        raise DataError(f"Cannot list '{directory}': {error.strerror}.") from error
    folders = [path for path in entries if path.is_dir()]
    return folders, [path for path in entries if not path.is_dir()]


def _split(paths: dict[str, list[str]], class_names: Sequence[str]) -> Split:
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


def _too_few_classes(folder: pathlib.Path, class_names: Sequence[str]) -> str:
    """Returns the message for a directory with one class folder or none."""
    layout = (
        "Expected one folder of images for each class, or a folder 'train' that holds such folders."
    )
    if class_names:
        return f"Found 1 class folder in '{folder}'; a classifier needs at least 2. {layout}"
    files = _visible(folder)[1]
    num_images = sum(file.suffix.lower() in EXTENSIONS for file in files)
    if num_images:
        return f"Found {num_images:,} images but no class folders in '{folder}'. {layout}"
    if files:
        return f"Found neither class folders nor images in '{folder}'. {layout}"
    return f"The directory '{folder}' is empty. {layout}"
