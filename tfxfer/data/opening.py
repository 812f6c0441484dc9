"""Where images and labels come from: folders, manifests, TFRecords, TFDS, Hugging Face, digits.

`open_source` gives any of them the same form: class names, and for each split the labels in a
stable order with a way to read the images in that order. Only `train` is required of the data: a
validation split that is missing is split off it, and so is a test split when the data have no
other split. No image is in two splits.
"""

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tfxfer.config.paths import expand_user, is_url
from tfxfer.config.schema import BUNDLED_DATA, RunConfig
from tfxfer.data.cache import Cache
from tfxfer.data.contents import NearCopyGroups
from tfxfer.data.labels.reading import AS_GIVEN, LabelReading
from tfxfer.data.libraries.huggingface import PREFIX, is_saved
from tfxfer.data.libraries.slices import refuse_slices, slices_of
from tfxfer.data.libraries.tfds import is_prepared_directory
from tfxfer.data.remote.opening import ListedFiles, open_url
from tfxfer.data.source import Source
from tfxfer.data.sources import huggingface, tfds, tfrecords
from tfxfer.data.sources.channels import with_channels
from tfxfer.data.sources.digits import open_digits
from tfxfer.data.sources.folders.folder import open_folder
from tfxfer.data.sources.manifests import manifest
from tfxfer.data.splitting import disjoint, divide, near_copies_together
from tfxfer.errors import UsageError

_HIDDEN = (
    f"read from the folder '{BUNDLED_DATA}' in the current directory; rename it to use the bundled "
    f"{BUNDLED_DATA}"
)


def open_source(config: RunConfig, near_copies: NearCopyGroups | None = None) -> Source:
    """Returns the images and labels that `config.data` names, divided into splits.

    All files are read once: splitting, duplicates and limits are decided by content. Nothing is
    decoded but a sample that tells the typical size of the images.

    Reads the settings `data`, `data_dir`, `channels`, `label*`, `seed`, `*_fraction` and
    `*_examples`.

    Args:
        config: The settings.
        near_copies: What is to stay in one split, beside exact duplicates and groups; None for
            nothing else.

    Raises:
        UsageError: There are no such data, or their layout does not suit a classifier.
        DataError: The data are known, but not available locally and cannot be downloaded.
    """
    source = open_undivided(config)
    return divided(dataclasses.replace(source, near_copies=near_copies), config)


def open_undivided(config: RunConfig) -> Source:
    """Returns the data of the settings with the splits they come with; see `open_source`.

    Raises:
        UsageError, DataError: As of `open_source`.
    """
    source = open_as_it_is(
        config.data, config.data_dir, how=LabelReading.of(config), cache=Cache.of(config)
    )
    return with_channels(source, config.channels)


def divided(source: Source, config: RunConfig) -> Source:
    """Returns an open source in the splits of the settings; see `open_source`.

    Raises:
        UsageError, DataError: They cannot be divided.
    """
    given, near, notes = source.splits, source.near_copies, list[str]()
    if near is not None:
        given, notes = near_copies_together(given, near, source.class_names)
    splits, more = divide(given, source.class_names, config)
    notes += more
    return dataclasses.replace(
        source,
        splits=splits,
        notes=(*source.notes, *notes),
    )


def as_it_comes(source: Source) -> Source:
    """Returns data in the splits they come with; no image is in two of them.

    Raises:
        DataError: Every image of a split is in another one, too.
    """
    splits, notes = disjoint(source.splits, source.class_names)
    return dataclasses.replace(source, splits=splits, notes=(*source.notes, *notes))


def open_as_it_is(
    name: str,
    data_dir: str | None = None,
    *,
    needs_train: bool = True,
    how: LabelReading = AS_GIVEN,
    cache: Cache | None = None,
) -> Source:
    """Returns data with the splits they come with.

    A URL is that of a directory or file. Else a directory or file of that name comes first, then
    `digits`, then the TFDS datasets.

    Args:
        name: As of the setting `data`.
        data_dir: As of the setting `data_dir`.
        needs_train: Whether there must be a split to train on, with at least two classes; data
            to evaluate a model on may have one class, and only a test split.
        how: How labels are to be read; only manifests have several for an image.
        cache: What keeps digests of files, and copies of files at URLs; None for the default one.

    Raises:
        UsageError, DataError: As of `open_source`.
    """
    source = _opened(name, _Asked(data_dir, needs_train, how, cache))
    if how.is_preference:
        return source
    if how.asks_for_several and not source.has_several_labels:
        raise UsageError(
            f"Setting '{how.setting}' is for multi-label data, but '{source.name}' has one class "
            "per image. Only a manifest, .csv or .jsonl, TFRecord files, and datasets of TFDS and "
            "Hugging Face can give an image several labels; leave the setting out."
        )
    if how.target and not source.has_numbers:
        raise UsageError(
            f"Setting 'target' (--target) names a column of numbers, but '{source.name}' has "
            f"{source.kind_of_labels}. Only a manifest, .csv or .jsonl, TFRecord files, and "
            "datasets of TFDS and Hugging Face have such columns; leave the setting out."
        )
    return source


