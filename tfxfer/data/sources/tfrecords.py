"""TFRecord files of `tf.train.Example` in the form of TF-Slim's and many others' converters."""

import dataclasses
import pathlib
import re
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfxfer.data.image.failures import readable_reason
from tfxfer.data.labels.reading import AS_GIVEN, LabelReading
from tfxfer.data.labels.targets import Labels
from tfxfer.data.libraries.labels import without_unlabeled
from tfxfer.data.source import Source, Split, first_few, untuned
from tfxfer.data.sources.records.examples import IMAGE, IMAGE_FEATURE, Told
from tfxfer.data.sources.records.labels import RecordLabels
from tfxfer.data.sources.sizes import typical_height_and_width
from tfxfer.data.split_names import SPLITS, split_of
from tfxfer.errors import DataError, UsageError
from tfxfer.system.digests import Ids, ids_of
from tfxfer.system.names import safe_name
from tfxfer.system.progress import Progress

# Records read at a time when the data are opened.
_BATCH = 256


def is_tfrecord_name(name: str) -> bool:
    """Tells whether a name is that of a TFRecord file: x.tfrecord, train-00000-of-00010, ..."""
    return bool(re.search(r"\.tfrecords?\b|-\d{5}-of-\d{5}(\.gz)?$", name))


def holds_tfrecords(path: pathlib.Path) -> bool:
    """Tells whether a directory contains TFRecord files."""
    try:
        return any(is_tfrecord_name(file.name) and file.is_file() for file in path.iterdir())
    except OSError:
        return False  # the next attempt to list it reports the reason


def open_tfrecords(
    path: pathlib.Path, *, needs_train: bool = True, how: LabelReading = AS_GIVEN
) -> Source:
    """Returns the images of a TFRecord file, or of those in a directory, in the files' order.

    An example has `image/encoded`, an image file, and `image/class/label`, an integer from 0, and
    may have `image/class/text`, the class name. Where examples have several of these, they are
    multi-label. Tasks and a target are features of their own. Class names come from `labels.txt` in
    the same directory ("3:cat", or a line for each number from 0), else from the examples, else
    they are the numbers; classes are in the order of the numbers. A file belongs to the split in
    its name (train-00000-of-00010, flowers_validation.tfrecord); if no name has one, all files are
    for training. Files may be compressed with gzip.

    Opening reads all files once, because the labels are stored with the images.

    Args:
        path: A file, or a directory of files.
        needs_train: Whether there must be a split to train on, with at least two classes.
        how: How the labels are to be read.

    Raises:
        UsageError: The examples do not have that form, or have only one class.
        DataError: A file is corrupt; the message names it and the record.
    """
    if how.is_preference and how.own_columns:
        try:
            asked = dataclasses.replace(how, is_preference=False)
            return open_tfrecords(path, needs_train=needs_train, how=asked)
        except UsageError:  # the labels come from elsewhere
            neutral = LabelReading(is_preference=True, are_replaced=how.are_replaced)
            return open_tfrecords(path, needs_train=needs_train, how=neutral)
    files, notes = _by_split(path, needs_train)
    shards = {name: _read(members, how) for name, members in files.items()}
    told = {name: shard.told for name, shard in shards.items()}
    found = RecordLabels.of(path, told, how, needs_train=needs_train)
    splits = {
        name: without_unlabeled(shard.split(found.labels[name]), name, notes, how)
        for name, shard in shards.items()
    }
    return Source(
        name=safe_name(re.split(r"\.tfrecord", path.resolve().name)[0]),
        class_names=found.class_names,
        splits=splits,
        image_height_width=typical_height_and_width(next(iter(splits.values()))),
        notes=tuple(notes),
        origin=str(path.resolve()),
        tasks=found.tasks,
    )


@dataclass(frozen=True)
class _Shards:
    """The files of a split and what they contain.

    Attributes:
        files: In order.
        counts: Number of records in each file.
        told: What the examples say of their labels.
        digests: Of each image.
    """

    files: list[pathlib.Path]
    counts: list[int]
    told: Told
    digests: Ids

    def split(self, labels: Labels) -> Split:
        """Returns the examples with their labels."""
        paths = [str(file) for file in self.files]
        compressions = [_compression(file) for file in self.files]
        starts = np.concatenate([[0], np.cumsum(self.counts)])

        def open_images() -> tf.data.Dataset:
            files = tf.data.Dataset.from_tensor_slices((paths, compressions))
            # Sequentially: the order is that of the labels.
            records = files.flat_map(lambda file, kind: tf.data.TFRecordDataset(file, kind))
            return records.map(
                lambda record: tf.io.parse_single_example(record, IMAGE_FEATURE)[IMAGE],
                tf.data.AUTOTUNE,
            )

        def describe(index: int) -> str:
            place = int(np.searchsorted(starts, index, side="right")) - 1
            return f"{self.files[place].name} #{index - starts[place]}"

        return Split(labels, open_images, describe, lambda: self.digests)


def _by_split(
    path: pathlib.Path, needs_train: bool
) -> tuple[dict[str, list[pathlib.Path]], list[str]]:
    """Returns the files of each split, and notes on those that belong to none."""
    if path.is_file():
        return {"train": [path]}, []
    files = sorted(file for file in path.iterdir() if is_tfrecord_name(file.name))
    splits: dict[str, list[pathlib.Path]] = {}
    others = []
    for file in files:
        words = map(split_of, re.split(r"[^a-z]+", file.name.lower()))
        split = next((split for split in words if split is not None), None)
        if split is not None:
            splits.setdefault(split, []).append(file)
        else:
            others.append(file)
    if not splits:
        return {"train": others}, []
    if "train" not in splits and needs_train:
        raise UsageError(
            f"The TFRecord files in '{path}' are of {' and '.join(splits)} by name, but none is of "
            f"'train': {first_few([file.name for file in files], 'file', 'files')}."
        )
    notes = []
    if others:
        names = first_few([file.name for file in others], "file", "files")
        notes.append(f"left out of '{path}', whose names are not splits: {names}")
    return {name: splits[name] for name in SPLITS if name in splits}, notes


def _compression(file: pathlib.Path) -> str:
    """Returns TensorFlow's name for the compression of a file, by its first bytes."""
    try:
        with file.open("rb") as content:
            return "GZIP" if content.read(2) == b"\x1f\x8b" else ""
    except OSError as error:
        raise DataError(f"Cannot read '{file}': {error.strerror}.") from error


def _read(files: list[pathlib.Path], how: LabelReading) -> _Shards:
    """Reads files and returns what they contain."""
    counts: list[int] = []
    told = Told(how.own_columns)
    digests = [np.zeros((0, ids_of([(b"",)]).shape[1]), np.uint8)]
    with Progress("TFRecord files", len(files)) as progress:
        for number, file in enumerate(files, start=1):
            count = 0
            dataset = tf.data.TFRecordDataset(str(file), _compression(file))
            try:
                for batch in untuned(dataset.batch(_BATCH)):
                    images = told.add(file, count, batch)
                    digests.append(ids_of((image,) for image in images))
                    count += len(batch)
            except tf.errors.OpError as error:
                raise DataError(
                    f"Cannot read the TFRecord file '{file}' after {count:,} records: "
                    f"{readable_reason(error)}. Write it again, or remove it."
                ) from error
            counts.append(count)
            progress.update(number)
    if not sum(counts):
        raise UsageError(
            f"There are no records in {first_few([str(file) for file in files], 'file', 'files')}."
        )
    return _Shards(files, counts, told, np.concatenate(digests))
