"""Images of the Hugging Face `datasets` library: from its hub, or saved on the disk."""

import functools
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from tfxfer.data.libraries.huggingface import (
    chosen_splits,
    class_names,
    labels_of,
    load_splits,
    place_of,
    title_of,
)
from tfxfer.data.libraries.slices import query_of
from tfxfer.data.source import Source, Split
from tfxfer.data.sources.sizes import typical_height_and_width
from tfxfer.errors import UsageError
from tfxfer.system.digests import Ids, ids_of
from tfxfer.system.names import safe_name

# The library takes seconds to import, and is optional: it is imported inside the functions.

# Rows that Python hands over at a time.
_ROWS = 256


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
    opened = chosen_splits(name, load_splits(name), slices, needs_train)
    first = next(iter(opened.values()))
    image, label = _image_and_label(name, first)
    names = class_names(name, first, label)
    splits = {
        split: _split(f"{name} {split}", rows, image, label, names)
        for split, rows in opened.items()
    }
    return Source(
        name=safe_name(title_of(name)),
        class_names=names,
        splits=splits,
        image_height_width=typical_height_and_width(next(iter(splits.values()))),
        origin=place_of(name) + query_of(slices),
    )


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


def _split(name: str, rows: Any, image: str, label: str, names: tuple[str, ...]) -> Split:
    """Returns a split as stored on disk."""
    import datasets

    labels = labels_of(name, rows, label, names)
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
        labels=labels,
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
