"""The data sets of TensorFlow Datasets (TFDS), used where they lie prepared."""

import functools
import itertools
import pathlib
import re
import socket
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfxfer.config.paths import expand_user
from tfxfer.data.image.sizes import typical_height_and_width
from tfxfer.data.source import Source, Split, query_of
from tfxfer.data.split_names import SPLITS, splits_among
from tfxfer.errors import DataError, UsageError, did_you_mean
from tfxfer.system.digests import ids_of
from tfxfer.system.names import safe_name

# tensorflow_datasets is imported inside the functions: it takes a second, and no other source needs
# it.

# Data sets of written characters, whose mirror images are other characters or none.
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


def is_prepared_directory(path: pathlib.Path) -> bool:
    """Tells whether a directory holds one version of a prepared data set."""
    return (path / "dataset_info.json").is_file() and (path / "features.json").is_file()


def open_tfds(name: str, data_dir: str | None, slices: Mapping[str, str]) -> Source:
    """Returns a data set of TFDS, prepared before or downloaded now.

    Prepared data are opened without the network, also those that TFDS does not know by name. An
    example's number in messages is its place in the split as TFDS slices it: "cifar10 train #5" is
    `tfds.load("cifar10", split="train[5:6]")`.

    Args:
        name: As TFDS has it: "cifar10", "emnist/letters", "cifar10:3.0.2"; or the directory of a
            prepared version.
        data_dir: Where prepared data lie; None is TFDS's own place, which the environment variable
            TFDS_DATA_DIR sets.
        slices: For "train", "validation" and "test" what is meant by them, as TFDS writes it:
            "train[:80%]", "train+test"; where nothing is said, the split of that name.

    Raises:
        UsageError: There is no such data set, or it is not one of labelled images.
        DataError: It is not prepared and cannot be downloaded.
    """
    path = pathlib.Path(name)
    in_directory = is_prepared_directory(path)
    builder = _builder_of_directory(path) if in_directory else _prepared_builder(name, data_dir)
    image, label = _image_and_label(builder)
    called = builder.info.name if in_directory else name
    features = builder.info.features
    notes: list[str] = []
    splits = _labelled_splits(builder, called, slices, notes)
    if "train" not in splits:
        raise UsageError(
            f"The data set '{name}' has no labelled images in a split 'train'; its splits are "
            f"{', '.join(builder.info.splits) or 'none'}."
        )
    height_width = features[image].shape[:2]
    if None in height_width:
        height_width = typical_height_and_width(splits["train"])
    return Source(
        name=safe_name(called),
        class_names=tuple(features[label].names),
        splits=splits,
        image_height_width=height_width,
        mirrored=re.split("[/:]", called)[0] not in CHARACTERS,
        notes=tuple(notes),
        origin=(str(path.resolve()) if in_directory else name) + query_of(slices),
    )


