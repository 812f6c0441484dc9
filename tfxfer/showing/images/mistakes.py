"""The images on which a run was most confidently wrong, as examples to try."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfxfer.data.seen import BoundSource
from tfxfer.showing.mistakes import MOST_MISTAKES, wrong_predictions
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import RunDirectory


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
    wrong = wrong_predictions(run.predictions)
    if not wrong:
        return []
    places = {split.describe(index): index for index in range(len(split))}
    found = [(places[row["image"]], row["label"]) for row in wrong if row["image"] in places]
    labels = dict(found[:MOST_MISTAKES])
    ascending = sorted(labels)  # some data can be read only from the first to the last
    images = split.select(np.array(ascending, np.int64)).open_images()
    contents = dict(zip(ascending, map(_encoded, images), strict=True))
    return [Mistake(contents[index], label) for index, label in labels.items()]


def _encoded(image: tf.Tensor) -> bytes:
    """Returns an image as the content of a file."""
    encoded = image if image.dtype == tf.string else tf.io.encode_png(image)
    content: bytes = encoded.numpy()
    return content
