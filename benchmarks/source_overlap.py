"""Finds images of one dataset in another, by normalized correlation.

    python benchmarks/source_overlap.py tiny_imagenet40 cifar10 --sheet pairs.png

First each image becomes 16 x 16 gray values of zero mean and unit length; the correlation of two
images is their dot product, mirror images included. This finds the most similar image for each, but
two different skies over the sea are as similar as two duplicates. So for pairs above 0.9 the
correlation of fine detail is computed: the difference from a blurred version at 32 x 32 pixels. It
is high for duplicates, even resized or recompressed, and mostly low otherwise. `--sheet` writes the
hundred highest pairs side by side for inspection. Different crops of the same photograph are not
found.
"""

import argparse

import numpy as np
import tensorflow as tf

from tfxfer.config.schema import FitConfig
from tfxfer.data.image.dataset import Images
from tfxfer.data.opening import open_source

SIDE = 16
SIMILAR = 0.9
DETAIL = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def open_images(name: str) -> np.ndarray:
    """Returns all images of a dataset, uint8, shape (num_examples, 32, 32, 3)."""
    splits = open_source(FitConfig(data=name)).splits.values()
    parts = [np.stack(list(Images(split, 32).streamed().as_numpy_iterator())) for split in splits]
    return np.concatenate(parts)


def descriptors(images: np.ndarray) -> np.ndarray:
    """Returns float32 of zero mean and unit length, shape (num_examples, 256)."""
    parts = []
    for start in range(0, len(images), 5000):
        batch = tf.image.rgb_to_grayscale(tf.cast(images[start : start + 5000], tf.float32))
        small = tf.image.resize(batch, (SIDE, SIDE), antialias=True).numpy().reshape(len(batch), -1)
        small -= small.mean(axis=1, keepdims=True)
        parts.append(small / np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-3))
    return np.concatenate(parts)


def closest(queries: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns for each query the highest correlation with a known image, and the image's index."""
    mirrored = queries.reshape(-1, SIDE, SIDE)[:, :, ::-1].reshape(queries.shape)
    best, index = np.full(len(queries), -1.0, np.float32), np.zeros(len(queries), int)
    for rows in (queries, mirrored):
        for start in range(0, len(rows), 1000):
            block = rows[start : start + 1000] @ known.T  # (1000, num_known)
            at = block.argmax(axis=1)
            value = block[np.arange(len(at)), at]
            part = slice(start, start + len(at))
            index[part] = np.where(value > best[part], at, index[part])
            best[part] = np.maximum(best[part], value)
    return best, index


def detail(images: np.ndarray) -> np.ndarray:
    """Returns fine detail (minus a blur) of unit length, shape (num_examples, 32 * 32 * 3)."""
    pixels = tf.cast(images, tf.float32)
    blurred = tf.image.resize(tf.nn.avg_pool2d(pixels, 4, 4, "VALID"), (32, 32))
    rest = (pixels - blurred).numpy().reshape(len(images), -1)
    return rest / np.maximum(np.linalg.norm(rest, axis=1, keepdims=True), 1e-3)


def main() -> None:
    """Prints how many images of the second dataset are similar to one of the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--sheet", help="Write an image of the 100 closest pairs.")
    arguments = parser.parse_args()
    source, target = open_images(arguments.source), open_images(arguments.target)
    best, index = closest(descriptors(target), descriptors(source))
    similar = np.flatnonzero(best >= SIMILAR)
    left, right = target[similar], source[index[similar]]
    found = detail(right)
    shared = np.maximum(
        np.sum(detail(left) * found, axis=1), np.sum(detail(left[:, :, ::-1]) * found, axis=1)
    )
    print(f"{len(target):,} images of {arguments.target}, {len(source):,} of {arguments.source}")
    print(f"correlation of {SIMILAR} or more: {len(similar):,}")
    for threshold in DETAIL:
        count = np.sum(shared >= threshold)
        print(f"of these, correlation of fine detail {threshold} or more: {count:,}")
    order = np.argsort(-shared)[:100]
    if arguments.sheet:
        pairs = np.concatenate([left[order], right[order]], axis=2)  # (100, 32, 64, 3)
        rows = pairs.reshape(10, 10, 32, 64, 3).transpose(0, 2, 1, 3, 4).reshape(320, 640, 3)
        tf.io.write_file(arguments.sheet, tf.io.encode_png(np.repeat(np.repeat(rows, 2, 0), 2, 1)))


if __name__ == "__main__":
    main()
