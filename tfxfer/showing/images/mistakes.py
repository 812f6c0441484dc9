"""The images on which a run was most confidently wrong, as examples to try."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfxfer.data.seen import BoundSource
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import RunDirectory

# As many examples as one looks at.
MOST_MISTAKES = 8


@dataclass(frozen=True)
class Mistake:
    """An image that was predicted as another class.

    Attributes:
        content: Of its file; a PNG where the data are pixels.
        label: Its class in the data.
    """

    content: bytes
    label: str


@isolated
def most_confident_mistakes(run: RunDirectory, source: BoundSource) -> list[Mistake]:
    """Returns the most confident mistakes on the split that evaluates a run.

    Args:
        run: Its `predictions.csv` is read; without one there are no mistakes.
        source: The run's data.

    Returns:
        At most `MOST_MISTAKES`, the most confident first. Images that have moved are left out.

    Raises:
        tf.errors.OpError: A file cannot be read.
    """
    if source.evaluation_split not in source.splits:
        return []
    split = source.splits[source.evaluation_split]
    wrong = sorted(_wrong(run), key=lambda row: -float(row["confidence"]))
    if not wrong:
        return []
    places = {split.describe(index): index for index in range(len(split))}
    found = [(places[row["image"]], row["label"]) for row in wrong if row["image"] in places]
    labels = dict(found[:MOST_MISTAKES])
    ascending = sorted(labels)  # some data can be read only from the first to the last
    images = split.select(np.array(ascending, np.int64)).open_images()
    contents = dict(zip(ascending, map(_encoded, images), strict=True))
    return [Mistake(contents[index], label) for index, label in labels.items()]


def _wrong(run: RunDirectory) -> Iterator[Mapping[str, str]]:
    """Yields the rows of the predictions that are wrong."""
    if not run.predictions.is_file():
        return
    with run.predictions.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        yield from (row for row in csv.DictReader(file) if row["label"] != row["predicted"])


def _encoded(image: tf.Tensor) -> bytes:
    """Returns an image as the content of a file."""
    encoded = image if image.dtype == tf.string else tf.io.encode_png(image)
    content: bytes = encoded.numpy()
    return content
