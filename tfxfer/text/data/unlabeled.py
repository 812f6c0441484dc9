"""Texts without labels, to pretrain on; labels that the data have are not used."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from tfxfer.config.schema import RunConfig
from tfxfer.data.labels.stratification import divided
from tfxfer.data.split_names import split_of
from tfxfer.data.splitting import default_fraction, divide
from tfxfer.errors import DataError, UsageError
from tfxfer.system.names import safe_name
from tfxfer.text.data.encoding import read_text
from tfxfer.text.data.folders import SUFFIX, Found, texts_in
from tfxfer.text.data.libraries import is_of_library
from tfxfer.text.data.opening import read_data, without_empty
from tfxfer.text.data.source import TextSource, TextSplit

# Stands for the classes that there are not.
_NO_CLASSES = ("unlabeled",)

# More texts to validate on would take long and tell no more.
_MOST_VALIDATION = 2_000


def open_unlabeled(config: RunConfig) -> TextSource:
    """Returns texts without labels, in "train" and "validation".

    Of a folder these are all `.txt` files below it, also those of classes and those that have none;
    of other data all texts. Those of a test split are left out. Without a validation split, a part
    of the texts is held out for it, those that say the same together.

    Args:
        config: Reads the settings that `open_texts` reads.

    Raises:
        UsageError: There are no such data, or fewer than two texts.
        DataError: A file cannot be read, or has another encoding.
    """
    data = config.data
    name, found = _read(pathlib.Path(data), config)
    splits, empty = without_empty(found.splits)
    notes = [*found.notes, *empty]
    if "test" in splits:
        notes.append(f"left out the test split: {len(splits.pop('test')):,} texts")
    if "train" not in splits:
        raise UsageError(f"'{data}' has no texts to train on.")
    if "validation" not in splits:
        splits = _with_validation(data, splits["train"], config)
        notes.append(f"{len(splits['validation']):,} of the texts are held out for validation")
    splits, more = divide(splits, _NO_CLASSES, config, "text")
    return TextSource(name, _NO_CLASSES, splits, (*notes, *more))


def _read(path: pathlib.Path, config: RunConfig) -> tuple[str, Found]:
    """Returns what the data are called, and their texts by split, all of one class."""
    if path.is_dir() and not is_of_library(config.data):
        return safe_name(path.resolve().name, "texts"), _read_folder(path, config.text.encoding)
    name, found = read_data(config.data, config.text.encoding, config.data_dir, is_labeled=False)
    splits = {name: _unlabeled(split.texts, split.ids) for name, split in found.splits.items()}
    return name, dataclasses.replace(found, splits=splits)


def _read_folder(root: pathlib.Path, encoding: str) -> Found:
    try:
        files: dict[str, list[pathlib.Path]] = {}
        for file in texts_in(root):
            parts = file.relative_to(root).parts
            split = (split_of(parts[0]) if len(parts) > 1 else None) or "train"
            files.setdefault(split, []).append(file)
        splits = {
            name: _unlabeled([read_text(one, encoding) for one in some], list(map(str, some)))
            for name, some in files.items()
        }
    except OSError as error:
        raise DataError(f"Cannot read '{root}': {error.strerror}.") from None
    return Found(_NO_CLASSES, splits)


def _unlabeled(texts: Sequence[str], ids: Sequence[str]) -> TextSplit:
    return TextSplit(texts, np.zeros(len(texts), np.int64), ids)


def _with_validation(data: str, texts: TextSplit, config: RunConfig) -> dict[str, TextSplit]:
    """Returns the texts that are trained on, and those held out for validation."""
    fraction = config.validation_fraction
    if fraction is None:
        fraction = min(default_fraction(len(texts)), _MOST_VALIDATION / len(texts))
    fractions = {"validation": fraction}
    parts = divided(texts.labels, texts.digests(), fractions, (config.seed, 0), texts.groups)
    if any(not len(rows) for rows in parts.values()):
        raise UsageError(
            f"'{data}' has too few different texts to train on some and validate on others: "
            f"{len(texts):,}. Add texts ({SUFFIX} files, or rows of a manifest)."
        )
    return {name: texts.select(rows) for name, rows in parts.items()}
