"""How a directory of images is laid out: which folders are splits, and which are classes."""

import pathlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfxfer.data.source import first_few, look_alikes
from tfxfer.data.sources.folders.class_folders import (
    OR_MANIFEST,
    ClassFolder,
    quoted,
    read_class_folders,
)
from tfxfer.data.sources.folders.walk import Walk
from tfxfer.data.split_names import SPLITS, split_of
from tfxfer.errors import UsageError, did_you_mean
from tfxfer.system.run_layout import RunDirectory, is_work

# Folders that archives and programs put around the data; names of no class.
_WRAPPERS = {
    *("all", "archive", "classes", "data", "dataset", "datasets", "files", "image", "images"),
    *("img", "imgs", "input", "photos", "pics", "pictures", "raw", "samples"),
}


_EXPECTED = (
    "Expected one folder of images per class, or a folder 'train' that contains such folders."
)


# Names of a folder with the images of both splits.
_TRAIN_AND_VALIDATION = re.compile(r"(train|training)[\W_]*(and)?[\W_]*(val|valid|validation)")


@dataclass(frozen=True)
class Layout:
    """What was found in a directory.

    Attributes:
        class_names: In the order of their canonical names, as their folders in `train` spell them.
        images: The paths of each class's images by split; `train` has all of the classes.
        notes: What was left out, and how the folders were read.
    """

    class_names: tuple[str, ...]
    images: Mapping[str, Mapping[str, list[str]]]
    notes: tuple[str, ...]


def read_layout(root: pathlib.Path, *, needs_train: bool = True) -> Layout:
    """Returns the images in a directory of class folders, or of `train` and other split folders.

    Folders inside a class folder belong to the class. Where that is one reading of two, as with
    folds or splits above or below the classes, the directory is refused.

    Args:
        root: The directory.
        needs_train: Whether there must be images to train on, of two classes or more. Otherwise the
            first split that is there says which classes there are.

    Raises:
        UsageError: The directory is not laid out like that.
        DataError: A folder cannot be listed.
    """
    _refuse_run(root)
    walk, notes = Walk(), list[str]()
    top = _unwrapped(root, walk, notes)
    folders = _split_folders(top, walk, notes, needs_train)
    first = next(iter(folders))
    images: dict[str, dict[str, list[str]]] = {}
    spelled: dict[str, str] = {}
    for split, folder in folders.items():
        folder = folder if folder == top else _unwrapped(folder, walk, notes)
        found = read_class_folders(folder, walk, notes)
        if split == first:
            spelled = _check_first_classes(folder, found, walk, 2 if needs_train else 1)
        elif needs_train:
            _check_known(folder, found, spelled, folders[first], walk)
        else:  # the model knows which classes there are
            spelled = {one.key: one.names[0] for one in found if one.images} | spelled
        named = {name for one in found for name in one.names}
        spelled_otherwise = sorted(named - set(spelled.values()))
        if spelled_otherwise:
            names = first_few([ascii(name) for name in spelled_otherwise], "name", "names")
            notes.append(
                f"names in '{folder}' that differ from a class name only in Unicode normalization "
                f"were read as that class: {names}"
            )
        images[split] = {spelled[one.key]: one.images for one in found if one.images}
    class_names = tuple(spelled[key] for key in sorted(spelled))
    notes = [*walk.notes(root), *notes, *look_alikes(class_names)]
    return Layout(class_names, images, tuple(notes))


def _split_folders(
    root: pathlib.Path, walk: Walk, notes: list[str], needs_train: bool
) -> dict[str, pathlib.Path]:
    """Returns where each split lies; `train` alone, at the root, where classes lie at the root."""
    folders = walk.entries(root)[0]
    split = {folder: split_of(folder.name) for folder in folders}
    named = [folder for folder in folders if split[folder] is not None]
    meant = {split[folder] for folder in named}
    holding_folders = [folder for folder in named if walk.entries(folder)[0]]
    # A class may have the name "train"; but then it holds images rather than folders, and is not
    # beside one called "test".
    if not holding_folders and (len(meant) < 2 or "train" not in meant):
        alone = len(named) == len(folders) == 1
        if not alone:
            return {"train": root}
    others = [folder for folder in folders if folder not in named]
    if meant == {"train"}:
        _refuse_classes_beside_train(root, named, others, walk)
    splits: dict[str, pathlib.Path] = {}
    for name in SPLITS:
        found = [folder for folder in named if split[folder] == name]
        if len(found) > 1:
            both = " and ".join(f"'{folder.name}'" for folder in found)
            raise UsageError(f"'{root}' has {both}, which are the same split. Keep one of them.")
        if found:
            splits[name] = found[0]
    if "train" not in splits and needs_train:
        raise UsageError(_no_train(root, named, others))
    if others:
        beside = first_few([folder.name for folder in others], "folder", "folders")
        first = next(iter(splits.values()))
        notes.append(f"left out of '{root}', next to '{first.name}': {beside}")
    return splits


