"""Where images and labels come from: the embedded digits, folders of images, TFDS data sets.

`open_source` gives any of them the same form: class names, and for each split the labels in a
stable order with a way to read the images in that order. Only `train` is required of the data: a
validation split that is missing is carved from it, and so is a test split when the data have no
other split.
"""

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping

import numpy as np

from tfxfer.config import RunConfig
from tfxfer.errors import UsageError
from tfxfer.sources.carving import carve, default_fraction, subset
from tfxfer.sources.digits import open_digits
from tfxfer.sources.folders import open_folder
from tfxfer.sources.source import Source, Split, first_few
from tfxfer.sources.tfds import open_tfds

__all__ = ["Source", "Split", "first_few", "open_source"]


def open_source(config: RunConfig) -> Source:
    """Returns the images and labels that `config.data` names, divided into splits.

    A directory of that name comes first, then `digits`, then the data sets of TFDS. Opening decodes
    no images, but for a sample that tells their typical size.

    Reads the settings `data`, `data_dir`, `seed`, `*_fraction` and `*_examples`.

    Raises:
        UsageError: There are no such data, or they are not laid out as a classifier needs them.
        DataError: The data are known, but neither here nor to be had.
    """
    source = _open(config)
    splits, notes = _with_validation(source.splits, config)
    for name, split in splits.items():
        counts = np.bincount(split.labels, minlength=len(source.class_names))
        missing = [source.class_names[label] for label in np.flatnonzero(counts == 0)]
        if missing:
            notes.append(f"'{name}' has no images of {first_few(missing, 'class', 'classes')}")
    limits = {
        "train": config.train_examples,
        "validation": config.validation_examples,
        "test": config.test_examples,
    }
    for stream, name in enumerate(splits):
        limit = limits[name]
        if limit is not None and limit < len(splits[name]):
            # A stream of its own for each split; carving has the first.
            kept = subset(splits[name].labels, limit, (config.seed, 1 + stream))
            splits[name] = splits[name].select(kept)
    return dataclasses.replace(
        source,
        splits=splits,
        notes=(*source.notes, *notes),
    )


def _open(config: RunConfig) -> Source:
    """Returns the data with the splits they come with."""
    name = config.data
    if not name:
        raise UsageError(
            "No data were named. Setting 'data' takes a directory of images, the name of a TFDS "
            "data set, or 'digits'."
        )
    path = pathlib.Path(name).expanduser()
    if path.is_dir():
        return open_folder(path)
    if path.exists():
        raise UsageError(f"'{name}' is a file; setting 'data' takes a directory of images.")
    if name == "digits":
        return open_digits()
    # 'emnist/letters:3.1.0' is a name of TFDS: data set, configuration, version.
    if not re.fullmatch(r"[A-Za-z]\w*(/[\w.+-]+)?(:\d+\.\d+\.\d+)?", name):
        what = "directory" if os.sep in name or name[0] in ".~" else "directory or data set"
        raise UsageError(f"There is no {what} '{name}'.")
    return open_tfds(name, config.data_dir)


def _with_validation(
    splits: Mapping[str, Split], config: RunConfig
) -> tuple[dict[str, Split], list[str]]:
    """Returns the splits, with those that had to be carved from `train`, and notes that say so."""
    if "validation" in splits:
        return dict(splits), []
    train = splits["train"]
    wanted = {"validation": config.validation_fraction}
    if "test" not in splits:
        wanted["test"] = config.test_fraction
    fractions = {
        name: default_fraction(len(train)) if fraction is None else fraction
        for name, fraction in wanted.items()
    }
    if sum(fractions.values()) >= 1:
        raise UsageError(
            "Settings 'validation_fraction' and 'test_fraction' leave nothing to train on: they "
            f"are {' and '.join(f'{fraction:g}' for fraction in fractions.values())}; their sum "
            "must be below 1."
        )
    parts = carve(train.labels, fractions, (config.seed, 0))
    if not len(parts["validation"]):
        raise UsageError(
            "No images can be set aside for validation, as no class has more than one. "
            "Add images, or a 'validation' folder beside 'train'."
        )
    carved = {name: train.select(indices) for name, indices in parts.items()}
    notes = [
        f"the data have no '{name}': {len(carved[name]):,} of the {len(train):,} training images, "
        "stratified by class, were set aside"
        for name in fractions
    ]
    order = ("train", "validation", "test")
    merged = {**splits, **carved}
    return {name: merged[name] for name in order if name in merged and len(merged[name])}, notes
