"""Splits of noise images, of every kind of source, and the contents of their batches."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfxfer.config.schema import FitConfig
from tfxfer.data.source import Split, in_any_order
from tfxfer.system.digests import ids_of


def noise(num_images: int, side: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num_images, side, side, 3), dtype=np.uint8)


def counted(images: np.ndarray, reads: list[int]) -> tf.data.Dataset:
    """Returns a split of PNG files that records every read."""

    def read(index):
        reads.append(int(index))
        return tf.io.encode_png(images[int(index)])

    return tf.data.Dataset.range(len(images)).map(
        lambda index: tf.ensure_shape(tf.py_function(read, [index], tf.string), ())
    )


def digests(images: np.ndarray):
    return lambda: ids_of((image.tobytes(),) for image in images)


def encoded_split(images: np.ndarray, reads: list[int] | None = None) -> Split:
    """Returns a split that can only be read sequentially, like a TFDS dataset."""
    reads = [] if reads is None else reads
    labels = np.arange(len(images)) % 5
    return Split(
        labels, lambda: counted(images, reads), lambda index: f"noise #{index}", digests(images)
    )


def array_split(images: np.ndarray) -> Split:
    labels = np.arange(len(images)) % 5
    table = tf.constant(images)
    return in_any_order(
        labels, lambda i: tf.gather(table, i), lambda index: f"noise #{index}", digests(images)
    )


def collected(batches):
    return [(images, labels) for images, labels in batches.as_numpy_iterator()]


def which(images: np.ndarray, shown: np.ndarray) -> list[int]:
    """Returns the index of each image in the batches."""
    numbers = {image.tobytes(): index for index, image in enumerate(images)}
    return [numbers[image.tobytes()] for image in shown]


def corrupt_split(folder):
    """Returns a split of seven files: one corrupt, one empty, one missing."""
    paths = [folder / f"{index}.png" for index in range(7)]
    for path, image in zip(paths, noise(7), strict=True):
        path.write_bytes(tf.io.encode_png(image).numpy())
    paths[1].write_bytes(paths[1].read_bytes()[:60])
    paths[4].write_bytes(b"")
    paths[6].unlink()
    names = tf.constant([str(path) for path in paths])
    labels = np.zeros(7, np.int64)
    return in_any_order(
        labels, lambda i: tf.io.read_file(tf.gather(names, i)), lambda i: str(paths[i]), None
    )


def in_order_only(split: Split) -> Split:
    return Split(split.labels, split.open_images, split.describe, split.digests)


def numbered(split: Split) -> Split:
    """Returns the split with digests, and labels that are the numbers of its examples."""
    labels = np.arange(len(split)) % 5
    digests = ids_of((bytes([number]),) for number in range(len(split)))
    return dataclasses.replace(split, labels=labels, digests=lambda: digests)


def settings_of(directory, bad_images, memory_gigabytes=1.0, cache_gigabytes=0.0):
    return FitConfig(
        data="noise",
        input_size=8,
        bad_images=bad_images,
        memory_gigabytes=memory_gigabytes,
        cache_gigabytes=cache_gigabytes,
        cache_dir=str(directory),
    )


def black_split(sizes, *, by_index):
    """Returns a split of black PNG pictures of the given heights and widths."""
    files = [tf.io.encode_png(np.zeros((*size, 3), "uint8")).numpy() for size in sizes]
    labels = np.arange(len(files))
    table = tf.constant(files)

    def digests():
        return ids_of((file,) for file in files)

    if by_index:
        return in_any_order(labels, lambda index: tf.gather(table, index), str, digests)
    return Split(labels, lambda: tf.data.Dataset.from_tensor_slices(table), str, digests)
