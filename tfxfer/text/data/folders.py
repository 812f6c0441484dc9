"""Folders of text files, one folder per class."""

import pathlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from tfxfer.data.split_names import SPLITS, split_of
from tfxfer.errors import UsageError
from tfxfer.system.run_layout import is_work
from tfxfer.text.data.encoding import read_text
from tfxfer.text.data.source import TextSplit

SUFFIX = ".txt"

# Folders beside the classes whose texts have no label, as in IMDB.
_UNLABELED = ("unsup", "unsupervised", "unlabeled", "unlabelled")


@dataclass
class Found:
    """What a folder of texts has.

    Attributes:
        class_names: In their order.
        splits: The texts by split; "train" alone if the folder has no splits.
        notes: What was left out.
    """

    class_names: tuple[str, ...]
    splits: dict[str, TextSplit]
    notes: list[str] = field(default_factory=list)


def read_folder(root: pathlib.Path, encoding: str) -> Found:
    """Reads a folder with one folder of `.txt` files per class, perhaps within splits.

    Args:
        root: The folder: it has `train`, `validation` or `test`, or else the classes.
        encoding: Encoding of the files.

    Raises:
        UsageError: There are no texts, or some of a split that means another one, too.
        DataError: A file has another encoding.
    """
    split_folders = _split_folders(root)
    notes: list[str] = []
    places = split_folders or {"train": root}
    files = {split: _class_files(folder, notes) for split, folder in places.items()}
    class_names = tuple(sorted({name for found in files.values() for name in found}))
    if not class_names:
        raise UsageError(
            f"The folder '{root}' has no classes of texts: it needs a folder per class with "
            f"{SUFFIX} files, perhaps inside 'train' and 'test'."
        )
    splits = {
        split: _read_split(files[split], class_names, encoding)
        for split in SPLITS
        if files.get(split)
    }
    return Found(class_names, splits, notes)


def _split_folders(root: pathlib.Path) -> dict[str, pathlib.Path]:
    """Returns the folders of splits; none if the folder has classes.

    Raises:
        UsageError: Two folders mean one split.
    """
    found: dict[str, pathlib.Path] = {}
    for folder in _folders(root):
        split = split_of(folder.name)
        if split is None or not any(True for _ in _folders(folder)):
            continue
        if split in found:
            raise UsageError(
                f"The folders '{found[split]}' and '{folder}' both mean the split '{split}'. "
                "Rename or merge them."
            )
        found[split] = folder
    return found


def _class_files(folder: pathlib.Path, notes: list[str]) -> dict[str, list[pathlib.Path]]:
    """Returns the texts of each class, and notes on what is no class."""
    files = {}
    for one in _folders(folder):
        found = sorted(path for path in _texts(one))
        if one.name.lower() in _UNLABELED:
            what = "1 text" if len(found) == 1 else f"{len(found):,} texts"
            notes.append(f"left out '{one}': {what} without a label")
        elif found:
            files[one.name] = found
    return files


def _texts(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the text files in a folder and its subfolders."""
    for path in folder.rglob("*"):
        if path.suffix.lower() == SUFFIX and path.name[0] != "." and path.is_file():
            yield path


def _folders(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the folders in a folder, in their order, without hidden ones and our own output."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name[0] != "." and not is_work(path):
            yield path


def _read_split(
    files: Mapping[str, list[pathlib.Path]], class_names: tuple[str, ...], encoding: str
) -> TextSplit:
    """Returns the texts of a split, class by class."""
    paths = [path for name in class_names for path in files.get(name, [])]
    labels = [label for label, name in enumerate(class_names) for _ in files.get(name, [])]
    texts = [read_text(path, encoding) for path in paths]
    return TextSplit(texts, np.array(labels, np.int64), list(map(str, paths)))


def texts_in(path: pathlib.Path) -> list[pathlib.Path]:
    """Returns a file itself, or the text files of a folder and its subfolders, sorted.

    Raises:
        UsageError: There is no such file, or no text in the folder.
    """
    if path.is_dir():
        found = sorted(_texts(path))
        if not found:
            raise UsageError(f"The folder '{path}' has no {SUFFIX} files.")
        return found
    if not path.exists():
        raise UsageError(f"There is no file '{path}'.")
    return [path]