def _labelled_splits(
    builder: Any, name: str, slices: Mapping[str, str], notes: list[str]
) -> dict[str, Split]:
    """Returns the splits of a data set, without images that have no label.

    Args:
        builder: Of TFDS.
        name: Of the data set, for the ids of its examples.
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


def _builder_of_directory(path: pathlib.Path) -> Any:
    """Returns the TFDS builder of a prepared version in a directory."""
    import tensorflow_datasets as tfds

    try:
        return tfds.builder_from_directory(path)
    except (ValueError, KeyError, OSError, TypeError) as error:  # files of other content
        raise DataError(f"Cannot open the prepared data in '{path}': {error}") from error


def _prepared_builder(name: str, data_dir: str | None) -> Any:
    """Returns the TFDS builder of data that are ready to be read."""
    import tensorflow_datasets as tfds

    data_dir = expand_user(data_dir, "Setting 'data_dir'") if data_dir else None
    try:
        # Files come before code: this reaches versions the installed TFDS no longer makes, and
        # names it never knew.
        return tfds.core.read_only_builder.builder_from_files(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        pass
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        raise UsageError(_unknown(name, data_dir)) from None
    except (ValueError, AssertionError) as error:  # an unknown configuration; an unknown version
        raise UsageError(_unknown_variant(name)) from error
    if not builder.is_prepared():
        _download(builder, name)
    return builder


def _download(builder: Any, name: str) -> None:
    """Downloads and prepares the data."""
    import tensorflow_datasets as tfds

    def failure(reason: str) -> DataError:
        return DataError(
            f"The data set '{name}' is not prepared in '{builder.data_path}' and cannot be "
            f"downloaded: {reason}. On a connected machine, run "
            f"`python -c \"import tensorflow_datasets as tfds; tfds.builder('{name}')"
            '.download_and_prepare()"`, copy the resulting folder of ~/tensorflow_datasets here, '
            "and name its parent with --data-dir or TFDS_DATA_DIR."
        )

    if str(builder.data_path).startswith("~"):
        raise UsageError(
            f"The data set '{name}' has no place to be downloaded to: the user has no home "
            "directory. Choose one with --data-dir or TFDS_DATA_DIR."
        )
    unreachable = unreachable_host(list(builder.url_infos or ()))
    if unreachable:
        raise failure(f"there is no connection to {unreachable}")
    try:
        builder.download_and_prepare()
    except (
        OSError,  # no connection, no space, no permission
        AssertionError,  # the data must be fetched by hand; the message says from where
        ImportError,  # a package that only the preparation needs
        tf.errors.OpError,
        tfds.download.DownloadError,
        tfds.download.download_manager.NonMatchingChecksumError,
        tfds.download.extractor.ExtractError,
    ) as error:
        raise failure(str(error).strip().rstrip(".")) from error


def unreachable_host(urls: list[str]) -> str | None:
    """Returns a host of the URLs if no name of theirs can be resolved, else None.

    TFDS itself repeats each request for more than three minutes before it gives up.
    """
    hosts = sorted({urllib.parse.urlsplit(url).hostname or "" for url in urls} - {""})
    if urllib.request.getproxies():  # then it is the proxy that resolves names
        return None
    for host in hosts:
        try:
            socket.getaddrinfo(host, 443)
        except OSError:
            continue
        return None
    return hosts[0] if hosts else None


def _unknown(name: str, data_dir: str | None) -> str:
    """Returns the message for a name that is neither a directory nor a data set."""
    import tensorflow_datasets as tfds

    place = pathlib.Path(data_dir or tfds.core.constants.DATA_DIR)
    # With a configuration or without; no deeper, for downloads lie there too.
    prepared = {
        info.relative_to(place).parts[0]
        for pattern in ("*/*/dataset_info.json", "*/*/*/dataset_info.json")
        for info in place.glob(pattern)
    }
    # The community's data sets are left out: listing them needs the network.
    known = {"digits", *prepared, *tfds.list_builders(with_community_datasets=False)}
    if "/" in name:
        return f"There is no directory '{name}'.{did_you_mean(name, known)}"
    return (
        f"There is no directory, no TFDS data set and nothing in '{place}' that is called '{name}'."
        f"{did_you_mean(name, known)}"
    )


def _unknown_variant(name: str) -> str:
    """Returns the message for a configuration or version that a data set does not have."""
    import tensorflow_datasets as tfds

    base, _, variant = re.split("([/:])", name, maxsplit=1)
    builder_class = tfds.builder_cls(base)
    known = list(builder_class.builder_configs)
    message = f"The data set '{base}' has no '{variant}'.{did_you_mean(variant, known)}"
    if known:
        message += f" Its configurations are {', '.join(known)}."
    return f"{message} The newest version is {builder_class.VERSION}."


def _image_and_label(builder: Any) -> tuple[str, str]:
    """Returns the names of the features that are the image and its class."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    images = [
        key
        for key, feature in features.items()
        # Images of floating-point numbers have no encoding that `images.decode` knows.
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
        f"The data set '{builder.info.name}' does not map an image to a class; its features are "
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
        return builder.as_dataset(
            split=split,
            decoders=skipped,
            shuffle_files=False,
            # One file after the other: then the order is that of TFDS's slices.
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
        ).map(lambda example: example[wanted])

    def contents() -> Iterator[Iterable[bytes]]:
        return read(image).batch(1000).as_numpy_iterator()  # type: ignore[no-any-return]

    try:
        labels = list(read(label).batch(10_000).as_numpy_iterator())
    except (ValueError, KeyError) as error:  # of the slice; TFDS says what is wrong with it
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise UsageError(
            f"The data set '{name}' has no '{split}': {reason}. Its splits are "
            f"{', '.join(builder.info.splits)}; a part of one is written 'train[:80%]'."
        ) from error
    return Split(
        labels=np.concatenate([np.zeros(0, np.int64), *labels]),
        open_images=lambda: read(image),
        describe=lambda index: f"{name} {split} #{index}",
        digests=functools.cache(lambda: ids_of(zip(itertools.chain.from_iterable(contents())))),
    )
