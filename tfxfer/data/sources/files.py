"""Image files as a split: read by index, identified by content."""

import functools
import os
from collections.abc import Sequence

import tensorflow as tf

from tfxfer.data.cache import Cache
from tfxfer.data.labels.targets import Labels
from tfxfer.data.source import Split, in_any_order
from tfxfer.data.sources.digesting import file_digests


def split_of_files(paths: Sequence[str], labels: Labels, cache: Cache | None = None) -> Split:
    """Returns image files as a split, each read when needed.

    Args:
        paths: In their order; they are the ids of the examples.
        labels: Of either kind; see `labels.targets`.
        cache: Where digests of files are kept between runs; None for the default one.
    """
    # As bytes, for a file name need not be valid UTF-8.
    table = tf.constant([os.fsencode(path) for path in paths], tf.string)
    return in_any_order(
        labels,
        lambda index: tf.io.read_file(tf.gather(table, index)),
        lambda index: paths[index],
        # Once, for it reads new files.
        functools.cache(lambda: file_digests(paths, cache)),
    )