def _no_train(
    root: pathlib.Path, named: Sequence[pathlib.Path], others: Sequence[pathlib.Path]
) -> str:
    """Returns the message for a directory that has other splits, but none to train on."""
    message = f"'{root}' has '{named[0].name}' but no 'train'."
    both = [one.name for one in others if _TRAIN_AND_VALIDATION.fullmatch(one.name.lower())]
    if both:
        return (
            f"{message} It has '{both[0]}', training and validation images in one folder. Rename "
            f"'{root / both[0]}' to 'train'; validation is split off unless there is a folder "
            "'validation'."
        )
    return f"{message} Put the class folders of the training images into '{root / 'train'}'."


def _refuse_classes_beside_train(
    root: pathlib.Path,
    named: Sequence[pathlib.Path],
    others: Sequence[pathlib.Path],
    walk: Walk,
) -> None:
    """Raises a UsageError where 'train' may be one class of several, as in bus, plane, train."""
    holding_images = [
        folder.name for folder in others if any(map(walk.is_image, walk.entries(folder)[1]))
    ]
    if len(holding_images) < 2:
        return
    raise UsageError(
        f"'{root}' can be read in two ways: '{named[0].name}' is the training split, whose "
        f"folders are the classes, or it is a class like {quoted(holding_images)}. For the "
        f"split, use --data '{named[0]}'. For the class, move its images directly into "
        f"'{named[0]}', or {OR_MANIFEST}."
    )


def _unwrapped(folder: pathlib.Path, walk: Walk, notes: list[str]) -> pathlib.Path:
    """Returns the folder that holds the data, where others were put around it: photos/photos."""
    top = folder
    while True:
        folders, files = walk.entries(top)
        if len(folders) != 1 or any(map(walk.is_image, files)):
            break
        inner, inner_files = walk.entries(folders[0])
        name, around = folders[0].name.lower(), top.resolve().name.lower()
        meant = {split_of(one.name) for one in inner if walk.entries(one)[0]}
        is_wrapper = name == around or (
            split_of(name) is None and (name in _WRAPPERS or "train" in meant)
        )
        if not is_wrapper or not inner or any(map(walk.is_image, inner_files)):
            break
        top = folders[0]
    if top != folder:
        notes.append(f"reading '{top}', the only folder in '{folder}'")
    return top


def _check_first_classes(
    folder: pathlib.Path, found: Sequence[ClassFolder], walk: Walk, least: int
) -> dict[str, str]:
    """Returns the names of the classes by their canonical ones, from the first of the splits.

    Raises:
        UsageError: There are fewer than so many, or one without images.
    """
    if len(found) < least:
        raise UsageError(_too_few_classes(folder, found, walk))
    for one in found:
        if not one.images:
            raise UsageError(
                f"The class folder '{folder / one.names[0]}' has no images. Add some, or remove "
                f"the folder.{_instead(folder / one.names[0])}"
            )
    # In a folder that has both, the canonical spelling is the name.
    return {one.key: one.key if one.key in one.names else one.names[0] for one in found}


def _check_known(
    folder: pathlib.Path,
    found: Sequence[ClassFolder],
    spelled: Mapping[str, str],
    train: pathlib.Path,
    walk: Walk,
) -> None:
    """Raises a UsageError where a split has a class that is not trained on, or no images."""
    without_labels = (
        "If these images have no labels, move them out of the data; after training, "
        "`tfxfer predict RUN FOLDER` classifies them."
    )
    for one in found:
        if one.key not in spelled and one.images:
            names = spelled.values()
            raise UsageError(
                f"The class folder '{folder / one.names[0]}' has no counterpart in '{train}'."
                f"{did_you_mean(one.names[0], names)} The classes are {quoted(names)}. Rename the "
                f"folder, or add one of that name to '{train}'. {without_labels}"
            )
    if not any(one.images for one in found):
        direct = any(map(walk.is_image, walk.entries(folder)[1]))
        raise UsageError(
            f"Found no images in class folders in '{folder}'. Add some, or remove the folder."
            + (f" {without_labels}" if direct else _instead(folder))
        )


def _too_few_classes(folder: pathlib.Path, found: Sequence[ClassFolder], walk: Walk) -> str:
    """Returns the message for a directory with one class folder or none."""
    if found:
        inner = found[0].inner
        hint = ""
        if len(inner) > 1:
            hint = (
                f" For the classes {quoted(inner)}, use the folder that contains them: --data "
                f"'{folder / found[0].names[0]}'."
            )
        return (
            f"Found 1 class folder in '{folder}'; a classifier needs at least 2. {_EXPECTED}{hint}"
        )
    files = walk.entries(folder)[1]
    num_images = sum(map(walk.is_image, files))
    if num_images:
        return f"Found {num_images:,} images but no class folders in '{folder}'. {_EXPECTED}"
    left_out = _instead(folder)
    if files or left_out:
        return f"Found neither class folders nor images in '{folder}'. {_EXPECTED}{left_out}"
    return f"The directory '{folder}' is empty. {_EXPECTED}"


def _instead(folder: pathlib.Path) -> str:
    """Returns what is in a folder that has no images, as sentences, or nothing."""
    walk = Walk()
    walk.images(folder)
    return "".join(f" {note[0].upper()}{note[1:]}." for note in walk.notes(folder))


def _refuse_run(root: pathlib.Path) -> None:
    run = RunDirectory(root)
    if is_work(root) and run.config.is_file():
        raise UsageError(
            f"'{root}' is a run, not data. The images it used are listed in '{run.splits}', which "
            "--data accepts."
        )
