"""Unreadable images: how they are found and reported."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfxfer.data.cache import Cache
from tfxfer.data.image import decoding
from tfxfer.data.image.failures import READ_ERRORS, readable_reason
from tfxfer.data.image.order import Places
from tfxfer.data.source import Split, untuned
from tfxfer.errors import DataError
from tfxfer.system.digests import ID_BYTES, Ids, code_digest, key_of
from tfxfer.system.progress import Progress

# What to do about unreadable images.
REPLACE = "replace or remove them"

_CHECKED = 1024


@dataclass(frozen=True)
class Unreadable:
    """An unreadable image that was left out.

    Attributes:
        split: Its split.
        example: Its id: a path, "cifar10 train #5".
        label: Its class index, or its row of labels; see `labels.targets`.
        reason: Why it is unreadable.
    """

    split: str
    example: str
    label: Any
    reason: str


def _readable_key() -> str:
    """Returns the key under which the cache has the ids of all content that was ever decoded."""
    return key_of({"code": code_digest("data.image.channels"), "tensorflow": tf.__version__})


def known_readable(cache: Cache | None) -> Ids:
    """Returns the ids of content that was decoded in an earlier run."""
    found = None if cache is None else cache.read("readable", _readable_key())
    return np.zeros((0, ID_BYTES), np.uint8) if found is None else found[0]


def keep_readable(cache: Cache | None, known: Ids, more: Ids) -> None:
    """Has the cache know of more content that it can be decoded."""
    if cache is None or not len(more):
        return
    ids = np.concatenate([known, more])
    # The ids are all there is to keep: the rows are empty.
    rows = [np.zeros((len(ids), 0), np.uint8)]
    what = {"what": "images that can be decoded"}
    cache.write("readable", _readable_key(), ids, rows, np.uint8, (0,), what)


@contextmanager
def naming_unreadable_images(*splits: Split) -> Iterator[None]:
    """Turns TensorFlow's error on an unreadable image into one that names the file.

    Use it around iteration over batches. After an error the splits are read again, in full.

    Raises:
        DataError: Images of the splits cannot be read.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError:
        raise  # the memory or the disk: to read all images again would tell nothing
    except READ_ERRORS as error:
        named = {str(number): split for number, split in enumerate(splits)}
        bad = {name: find_unreadable(split) for name, split in named.items()}
        if any(len(places) for places in bad.values()):
            raise DataError(unreadable_message(named, bad, REPLACE)) from error
        raise


def find_unreadable(split: Split) -> Places:
    """Returns the places of the unreadable images of a split, ascending."""

    def decode(image: tf.Tensor) -> tf.Tensor:
        if image.dtype == tf.string:
            image = decoding.decode(image, portable=False)
        with tf.control_dependencies([image]):
            return tf.constant(True)

    missing = np.ones(len(split), np.bool_)
    with Progress("images checked", len(split)) as progress:
        for indices, _ in readable(split, decode).batch(_CHECKED).as_numpy_iterator():
            missing[indices] = False
            progress.update(int(np.count_nonzero(~missing)))
    return Places(np.flatnonzero(missing))


def readable(split: Split, function: Callable[[tf.Tensor], tf.Tensor]) -> tf.data.Dataset:
    """Returns (index, what a function makes of the image) of all for which it does not fail."""
    read = split.read_image
    if read is not None:
        results = tf.data.Dataset.range(len(split)).map(
            lambda index: (index, function(read(index))), tf.data.AUTOTUNE
        )
    else:
        results = split.open_images().enumerate()
        results = results.map(lambda index, image: (index, function(image)), tf.data.AUTOTUNE)
    return untuned(results.ignore_errors())


def unreadable_message(
    splits: Mapping[str, Split],
    bad: Mapping[str, Places],
    what_next: str,
    limit: int = 20,
) -> str:
    """Returns the message that names unreadable images, with reasons for the first few.

    Args:
        splits: By name.
        bad: Places of the unreadable images, by split.
        what_next: What the user can do.
        limit: Maximum number of images named.
    """
    total = sum(len(places) for places in bad.values())
    lines = [f"Cannot read {total:,} {'image' if total == 1 else 'images'}; {what_next}:"]
    for name, places in bad.items():
        shown = Places(places[: max(0, limit - len(lines) + 1)])
        reasons = reasons_unreadable(splits[name], shown)
        lines += [
            f"  {splits[name].describe(int(place))}: {reason}"
            for place, reason in zip(shown, reasons, strict=True)
        ]
    if total > limit:
        lines.append(f"  and {total - limit:,} more; `tfxfer check` lists them all")
    return "\n".join(lines)


def reasons_unreadable(split: Split, places: Places) -> list[str]:
    """Returns why images cannot be read.

    Args:
        split: In which they are.
        places: Of them, ascending.
    """
    if split.read_image is None:  # then all are looked for in one pass
        return [_reason(iter([image])) for image in split.select(places).open_images()]
    alone = [split.select(np.array([place])) for place in places]
    return [_reason(iter(one.open_images())) for one in alone]


def _reason(images: Iterator[tf.Tensor]) -> str:
    """Returns why the only one of some images cannot be read."""
    try:
        image = next(images)
        if image.dtype == tf.string:
            decoding.decode(image, portable=False)
    except READ_ERRORS as error:
        return readable_reason(error)
    return "it could not be read at first, but can be now"
