"""Opens labeled texts, whatever they come from, and divides them into splits."""

import dataclasses
import pathlib

import numpy as np

from tfxfer.config.paths import is_url
from tfxfer.config.schema import FitConfig, RunConfig
from tfxfer.data.source import first_few
from tfxfer.data.splitting import disjoint, divide, near_copies_together
from tfxfer.errors import DataError, UsageError
from tfxfer.system.names import safe_name
from tfxfer.text.data.folders import Found, read_folder
from tfxfer.text.data.libraries import is_of_library, read_library
from tfxfer.text.data.manifests import is_manifest, read_manifest
from tfxfer.text.data.near_copies import near_copy_groups
from tfxfer.text.data.source import TextSource, TextSplit, said


def open_texts(config: RunConfig) -> TextSource:
    """Returns the texts and labels that `config.data` names, divided into splits.

    Texts that say the same stay in one split. A validation split that is missing is split off
    `train`, and so is a test split where the data have no other split.

    Reads the settings `data`, `data_dir`, `text.encoding`, `group_near_copies`, `seed`,
    `*_fraction` and `*_examples`.

    Raises:
        UsageError: There are no such data, or their layout does not suit a classifier.
        DataError: A file cannot be read, or has another encoding.
    """
    source = open_as_they_are(config.data, config.text.encoding, config.data_dir)
    if "train" not in source.splits:
        raise UsageError(
            f"'{config.data}' has no texts to train on: it has only {', '.join(source.splits)}."
        )
    if len(np.unique(source.splits["train"].labels)) < 2:
        raise UsageError(
            f"'{config.data}' has texts of 1 class to train on; a classifier needs at least 2."
        )
    given, near = source.splits, list[str]()
    if isinstance(config, FitConfig) and config.group_near_copies:
        groups = near_copy_groups(source)
        given, near = near_copies_together(given, groups, source.class_names, "text")
    splits, notes = divide(given, source.class_names, config, "text")
    return dataclasses.replace(source, splits=splits, notes=(*source.notes, *near, *notes))


def open_as_they_are(data: str, encoding: str, data_dir: str | None = None) -> TextSource:
    """Returns texts with the splits they come with, without empty texts.

    Args:
        data: As of the setting `data`.
        encoding: As of the setting `text.encoding`.
        data_dir: As of the setting `data_dir`.

    Raises:
        UsageError, DataError: As of `open_texts`.
    """
    name, found = read_data(data, encoding, data_dir)
    splits, notes = without_empty(found.splits)
    if not splits:
        raise DataError(f"All texts of '{data}' are empty.")
    return TextSource(name, found.class_names, splits, (*found.notes, *notes))


def read_data(
    data: str, encoding: str, data_dir: str | None, *, is_labeled: bool = True
) -> tuple[str, Found]:
    """Returns what data are called, safe as a file name, and their texts in the splits they have.

    Args:
        data: As of the setting `data`.
        encoding: As of the setting `text.encoding`.
        data_dir: As of the setting `data_dir`.
        is_labeled: Whether each row of a manifest must have a label.

    Raises:
        UsageError, DataError: As of `open_texts`.
    """
    if is_url(data):
        raise UsageError(
            f"Texts are read from a file system, but setting 'data' is the URL '{data}'. Copy "
            "them, and give the folder or file."
        )
    path = pathlib.Path(data)
    name = path.resolve().stem if path.is_file() else path.resolve().name
    if is_of_library(data):
        name, found = read_library(data, data_dir)
    else:
        found = _read(path, data, encoding, is_labeled=is_labeled)
    return safe_name(name, "texts"), found


def as_they_come(source: TextSource) -> TextSource:
    """Returns data in the splits they come with; no text is in two of them.

    Raises:
        DataError: Every text of a split is in another one, too.
    """
    splits, notes = disjoint(source.splits, source.class_names, "text")
    return dataclasses.replace(source, splits=splits, notes=(*source.notes, *notes))


def _read(path: pathlib.Path, data: str, encoding: str, *, is_labeled: bool) -> Found:
    try:
        if path.is_dir():
            return read_folder(path, encoding)
        if path.is_file() and is_manifest(path):
            return read_manifest(path, encoding, is_labeled=is_labeled)
    except OSError as error:
        raise DataError(f"Cannot read '{data}': {error.strerror}.") from None
    raise UsageError(
        f"'{data}' has no texts. Data of texts are a folder with one folder of .txt files per "
        "class, a manifest (.csv, .tsv, .jsonl) with text and label, or a TFDS or Hugging Face "
        "dataset (hf:NAME)."
    )


def without_empty(splits: dict[str, TextSplit]) -> tuple[dict[str, TextSplit], list[str]]:
    """Returns the splits without empty texts, and a note that names these."""
    kept, empty = {}, []
    for name, split in splits.items():
        has_text = np.array([bool(said(text)) for text in split.texts], np.bool_)
        empty += [one for one, has in zip(split.ids, has_text, strict=True) if not has]
        if has_text.any():
            kept[name] = split if has_text.all() else split.select(np.flatnonzero(has_text))
    return kept, [f"left out {first_few(empty, 'empty text', 'empty texts')}"] if empty else []
