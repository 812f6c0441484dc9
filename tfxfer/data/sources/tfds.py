"""TensorFlow Datasets (TFDS), prepared before or downloaded."""

import functools
import itertools
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.data.labels.kinds import MULTI_LABEL, NUMERIC
from tfxfer.data.labels.reading import AS_GIVEN, LabelReading
from tfxfer.data.labels.targets import Labels
from tfxfer.data.libraries.choosing import Chosen, Features, chosen_labels
from tfxfer.data.libraries.labels import (
    Classes,
    check_tasks,
    rows_of_sequences,
    without_unlabeled,
)
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
    name: str,
    data_dir: str | None,
    slices: Mapping[str, str],
    *,
    needs_train: bool = True,
    how: LabelReading = AS_GIVEN,
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
        how: How its labels are to be read: a `ClassLabel`, a sequence of them, several as tasks,
            or a number.

    Raises:
        UsageError: There is no such dataset, or it is not one of labeled images.
        DataError: It is not prepared and cannot be downloaded.
    """
    builder, called, origin = _found(name, data_dir)
    reading, notes = _Reading.of(builder, called, how), list[str]()
    tasks = reading.classes.tasks
    splits = _labeled_splits(reading, slices, notes, how)
    if not splits or (needs_train and "train" not in splits):
        raise UsageError(
            f"The dataset '{name}' has no labeled images in a split 'train'; its splits are "
            f"{', '.join(builder.info.splits) or 'none'}."
        )
    if tasks is not None and needs_train:
        check_tasks(name, tasks, splits["train"].labels)
    stated, first = builder.info.features[reading.image].shape[:2], next(iter(splits.values()))
    size = typical_height_and_width(first) if None in stated else stated
    return Source(
        name=safe_name(called),
        class_names=reading.classes.outputs,
        splits=splits,
        image_height_width=size,
        mirrored=re.split("[/:]", called)[0] not in CHARACTERS,
        notes=tuple(notes),
        origin=origin + query_of(slices),
        tasks=tasks,
    )


def _found(name: str, data_dir: str | None) -> tuple[Any, str, str]:
    """Returns the TFDS builder of data, what they are called, and what opens them again."""
    path = pathlib.Path(name)
    if is_prepared_directory(path):
        builder = builder_of_directory(path)
        return builder, builder.info.name, str(path.resolve())
    return prepared_builder(name, data_dir), name, name


@dataclass(frozen=True)
class _Reading:
    """What is read of the examples of a dataset.

    Attributes:
        builder: Of TFDS.
        name: Of the dataset, for the ids of its examples.
        image: The feature that is the image.
        classes: The features that are the labels, with their classes.
    """

    builder: Any
    name: str
    image: str
    classes: Classes

    @classmethod
    def of(cls, builder: Any, name: str, how: LabelReading) -> Self:
        """Returns that of a dataset.

        Raises:
            UsageError: It is not one of labeled images, or there is a doubt which the labels are.
        """
        image, chosen = _image_and_labels(builder, how)
        names: tuple[tuple[str, ...], ...] = ()
        if chosen.special != NUMERIC:
            features = (builder.info.features[key] for key in chosen.keys)
            # That of a sequence has the feature of its items.
            names = tuple(tuple(getattr(one, "feature", one).names) for one in features)
        return cls(builder, name, image, Classes(chosen, names))

    def labels(self, split: str) -> Labels:
        """Returns the labels of a split as it lies on disk."""
        keys, special = self.classes.chosen.keys, self.classes.chosen.special
        if special == MULTI_LABEL:
            batches = list(self._read(split, keys[0]).ragged_batch(10_000))
            lengths = [batch.row_lengths().numpy() for batch in batches]
            classes = [batch.flat_values.numpy() for batch in batches]
            return rows_of_sequences(_joined(lengths), _joined(classes), len(self.classes.outputs))
        kind = np.float64 if special == NUMERIC else np.int64
        columns = [
            _joined(self._read(split, key).batch(10_000).as_numpy_iterator(), kind) for key in keys
        ]
        return self.classes.labels(columns)

    def open(self, split: str) -> Split:
        """Returns a split as it lies on disk; the labels are read at once.

        Raises:
            UsageError: There is no such split or slice.
        """

        def contents() -> Iterator[Iterable[bytes]]:
            images = self._read(split, self.image)
            return images.batch(1000).as_numpy_iterator()  # type: ignore[no-any-return]

        try:
            labels = self.labels(split)
        except (ValueError, KeyError) as error:
            raise no_such_slice(self.builder, self.name, split, error) from error
        return Split(
            labels=labels,
            open_images=lambda: self._read(split, self.image),
            describe=lambda index: f"{self.name} {split} #{index}",
            digests=functools.cache(lambda: ids_of(zip(itertools.chain.from_iterable(contents())))),
        )

    def _read(self, split: str, wanted: str) -> tf.data.Dataset:
        """Returns a feature of the examples; images are files."""
        import tensorflow_datasets as tfds

        # Not even other images, such as segmentation masks, are decoded.
        skipped = {
            key: tfds.decode.SkipDecoding()
            for key, feature in self.builder.info.features.items()
            if isinstance(feature, tfds.features.Image)
        }
        examples = self.builder.as_dataset(
            split=split, decoders=skipped, shuffle_files=False, read_config=in_order()
        )
        return untuned(examples.map(lambda example: example[wanted]))


def _joined(parts: Iterable[npt.NDArray[Any]], kind: Any = np.int64) -> npt.NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *(part.astype(kind) for part in parts)])


def _labeled_splits(
    reading: _Reading, slices: Mapping[str, str], notes: list[str], how: LabelReading
) -> dict[str, Split]:
    """Returns the splits of a dataset, without images that have no label.

    Args:
        reading: Of the dataset.
        slices: What is meant by a split where it is not that of its name.
        notes: Gets a line on what is left out.
        how: How the labels are read.
    """
    meant = {**splits_among(reading.builder.info.splits), **slices}
    splits: dict[str, Split] = {}
    for split in SPLITS:
        if split not in meant:
            continue
        # TFDS writes -1 where a label is kept secret.
        opened = without_unlabeled(reading.open(meant[split]), meant[split], notes, how)
        if len(opened):
            splits[split] = opened
    return splits


def _image_and_labels(builder: Any, how: LabelReading) -> tuple[str, Chosen]:
    """Returns the features that are the image and its labels."""
    import tensorflow_datasets as tfds

    features = dict(sorted(builder.info.features.items()))
    images = [
        key
        for key, feature in features.items()
        # Images of floating-point numbers have no encoding that `decoding.decode` knows.
        if isinstance(feature, tfds.features.Image) and feature.np_dtype in (np.uint8, np.uint16)
    ]
    keys = builder.info.supervised_keys
    usual = keys if keys and len(keys) == 2 and keys[0] in images else None
    described = Features(
        builder.info.name,
        classes=[key for key, one in features.items() if isinstance(one, tfds.features.ClassLabel)],
        sequences=[
            key
            for key, one in features.items()
            if isinstance(one, tfds.features.Sequence)
            and isinstance(one.feature, tfds.features.ClassLabel)
        ],
        numbers=[key for key, one in features.items() if _is_number(one)],
        usual=usual[1] if usual else None,
        described=", ".join(f"{key} ({type(value).__name__})" for key, value in features.items()),
    )
    chosen = chosen_labels(described, how)
    if usual or len(images) == 1:
        return (usual[0] if usual else images[0]), chosen
    raise UsageError(
        f"The dataset '{builder.info.name}' needs one image per example; its features are "
        f"{described.described}."
    )


def _is_number(feature: Any) -> bool:
    """Tells whether a feature is a number and not a class."""
    import tensorflow_datasets as tfds

    is_scalar = isinstance(feature, tfds.features.Tensor) and feature.shape == ()
    return (
        is_scalar
        and not isinstance(feature, tfds.features.ClassLabel)
        and np.dtype(feature.np_dtype).kind in "iuf"
    )
