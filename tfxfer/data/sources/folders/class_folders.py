"""The class folders in a folder, and whether they can be read in one way alone."""

import os
import pathlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tfxfer.data.source import canonical, first_few
from tfxfer.data.sources.folders.walk import Walk
from tfxfer.data.split_names import split_of
from tfxfer.errors import UsageError

# Up to this part of a class's images may lie beside folders that look like classes of their own.
_STRAY_PART = 0.1

OR_MANIFEST = "list the images in a manifest, a CSV file with the columns path, label and split"


@dataclass(frozen=True)
class ClassFolder:
    """A class folder, or several whose names Unicode holds for one.

    Attributes:
        key: Its canonical name.
        names: As the folders spell it.
        images: All of them.
        num_direct: How many of the images lie in the folder itself.
        inner: The names of the folders in it.
    """

    key: str
    names: tuple[str, ...]
    images: list[str]
    num_direct: int
    inner: tuple[str, ...]


def read_class_folders(folder: pathlib.Path, walk: Walk, notes: list[str]) -> list[ClassFolder]:
    """Returns the class folders in a folder, in the order of their canonical names.

    Args:
        folder: That of a split, or of all data.
        walk: By which it is listed.
        notes: Gets lines on how the folders were read.

    Raises:
        UsageError: What is in the class folders may as well be splits, or classes of their own.
        DataError: A folder cannot be listed.
    """
    folders, files = walk.entries(folder)
    if files and folders:
        names = first_few([os.path.basename(file) for file in files], "file", "files")
        notes.append(f"left out of '{folder}', next to its class folders: {names}")
    members: dict[str, list[pathlib.Path]] = {}
    for path in folders:
        members.setdefault(canonical(path.name), []).append(path)
    classes = [_read_class(key, members[key], walk) for key in sorted(members)]
    _refuse_splits_in_classes(folder, classes, notes)
    _refuse_classes_below_train(folder, classes, walk)
    _refuse_two_readings(folder, classes)
    if len(classes) > 1 and all(_holds_folders_only(one) and len(one.inner) > 1 for one in classes):
        name, inner = classes[0].names[0], classes[0].inner[0]
        notes.append(
            f"the classes are the top-level folders of '{folder}'; images in nested folders belong "
            f"to them, such as those in '{name}/{inner}' to '{name}'"
        )
    return classes


def _read_class(key: str, folders: Sequence[pathlib.Path], walk: Walk) -> ClassFolder:
    inner: dict[str, None] = {}
    images: list[str] = []
    direct = 0
    for folder in folders:
        below = walk.images(folder)
        images += below
        inner |= dict.fromkeys(one.name for one in walk.entries(folder)[0])
        start = len(str(folder)) + 1
        direct += sum("/" not in path[start:] for path in below)
    names = tuple(folder.name for folder in folders)
    return ClassFolder(key, names, sorted(images), direct, tuple(inner))


def _holds_folders_only(one: ClassFolder) -> bool:
    """Tells whether the images of a class lie in folders of their own, but for a few strays."""
    return bool(one.inner) and one.num_direct <= _STRAY_PART * len(one.images)


def _refuse_splits_in_classes(
    folder: pathlib.Path, classes: Sequence[ClassFolder], notes: list[str]
) -> None:
    """Raises a UsageError where the splits lie below the classes: cat/train, cat/test.

    A single folder of such a name in a single class is part of the class, with a note.
    """
    inside = {
        one.names[0]: {name: split for name in one.inner if (split := split_of(name)) is not None}
        for one in classes
    }
    inside = {name: found for name, found in inside.items() if found}
    splits = {split for found in inside.values() for split in found.values()}
    if not splits - {"train"}:
        return
    shown = [f"{name}/{inner}" for name, found in inside.items() for inner in found]
    if len(inside) == 1 and len(splits) == 1:
        notes.append(f"images in '{folder / shown[0]}' belong to class '{next(iter(inside))}'")
        return
    moves = ", ".join(
        f"'{name}/{inner}' to '{split}/{name}'"
        for name, found in list(inside.items())[:1]
        for inner, split in found.items()
    )
    raise UsageError(
        f"'{folder}' can be read in two ways: {quoted(shown)} are either splits of the classes "
        f"{quoted(inside)}, or folders of training images. For splits, move {moves}, and so on, or "
        f"{OR_MANIFEST}. For training images, give those folders names that are not splits."
    )


def _refuse_classes_below_train(
    folder: pathlib.Path, classes: Sequence[ClassFolder], walk: Walk
) -> None:
    """Raises a UsageError where all class folders hold a split 'train' that holds classes."""
    below = [folder / one.names[0] / name for one in classes for name in one.inner]
    if len(classes) < 2 or not all(_holds_folders_only(one) for one in classes):
        return
    if not all(split_of(path.name) == "train" and walk.entries(path)[0] for path in below):
        return
    outer = [one.names[0] for one in classes]
    raise UsageError(
        f"'{folder}' can be read in two ways, because each of its folders contains a folder "
        f"'{below[0].name}' with more folders: the classes are {quoted(outer)}, or they are the "
        f"folders in '{below[0]}'. For the latter, use one of them, such as --data "
        f"'{below[0].parent}', or move all class folders into '{folder / 'train'}'. For the "
        f"classes {quoted(outer)}, move the images directly into these folders. For either, "
        f"{OR_MANIFEST}."
    )


def _refuse_two_readings(folder: pathlib.Path, classes: Sequence[ClassFolder]) -> None:
    """Raises a UsageError where all class folders hold the same folders, as folds do."""
    if len(classes) < 2 or not all(_holds_folders_only(one) for one in classes):
        return
    common = set.intersection(*({canonical(name) for name in one.inner} for one in classes))
    if len(common) < 2:  # such as cat/images and dog/images: these are no classes
        return
    outer = [one.names[0] for one in classes]
    inner = sorted(common)
    raise UsageError(
        f"'{folder}' can be read in two ways, because each of its folders contains folders of the "
        f"same names: the classes are {quoted(outer)}, or they are {quoted(inner)}. For the "
        f"classes {quoted(inner)}, use one folder, such as --data '{folder / outer[0]}', or rename "
        "the folders above them to 'train', 'validation' and 'test'. For the classes "
        f"{quoted(outer)}, move the images directly into these folders. For either, or if the "
        f"folders are folds, {OR_MANIFEST}."
    )


def quoted(names: Iterable[str]) -> str:
    """Returns the first few names in quotes."""
    names = list(names)
    shown = ", ".join(f"'{name}'" for name in names[:5])
    return f"{shown} and {len(names) - 5:,} more" if len(names) > 5 else shown
