"""TensorFlow Datasets (TFDS), prepared before or downloaded."""

import functools
import itertools
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfxfer.data.libraries.slices import query_of
from tfxfer.data.libraries.tfds import (
    builder_of_directory,
    in_order,
    is_prepared_directory,
    no_such_slice,
    prepared_builder,
)
from tfxfer.data.source import Source, Split, untuned
from tfxfer.data.sources.sizes import typical_height_and_width
from tfxfer.data.split_names import SPLITS, splits_among
from tfxfer.errors import UsageError
from tfxfer.system.digests import ids_of
from tfxfer.system.names import safe_name

# tensorflow_datasets is imported inside the functions: it takes a second, and no other source needs
# it.

# Datasets of written characters, whose mirror images are other characters or none.
CHARACTERS = {
    "binarized_mnist",
    "binary_alpha_digits",
    "cmaterdb",
    "emnist",
    "kmnist",
    "mnist",
    "mnist_corrupted",
    "omniglot",
    "svhn_cropped",
}


def open_tfds(
    name: str, data_dir: str | None, slices: Mapping[str, str], *, needs_train: bool = True
) -> Source:
    """Returns a TFDS dataset, prepared before or downloaded now.

    Prepared data are opened without the network, also those that TFDS does not know by name. An
    example's number in messages is its place in the split as TFDS slices it: "cifar10 train #5" is
    `tfds.load("cifar10", split="train[5:6]")`.

    Args:
        name: As TFDS has it: "cifar10", "emnist/letters", "cifar10:3.0.2"; or the directory of a
            prepared version.
        data_dir: Directory of prepared data; None is the default of TFDS, which the variable
            TFDS_DATA_DIR sets.
        slices: For "train", "validation" and "test" what is meant by them, as TFDS writes it:
            "train[:80%]", "train+test"; where nothing is said, the split of that name.
        needs_train: Whether there must be a split to train on.

    Raises:
        UsageError: There is no such dataset, or it is not one of labeled images.
        DataError: It is not prepared and cannot be downloaded.
    """
    builder, called, origin = _found(name, data_dir)
    image, label = _image_and_label(builder)
    features = builder.info.features
    notes: list[str] = []
    splits = _labeled_splits(builder, called, slices, notes)
    if not splits or (needs_train and "train" not in splits):
        raise UsageError(
            f"The dataset '{name}' has no labeled images in a split 'train'; its splits are "
            f"{', '.join(builder.info.splits) or 'none'}."
        )
    stated, first = features[image].shape[:2], next(iter(splits.values()))
    size = typical_height_and_width(first) if None in stated else stated
    return Source(
        name=safe_name(called),
        class_names=tuple(features[label].names),
        splits=splits,
        image_height_width=size,
        mirrored=re.split("[/:]", called)[0] not in CHARACTERS,
        notes=tuple(notes),
        origin=origin + query_of(slices),
    )


def _found(name: str, data_dir: str | None) -> tuple[Any, str, str]:
    """Returns the TFDS builder of data, what they are called, and what opens them again."""
    path = pathlib.Path(name)
    if is_prepared_directory(path):
        builder = builder_of_directory(path)
        return builder, builder.info.name, str(path.resolve())
    return prepared_builder(name, data_dir), name, name


def _labeled_splits(
    builder: Any, name: str, slices: Mapping[str, str], notes: list[str]
) -> dict[str, Split]:
    """Returns the splits of a dataset, without images that have no label.

    Args:
        builder: Of TFDS.
        name: Of the dataset, for the ids of its examples.
        slices: What is meant by a split where it is not that of its name.
        notes: Gets a line on what is left out.
    """
    meant = {**splits_among(builder.info.splits), **slices}
    splits: dict[str, Split] = {}
    for split in SPLITS:
        if split not in meant:
            continue
        opened = _open_split(builder, name, meant[split])
        known = np.flatnonzero(opened.labels >= 0)  # TFDS writes -1 where a label is kept secret
        if len(known) < len(opened):
            notes.append(
                f"{len(opened) - len(known):,} of the {len(opened):,} images of '{meant[split]}' "
                "have no label, and were left out"
            )
            opened = opened.select(known)
        if len(opened):
            splits[split] = opened
    return splits


def _image_and_label(builder: Any) -> tuple[str, str]:
    """Returns the names of the features that are the image and its class."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    images = [
        key
        for key, feature in features.items()
        # Images of floating-point numbers have no encoding that `decoding.decode` knows.
        if isinstance(feature, tfds.features.Image) and feature.np_dtype in (np.uint8, np.uint16)
    ]
    classes = [
        key for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)
    ]
    keys = builder.info.supervised_keys
    if keys is None and len(images) == len(classes) == 1:  # then there is no doubt either
        return images[0], classes[0]
    if keys and len(keys) == 2 and keys[0] in images and keys[1] in classes:
        return keys[0], keys[1]
    described = ", ".join(
        f"{key} ({type(value).__name__})" for key, value in sorted(features.items())
    )
    raise UsageError(
        f"The dataset '{builder.info.name}' does not map an image to a class; its features are "
        f"{described}."
    )


def _open_split(builder: Any, name: str, split: str) -> Split:
    """Returns a split as it lies on disk; the labels are read at once."""
    import tensorflow_datasets as tfds

    image, label = _image_and_label(builder)
    # Not even other images, such as segmentation masks, are decoded.
    skipped = {
        key: tfds.decode.SkipDecoding()
        for key, feature in builder.info.features.items()
        if isinstance(feature, tfds.features.Image)
    }

    def read(wanted: str) -> tf.data.Dataset:
        examples = builder.as_dataset(
            split=split,
            decoders=skipped,
            shuffle_files=False,
            read_config=in_order(),
        )
        return untuned(examples.map(lambda example: example[wanted]))

    def contents() -> Iterator[Iterable[bytes]]:
        return read(image).batch(1000).as_numpy_iterator()  # type: ignore[no-any-return]

    try:
        labels = list(read(label).batch(10_000).as_numpy_iterator())
    except (ValueError, KeyError) as error:
        raise no_such_slice(builder, name, split, error) from error
    return Split(
        labels=np.concatenate([np.zeros(0, np.int64), *labels]),
        open_images=lambda: read(image),
        describe=lambda index: f"{name} {split} #{index}",
        digests=functools.cache(lambda: ids_of(zip(itertools.chain.from_iterable(contents())))),
    )
