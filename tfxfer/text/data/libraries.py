"""Texts of TFDS and of the Hugging Face `datasets` library."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfxfer.config.schema import BUNDLED_DATA
from tfxfer.data.libraries import huggingface
from tfxfer.data.libraries.slices import slices_of
from tfxfer.data.libraries.tfds import (
    builder_of_directory,
    in_order,
    is_prepared_directory,
    no_such_slice,
    prepared_builder,
)
from tfxfer.data.split_names import SPLITS, splits_among
from tfxfer.errors import DataError, UsageError
from tfxfer.text.data.folders import Found
from tfxfer.text.data.source import TextSplit

# How a column of texts is called, where a dataset has several columns of strings.
_TEXT_COLUMNS = ("text", "sentence", "content", "review")


def read_library(name: str, data_dir: str | None) -> tuple[str, Found]:
    """Reads a dataset of texts of one of the libraries; returns what it is called, and its texts.

    Args:
        name: Of TFDS as in "imdb_reviews" or the directory of a prepared version, or of Hugging
            Face as in "hf:ag_news" or a directory that `save_to_disk` wrote; perhaps with splits:
            "imdb_reviews?train=train[:80%]&validation=train[80%:]".
        data_dir: Directory of prepared TFDS data; None is the default of TFDS.

    Raises:
        UsageError: There is no such dataset, or it is not one of labeled texts.
        DataError: It is not available locally and cannot be downloaded, or a text is not UTF-8.
    """
    query = ""
    if not pathlib.Path(name).exists():
        name, _, query = name.partition("?")
    slices = slices_of(name, query)
    if name.startswith(huggingface.PREFIX) or huggingface.is_saved(pathlib.Path(name)):
        return huggingface.title_of(name), _read_huggingface(name, slices)
    return _read_tfds(name, data_dir, slices)


def is_of_library(data: str) -> bool:
    """Tells whether data are a directory or a name of one of the libraries."""
    path = pathlib.Path(data)
    if path.is_dir():
        return is_prepared_directory(path) or huggingface.is_saved(path)
    return not path.exists() and not path.suffix and data != BUNDLED_DATA


def _read_tfds(name: str, data_dir: str | None, slices: Mapping[str, str]) -> tuple[str, Found]:
    path = pathlib.Path(name)
    if is_prepared_directory(path):
        builder = builder_of_directory(path)
        called = str(builder.info.name)
    else:
        builder, called = prepared_builder(name, data_dir), name
    text, label = _tfds_text_and_label(builder)
    meant = {**splits_among(builder.info.splits), **slices}
    splits, notes = {}, list[str]()
    for split in (one for one in SPLITS if one in meant):
        rows = _tfds_rows(builder, called, meant[split])
        splits[split] = _labeled(
            f"{called} {meant[split]}",
            [row[text] for row in rows],
            [int(row[label]) for row in rows],
            notes,
        )
    names = tuple(builder.info.features[label].names)
    return called, Found(names, _with_texts(called, splits, builder.info.splits), notes)


def _tfds_text_and_label(builder: Any) -> tuple[str, str]:
    """Returns the names of the features that are the text and its class."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    texts = [key for key, kind in features.items() if isinstance(kind, tfds.features.Text)]
    labels = [key for key, kind in features.items() if isinstance(kind, tfds.features.ClassLabel)]
    keys = builder.info.supervised_keys
    if keys and len(keys) == 2 and keys[0] in texts and keys[1] in labels:
        return keys[0], keys[1]
    return _the_pair(builder.info.name, texts, labels, features)


def _the_pair(
    name: str, texts: Sequence[str], labels: Sequence[str], columns: Mapping[str, Any]
) -> tuple[str, str]:
    """Returns the column of texts and that of labels.

    Raises:
        UsageError: There are none, or several.
    """
    if len(texts) > 1:
        texts = [one for one in _TEXT_COLUMNS if one in texts][:1]
    if len(labels) > 1 and "label" in labels:
        labels = ["label"]
    if len(texts) != 1 or len(labels) != 1:
        described = ", ".join(f"{key} ({type(kind).__name__})" for key, kind in columns.items())
        raise UsageError(
            f"The dataset '{name}' does not map a text to a class: it needs one column of texts, "
            f"called 'text' where there are several, and one of class labels; its columns are "
            f"{described}."
        )
    return texts[0], labels[0]


def _tfds_rows(builder: Any, name: str, split: str) -> list[Mapping[str, Any]]:
    """Returns the rows of a split, in the order of TFDS's slices."""
    import tensorflow_datasets as tfds

    try:
        rows = builder.as_dataset(split=split, shuffle_files=False, read_config=in_order())
        return list(tfds.as_numpy(rows))
    except (ValueError, KeyError) as error:
        raise no_such_slice(builder, name, split, error) from error


def _read_huggingface(name: str, slices: Mapping[str, str]) -> Found:
    opened = huggingface.chosen_splits(
        name, huggingface.load_splits(name), slices, needs_train=False
    )
    first = next(iter(opened.values()))
    text, label = _column_pair(name, first)
    names = huggingface.class_names(name, first, label)
    splits, notes = {}, list[str]()
    for split, rows in opened.items():
        labels = huggingface.labels_of(f"{name} {split}", rows, label, names)
        texts = ["" if one is None else one for one in rows[text]]
        splits[split] = _labeled(f"{name} {split}", texts, labels.tolist(), notes)
    return Found(names, _with_texts(name, splits, opened), notes)


def _column_pair(name: str, rows: Any) -> tuple[str, str]:
    """Returns the names of the columns that are the text and its class."""
    import datasets

    features = rows.features
    labels = [key for key, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    labels = labels or [key for key in features if key == "label"]
    strings = [
        key
        for key, kind in features.items()
        if key not in labels and getattr(kind, "dtype", "") in ("string", "large_string")
    ]
    return _the_pair(name, strings, labels, features)


def _labeled(
    name: str, texts: Sequence[str | bytes], labels: Sequence[int], notes: list[str]
) -> TextSplit:
    """Returns the texts of a split that have a label.

    Args:
        name: Of the dataset and split, for the ids of its texts.
        texts: In the order of the library.
        labels: -1 where a label is kept secret.
        notes: Gets a line on what is left out.

    Raises:
        DataError: A text is not UTF-8.
    """
    known = [number for number, label in enumerate(labels) if label >= 0]
    if len(known) < len(labels):
        notes.append(
            f"{len(labels) - len(known):,} of the {len(labels):,} texts of '{name}' have no label, "
            "and were left out"
        )
    return TextSplit(
        [_decoded(texts[number], f"{name} #{number}") for number in known],
        np.array([labels[number] for number in known], np.int64),
        [f"{name} #{number}" for number in known],
    )


def _decoded(text: str | bytes, place: str) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"'{place}' is not UTF-8: byte {error.start} is not valid.") from None


def _with_texts(
    name: str, splits: Mapping[str, TextSplit], known: Mapping[str, Any]
) -> dict[str, TextSplit]:
    """Returns the splits that have texts.

    Raises:
        UsageError: None has.
    """
    kept = {split: one for split, one in splits.items() if len(one)}
    if not kept:
        raise UsageError(
            f"The dataset '{name}' has no labeled texts in train, validation or test; its splits "
            f"are {', '.join(known) or 'none'}."
        )
    return kept
