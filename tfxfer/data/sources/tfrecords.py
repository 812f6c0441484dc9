"""TFRecord files of `tf.train.Example` in the form of TF-Slim's and many others' converters."""

import pathlib
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.data.image.failures import readable_reason
from tfxfer.data.source import Source, Split, canonical, first_few, untuned
from tfxfer.data.sources.sizes import typical_height_and_width
from tfxfer.data.split_names import SPLITS, split_of
from tfxfer.errors import DataError, UsageError
from tfxfer.system.digests import Ids, ids_of
from tfxfer.system.names import parse_class_lines, safe_name
from tfxfer.system.progress import Progress

_IMAGE, _LABEL, _TEXT = "image/encoded", "image/class/label", "image/class/text"

# Missing features are recognized by their defaults, which no example has.
_FEATURES = {
    _IMAGE: tf.io.FixedLenFeature((), tf.string, ""),
    _LABEL: tf.io.FixedLenFeature((), tf.int64, -1),
    _TEXT: tf.io.FixedLenFeature((), tf.string, ""),
}

_LABELS_FILE = "labels.txt"

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


def open_tfrecords(path: pathlib.Path, *, needs_train: bool = True) -> Source:
    """Returns the images of a TFRecord file, or of those in a directory, in the files' order.

    An example has `image/encoded`, an image file, and `image/class/label`, an integer from 0, and
    may have `image/class/text`, the class name. Class names come from `labels.txt` in the same
    directory ("3:cat", or a line for each number from 0), else from the examples, else they are
    the numbers; classes are in the order of the numbers. A file belongs to the split in its name
    (train-00000-of-00010, flowers_validation.tfrecord); if no name has one, all files are for
    training. Files may be compressed with gzip.

    Opening reads all files once, because the labels are stored with the images.

    Args:
        path: A file, or a directory of files.
        needs_train: Whether there must be a split to train on, with at least two classes.

    Raises:
        UsageError: The examples do not have that form, or have only one class.
        DataError: A file is corrupt; the message names it and the record.
    """
    files, notes = _by_split(path, needs_train)
    shards = {name: _read(members) for name, members in files.items()}
    numbers = sorted({int(label) for shard in shards.values() for label in shard.labels})
    if len(numbers) < 2 and needs_train:
        raise UsageError(
            f"The examples in '{path}' have only one class; a classifier needs at least 2."
        )
    first = next(iter(shards.values()))
    strange = set(numbers) - set(first.labels.tolist())
    if strange and needs_train:
        raise UsageError(
            f"The label {min(strange)} does not occur in the training files of '{path}', but in "
            "others."
        )
    splits = {name: shard.split(numbers) for name, shard in shards.items()}
    return Source(
        name=safe_name(re.split(r"\.tfrecord", path.resolve().name)[0]),
        class_names=_class_names(path, numbers, list(shards.values())),
        splits=splits,
        image_height_width=typical_height_and_width(next(iter(splits.values()))),
        notes=tuple(notes),
        origin=str(path.resolve()),
    )


@dataclass(frozen=True)
class _Shards:
    """The files of a split and what they contain.

    Attributes:
        files: In order.
        counts: Number of records in each file.
        labels: The class number of each example.
        names: The class name for each number in the examples; "" if it is ambiguous.
        digests: Of each image.
    """

    files: list[pathlib.Path]
    counts: list[int]
    labels: npt.NDArray[np.int64]
    names: dict[int, str]
    digests: Ids

    def split(self, numbers: list[int]) -> Split:
        """Returns the examples; a label is the index of its number among `numbers`."""
        paths = [str(file) for file in self.files]
        compressions = [_compression(file) for file in self.files]
        starts = np.concatenate([[0], np.cumsum(self.counts)])

        def open_images() -> tf.data.Dataset:
            files = tf.data.Dataset.from_tensor_slices((paths, compressions))
            # Sequentially: the order is that of the labels.
            records = files.flat_map(lambda file, kind: tf.data.TFRecordDataset(file, kind))
            return records.map(
                lambda record: tf.io.parse_single_example(record, _FEATURES)[_IMAGE],
                tf.data.AUTOTUNE,
            )

        def describe(index: int) -> str:
            place = int(np.searchsorted(starts, index, side="right")) - 1
            return f"{self.files[place].name} #{index - starts[place]}"

        labels = np.searchsorted(numbers, self.labels).astype(np.int64)
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