@dataclass(frozen=True)
class _Asked:
    """How data are to be opened; see `open_as_it_is`."""

    data_dir: str | None
    needs_train: bool
    how: LabelReading
    cache: Cache | None


def _opened(name: str, asked: _Asked) -> Source:
    """Returns data with the splits they come with; see `open_as_it_is`."""
    needs_train, how = asked.needs_train, asked.how
    if not name:
        raise UsageError(
            "Missing setting 'data'. It takes a directory of images, a manifest, the name of a "
            f"TFDS dataset, or '{BUNDLED_DATA}'."
        )
    if is_url(name):
        return open_url(
            name, asked.cache, _takes_file, lambda path, files: _open_path(path, asked, files)
        )
    query, name = "", expand_user(name, "Setting 'data'")
    if not _exists(name):  # a directory may have a question mark in its name
        name, _, query = name.partition("?")
    path, slices = pathlib.Path(name), slices_of(name, query)
    if _exists(name):
        if path.is_dir():
            source = _open_directory(name, path, slices, asked)
            hidden = (_HIDDEN,) if name == BUNDLED_DATA else ()
            return dataclasses.replace(source, notes=(*hidden, *source.notes))
        refuse_slices(name, slices)
        return _open_file(name, path, asked, ListedFiles(name, asked.cache))
    if name.startswith(PREFIX):
        return huggingface.open_huggingface(name, slices, needs_train=needs_train, how=how)
    if name == BUNDLED_DATA:
        refuse_slices(name, slices)
        return open_digits()
    # 'emnist/letters:3.1.0' is a name of TFDS: dataset, configuration, version.
    if not re.fullmatch(r"[A-Za-z]\w{,99}(/[\w.+-]+)?(:\d+\.\d+\.\d+)?", name):
        if pathlib.Path(name).suffix.lower() in manifest.SUFFIXES:
            raise UsageError(f"There is no manifest '{name}'.")
        what = "directory" if os.sep in name or name[0] in ".~" else "directory or dataset"
        raise UsageError(f"There is no {what} '{name}'.")
    return tfds.open_tfds(name, asked.data_dir, slices, needs_train=needs_train, how=how)


def _exists(name: str) -> bool:
    """Tells whether there is a file or directory of a name."""
    try:
        return bool(name) and pathlib.Path(name).exists()
    except (OSError, ValueError):  # too long, with a NUL
        return False


def _takes_file(name: str) -> bool:
    """Tells whether a file of a name can be data."""
    is_manifest = pathlib.Path(name).suffix.lower() in manifest.SUFFIXES
    return is_manifest or tfrecords.is_tfrecord_name(name)


def _open_path(path: pathlib.Path, asked: _Asked, files: ListedFiles) -> Source:
    """Returns the data in copies of what is at a URL."""
    if path.is_dir():
        return _open_directory(str(path), path, {}, asked)
    return _open_file(str(path), path, asked, files)


def _open_directory(
    name: str, path: pathlib.Path, slices: Mapping[str, str], asked: _Asked
) -> Source:
    """Returns what is in a directory, by the files that it holds."""
    needs_train, how = asked.needs_train, asked.how
    if is_saved(path):
        return huggingface.open_huggingface(name, slices, needs_train=needs_train, how=how)
    if is_prepared_directory(path):
        return tfds.open_tfds(name, None, slices, needs_train=needs_train, how=how)
    refuse_slices(name, slices)
    if tfrecords.holds_tfrecords(path):
        return tfrecords.open_tfrecords(path, needs_train=needs_train, how=how)
    return open_folder(path, needs_train=needs_train, cache=asked.cache)


def _open_file(name: str, path: pathlib.Path, asked: _Asked, files: ListedFiles) -> Source:
    """Returns what a file lists or holds, by its name."""
    needs_train, how = asked.needs_train, asked.how
    if not path.is_file():
        raise UsageError(f"'{name}' is neither a file nor a directory.")
    if path.suffix.lower() in manifest.SUFFIXES:
        return manifest.open_manifest(
            path,
            lambda origin, own: open_as_it_is(
                origin, asked.data_dir, needs_train=needs_train, how=own, cache=asked.cache
            ),
            files,
            needs_train=needs_train,
            how=how,
        )
    if tfrecords.is_tfrecord_name(path.name):
        return tfrecords.open_tfrecords(path, needs_train=needs_train, how=how)
    raise UsageError(
        f"'{name}' is a file, but neither a manifest ({', '.join(manifest.SUFFIXES)}) nor "
        "TFRecords (.tfrecord); setting 'data' takes these or a directory of images."
    )
