"""Images of the Hugging Face `datasets` library: from its hub, or saved on the disk."""

import functools
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tfxfer.data.labels.kinds import MULTI_LABEL, NUMERIC
from tfxfer.data.labels.reading import AS_GIVEN, LabelReading
from tfxfer.data.labels.targets import Labels
from tfxfer.data.libraries.choosing import Chosen, Features, chosen_labels
from tfxfer.data.libraries.huggingface import (
    chosen_splits,
    class_names,
    labels_of,
    load_splits,
    place_of,
    sequences_of,
    title_of,
)
from tfxfer.data.libraries.labels import (
    Classes,
    check_tasks,
    rows_of_sequences,
    without_unlabeled,
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


def open_huggingface(
    name: str,
    slices: Mapping[str, str],
    *,
    needs_train: bool = True,
    how: LabelReading = AS_GIVEN,
) -> Source:
    """Returns a dataset of images with labels, in its order.

    Args:
        name: A directory that `save_to_disk` wrote, or "hf:" and the dataset's name on the hub,
            with a configuration after a colon: "hf:beans", "hf:owner/name:config".
        slices: For "train", "validation" and "test" the names of the splits that are meant, where
            they are not these.
        needs_train: Whether there must be a split to train on.
        how: How its labels are to be read: a column that is a `ClassLabel`, lists of them, several
            columns as tasks, or a number.

    Raises:
        UsageError: There is no such dataset, it is not one of labeled images, or the library is
            not installed.
        DataError: It is not available locally and cannot be downloaded.
    """
    opened = chosen_splits(name, load_splits(name), slices, needs_train)
    first = next(iter(opened.values()))
    reading, notes = _Reading.of(name, first, how), list[str]()
    splits = {split: reading.split(f"{name} {split}", rows) for split, rows in opened.items()}
    if reading.classes.chosen.special:
        splits = {key: without_unlabeled(one, key, notes, how) for key, one in splits.items()}
    tasks = reading.classes.tasks
    if tasks is not None and needs_train:
        check_tasks(name, tasks, splits["train"].labels)
    return Source(
        name=safe_name(title_of(name)),
        class_names=reading.classes.outputs,
        splits=splits,
        image_height_width=typical_height_and_width(next(iter(splits.values()))),
        notes=tuple(notes),
        origin=place_of(name) + query_of(slices),
        tasks=tasks,
    )


@dataclass(frozen=True)
class _Reading:
    """What is read of the rows of a dataset.

    Attributes:
        name: Of the dataset.
        image: The column that is the image.
        classes: The columns that are the labels, with their classes.
    """

    name: str
    image: str
    classes: Classes

    @classmethod
    def of(cls, name: str, rows: Any, how: LabelReading) -> Self:
        """Returns that of the first split of a dataset.

        Raises:
            UsageError: It is not one of labeled images, or there is a doubt which the labels are.
        """
        image, chosen = _image_and_labels(name, rows, how)
        classes: tuple[tuple[str, ...], ...] = ()
        if chosen.special != NUMERIC:
            classes = tuple(class_names(name, rows, key) for key in chosen.keys)
        return cls(name, image, Classes(chosen, classes))

    def labels(self, called: str, rows: Any) -> Labels:
        """Returns the labels of a split.

        Args:
            called: What the split is called, for messages.
            rows: Its rows.
        """
        chosen, names = self.classes.chosen, self.classes.names
        keys, special = chosen.keys, chosen.special
        if special == NUMERIC:
            numbers = [np.nan if value is None else value for value in rows[keys[0]]]
            return np.array(numbers, np.float64)
        if special == MULTI_LABEL:
            lengths, classes = sequences_of(called, rows, keys[0], names[0])
            return rows_of_sequences(lengths, classes, len(names[0]))
        pairs = zip(keys, names, strict=True)
        return self.classes.labels([labels_of(called, rows, key, own) for key, own in pairs])

    def split(self, called: str, rows: Any) -> Split:
        """Returns a split as stored on disk; see `labels`."""
        import datasets

        image = self.image
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
            labels=self.labels(called, rows),
            open_images=open_images,
            describe=lambda index: f"{called} #{index}",
            digests=functools.cache(digests),
        )


def _image_and_labels(name: str, rows: Any, how: LabelReading) -> tuple[str, Chosen]:
    """Returns the columns that are the image and its labels."""
    import datasets

    features = rows.features
    images = [key for key, kind in features.items() if isinstance(kind, datasets.Image)]
    items = {key: getattr(kind, "feature", None) for key, kind in features.items()}
    declared = [key for key, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    # A column of text, or of lists of text, has labels where its name or a setting says so.
    texts = [key for key, kind in features.items() if getattr(kind, "dtype", "") == "string"]
    numbers = [key for key, kind in features.items() if _is_number(kind)]
    named = [key for key in features if key == "label" and key not in declared]
    classes = declared or [key for key in named if items[key] is None]
    described = Features(
        name,
        classes=[*classes, *(key for key in texts if key in how.tasks and key not in classes)],
        sequences=[
            key
            for key, item in items.items()
            if isinstance(item, datasets.ClassLabel)
            or (key in ("label", "labels") and getattr(item, "dtype", "") == "string")
        ],
        numbers=numbers,
        usual="label" if "label" in classes else None,
        described=", ".join(f"{key} ({type(kind).__name__})" for key, kind in features.items()),
    )
    chosen = chosen_labels(described, how)
    if len(images) != 1:
        raise UsageError(
            f"The dataset '{name}' needs one Image column; its columns are {described.described}."
        )
    return images[0], chosen


def _is_number(kind: Any) -> bool:
    """Tells whether a column has numbers and not classes."""
    import datasets

    return isinstance(kind, datasets.Value) and kind.dtype.startswith(("int", "uint", "float"))


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