def _read(files: list[pathlib.Path]) -> _Shards:
    """Reads files and returns what they contain."""
    counts: list[int] = []
    labels: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
    digests = [np.zeros((0, ids_of([(b"",)]).shape[1]), np.uint8)]
    names: dict[int, set[str]] = {}
    with Progress("TFRecord files", len(files)) as progress:
        for number, file in enumerate(files, start=1):
            count = 0
            dataset = tf.data.TFRecordDataset(str(file), _compression(file))
            records = untuned(dataset.batch(_BATCH))
            try:
                for batch in records:
                    examples = _parsed(file, count, batch)
                    labels.append(examples[_LABEL].numpy())
                    digests.append(ids_of((image,) for image in examples[_IMAGE].numpy()))
                    for label, text in zip(labels[-1], examples[_TEXT].numpy(), strict=True):
                        names.setdefault(int(label), set()).add(text.decode("utf-8", "replace"))
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
    only = {label: min(texts) if len(texts) == 1 else "" for label, texts in names.items()}
    return _Shards(files, counts, np.concatenate(labels), only, np.concatenate(digests))


def _parsed(file: pathlib.Path, start: int, records: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns records parsed as examples, checked."""
    try:
        examples: dict[str, tf.Tensor] = tf.io.parse_example(records, _FEATURES)
    except tf.errors.InvalidArgumentError as error:
        raise UsageError(
            f"A record of '{file}' from #{start} on is not a tf.train.Example that has '{_IMAGE}', "
            f"bytes, and '{_LABEL}', one integer: {readable_reason(error)}."
        ) from error
    for feature, lacking in (
        (_IMAGE, tf.strings.length(examples[_IMAGE]) == 0),
        (_LABEL, examples[_LABEL] < 0),
    ):
        missing = np.flatnonzero(lacking.numpy())
        if len(missing):
            example = tf.train.Example.FromString(records[int(missing[0])].numpy())
            has = ", ".join(sorted(example.features.feature)) or "nothing"
            raise UsageError(
                f"Example #{start + missing[0]} of '{file}' has no usable '{feature}'; it has "
                f"{has}. Needed are '{_IMAGE}', an image file, and '{_LABEL}', an integer from 0."
            )
    return examples


def _class_names(path: pathlib.Path, numbers: list[int], shards: list[_Shards]) -> tuple[str, ...]:
    """Returns the class names for class numbers."""
    file = (path.parent if path.is_file() else path) / _LABELS_FILE
    if file.is_file():
        known = _read_labels(file)
        for number in numbers:
            if number not in known:
                raise UsageError(f"'{file}' has no name for the label {number}.")
        return _distinct([known[number] for number in numbers], numbers)
    texts = [{shard.names.get(number, "") for shard in shards} - {""} for number in numbers]
    if all(len(found) == 1 for found in texts):
        return _distinct([min(found) for found in texts], numbers)
    return tuple(str(number) for number in numbers)


def _read_labels(file: pathlib.Path) -> dict[int, str]:
    """Returns the names in a `labels.txt` by number, stripped.

    It may be one that an export has, too, in which some names stand as JSON writes them.
    """
    text = file.read_text("utf-8", "replace")
    lines = text.removeprefix("\ufeff").removesuffix("\n").split("\n")
    pairs = [re.fullmatch(r"(\d+)[:\t ](.+)", line) for line in lines]
    if all(pairs):
        return {int(pair[1]): pair[2].strip() for pair in pairs if pair}
    try:
        names = parse_class_lines(text)
    except ValueError:  # a quotation mark that is a plain character
        names = lines
    written = dict(enumerate(names))
    return {
        number: name if lines[number].startswith('"') else name.strip()
        for number, name in written.items()
        if name.strip()
    }


def _distinct(names: list[str], numbers: list[int]) -> tuple[str, ...]:
    """Returns the names, or the numbers if two classes share a name."""
    distinct = len(set(map(canonical, names))) == len(names)
    return tuple(names if distinct else (str(number) for number in numbers))
