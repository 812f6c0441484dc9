"""Datasets of the Hugging Face `datasets` library: from its hub, or saved on the disk."""

import functools
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfxfer.data.source import Source, Split, canonical, query_of
from tfxfer.data.sources.sizes import typical_height_and_width
from tfxfer.data.split_names import SPLITS, splits_among
from tfxfer.errors import DataError, UsageError, did_you_mean
from tfxfer.system.digests import Ids, ids_of
from tfxfer.system.names import safe_name

# The library takes seconds to import, and is optional: it is imported inside the functions.

PREFIX = "hf:"

# Rows that Python hands over at a time.
_ROWS = 256


def is_saved(path: pathlib.Path) -> bool:
    """Tells whether a directory is what `save_to_disk` of the library wrote."""
    return (path / "dataset_dict.json").is_file() or (
        (path / "state.json").is_file() and (path / "dataset_info.json").is_file()
    )


def open_huggingface(name: str, slices: Mapping[str, str], *, needs_train: bool = True) -> Source:
    """Returns a dataset of images with labels, in its order.

    Args:
        name: A directory that `save_to_disk` wrote, or "hf:" and the dataset's name on the hub,
            with a configuration after a colon: "hf:beans", "hf:owner/name:config".
        slices: For "train", "validation" and "test" the names of the splits that are meant, where
            they are not these.
        needs_train: Whether there must be a split to train on.

    Raises:
        UsageError: There is no such dataset, it is not one of labeled images, or the library is
            not installed.
        DataError: It is not available locally and cannot be downloaded.
    """
    loaded = _load(name)
    opened = _chosen(name, loaded, slices, needs_train)
    first = next(iter(opened.values()))
    image, label = _image_and_label(name, first)
    names = _class_names(name, first, label)
    splits = {
        split: _split(f"{name} {split}", rows, image, label, names)
        for split, rows in opened.items()
    }
    path = pathlib.Path(name)
    origin = str(path.resolve()) if path.is_dir() else name
    return Source(
        name=safe_name(origin.rsplit("/", 1)[-1].removeprefix(PREFIX)),
        class_names=names,
        splits=splits,
        image_height_width=typical_height_and_width(next(iter(splits.values()))),
        origin=origin + query_of(slices),
    )


def _chosen(
    name: str, loaded: Mapping[str, Any], slices: Mapping[str, str], needs_train: bool
) -> dict[str, Any]:
    """Returns the rows of "train", and of "validation" and "test" where there are such.

    Raises:
        UsageError: There is no training split, or a requested split is missing.
    """
    meant = {**splits_among(loaded), **slices}
    for chosen in (slices[split] for split in SPLITS if split in slices):
        if chosen not in loaded:
            raise UsageError(
                f"The dataset '{name}' has no split '{chosen}'; its splits are "
                f"{', '.join(loaded)}.{did_you_mean(chosen, loaded)}"
            )
    if not meant or (needs_train and "train" not in meant):
        raise UsageError(
            f"The dataset '{name}' has no split 'train'; its splits are {', '.join(loaded)}. "
            f"Choose one: '{name}?train={next(iter(loaded), 'SPLIT')}'."
        )
    return {split: loaded[meant[split]] for split in SPLITS if split in meant}


def _load(name: str) -> dict[str, Any]:
    """Returns the splits of a dataset by their names."""
    try:
        import datasets
    except ImportError:
        raise UsageError(
            f"'{name}' is a dataset of the Hugging Face library, which is not installed: "
            "pip install 'tfxfer[huggingface]'."
        ) from None
    if name.startswith(PREFIX):
        place, _, configuration = name.removeprefix(PREFIX).partition(":")
        try:
            loaded = datasets.load_dataset(place, configuration or None)
        except (ValueError, datasets.exceptions.DatasetNotFoundError) as error:
            raise UsageError(f"There is no dataset '{name}': {_first_line(error)}.") from error
        except OSError as error:  # which all failures of the network are
            raise DataError(
                f"The dataset '{name}' is not available locally and cannot be downloaded: "
                f'{_first_line(error)}. On a connected machine, run `python -c "import datasets; '
                f"datasets.load_dataset('{place}').save_to_disk('FOLDER')\"`, copy FOLDER here, "
                "and name it with --data."
            ) from error
    else:
        try:
            loaded = datasets.load_from_disk(name)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"Cannot read the dataset in '{name}': {_first_line(error)}."
            ) from error
    return dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {"train": loaded}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _image_and_label(name: str, rows: Any) -> tuple[str, str]:
    """Returns the names of the columns that are the image and its class."""
    import datasets

    features = rows.features
    images = [key for key, kind in features.items() if isinstance(kind, datasets.Image)]
    labels = [key for key, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    labels = labels or [key for key in features if key == "label"]
    if len(images) == 1 and len(labels) > 1 and "label" in labels:
        labels = ["label"]
    if len(images) != 1 or len(labels) != 1:
        described = ", ".join(f"{key} ({type(kind).__name__})" for key, kind in features.items())
        raise UsageError(
            f"The dataset '{name}' does not map an image to a class: it needs one Image column "
            f"and one column that is a ClassLabel or called 'label'; its columns are {described}."
        )
    return images[0], labels[0]


def _class_names(name: str, rows: Any, label: str) -> tuple[str, ...]:
    """Returns the classes, in the order of their numbers or else of their names."""
    declared = getattr(rows.features[label], "names", None)
    found = declared or {canonical(str(value)): str(value) for value in rows[label]}
    names = declared or [found[key] for key in sorted(found)]
    if len(names) < 2:
        raise UsageError(f"The dataset '{name}' has 1 class; a classifier needs at least 2.")
    return tuple(names)


def _split(name: str, rows: Any, image: str, label: str, class_names: tuple[str, ...]) -> Split:
    """Returns a split as stored on disk."""
    import datasets

    number = {canonical(class_name): index for index, class_name in enumerate(class_names)}
    declared = getattr(rows.features[label], "names", None)
    try:
        labels = [value if declared else number[canonical(str(value))] for value in rows[label]]
    except KeyError as error:
        raise UsageError(
            f"'{name}' has the label {error}, which does not occur in train."
        ) from None
    encoded = rows.select_columns([image]).cast_column(image, datasets.Image(decode=False))

    def contents() -> Iterator[list[bytes]]:
        for batch in encoded.iter(_ROWS):
            yield [content_of(one) for one in batch[image]]

    def open_images() -> tf.data.Dataset:
        signature = tf.TensorSpec((None,), tf.string)
        return tf.data.Dataset.from_generator(contents, output_signature=signature).unbatch()

    def digests() -> Ids:
        images: Iterable[bytes] = itertools.chain.from_iterable(contents())
        return ids_of((content,) for content in images)

    return Split(
        labels=np.array([-1 if value is None else value for value in labels], np.int64),
        open_images=open_images,
        describe=lambda index: f"{name} #{index}",
        digests=functools.cache(digests),
    )


def content_of(image: dict[str, Any] | None) -> bytes:
    """Returns an image file as the library keeps it: its content, or where it is."""
    if image is None:
        return b""  # whoever reads the image will say that it is empty
    content: bytes | None = image["bytes"]
    if content is not None:
        return content
    try:
        return pathlib.Path(image["path"]).read_bytes()
    except OSError:
        return b""
