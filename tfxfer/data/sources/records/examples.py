"""The examples of TFRecord files, read once: what they say of their labels."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.data.image.failures import readable_reason
from tfxfer.errors import UsageError

IMAGE, LABEL, TEXT = "image/encoded", "image/class/label", "image/class/text"

# Missing features are recognized by their defaults, which no example has.
IMAGE_FEATURE = {IMAGE: tf.io.FixedLenFeature((), tf.string, "")}

_FEATURES = {
    **IMAGE_FEATURE,
    LABEL: tf.io.RaggedFeature(tf.int64),
    TEXT: tf.io.RaggedFeature(tf.string),
}

# What is said of the examples of a file: where an example is, for messages.
Place = tuple[pathlib.Path, int]


class Told:
    """What the examples of a split say of their labels.

    Args:
        keys: The features that are tasks, or the target; empty for the usual label.

    Attributes:
        lengths: How many labels each example has.
        numbers: The labels of all examples, one example after the other.
        names: The texts that go with each number, "" for none.
        columns: Of each feature in `keys` what each example has there: an integer, a
            floating-point number, text, or None where it is missing.
        places: Of each example.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self.lengths: list[int] = []
        self.numbers: list[int] = []
        self.names: dict[int, set[str]] = {}
        self.columns: dict[str, list[Any]] = {key: [] for key in keys}
        self.places: list[Place] = []

    def add(self, file: pathlib.Path, start: int, records: tf.Tensor) -> npt.NDArray[Any]:
        """Adds records; returns their images, as bytes.

        Args:
            file: The file that they are from.
            start: The number of the first of them there.
            records: Serialized examples.

        Raises:
            UsageError: One is no example, or has no image, or its label is unusable.
        """
        try:
            found = tf.io.parse_example(records, IMAGE_FEATURE if self.columns else _FEATURES)
        except tf.errors.InvalidArgumentError as error:
            raise UsageError(
                f"A record of '{file}' from #{start} on is not a tf.train.Example that has "
                f"'{IMAGE}', bytes, and '{LABEL}', integers: {readable_reason(error)}."
            ) from error
        self.places += [(file, start + place) for place in range(len(records))]
        images: npt.NDArray[Any] = found[IMAGE].numpy()
        without = [place for place, image in enumerate(images) if not image]
        if without:
            raise unusable(file, start + without[0], IMAGE, records[without[0]])
        if self.columns:
            self._add_columns(file, start, records)
            return images
        labels = found[LABEL]
        wrong = np.flatnonzero((tf.reduce_min(labels, axis=1) < 0).numpy())
        if len(wrong):
            raise unusable(file, start + int(wrong[0]), LABEL, records[int(wrong[0])])
        self.lengths += labels.row_lengths().numpy().tolist()
        self.numbers += labels.flat_values.numpy().tolist()
        for numbers, texts in zip(labels.to_list(), found[TEXT].to_list(), strict=True):
            texts = texts if len(texts) == len(numbers) else [b""] * len(numbers)
            for number, text in zip(numbers, texts, strict=True):
                self.names.setdefault(number, set()).add(text.decode("utf-8", "replace"))
        return images

    def _add_columns(self, file: pathlib.Path, start: int, records: tf.Tensor) -> None:
        """Adds what records have in the features that are tasks, or the target."""
        for place, record in enumerate(records.numpy()):
            features = tf.train.Example.FromString(record).features.feature
            for key, column in self.columns.items():
                kind = features[key].WhichOneof("kind") if key in features else None
                values = list(getattr(features[key], kind).value) if kind else []
                if len(values) > 1:
                    raise UsageError(
                        f"Example #{start + place} of '{file}' has {len(values)} values in "
                        f"'{key}'; it must have one."
                    )
                value = values[0] if values else None
                if isinstance(value, bytes):
                    value = value.decode("utf-8", "replace") or None
                column.append(value)


def unusable(file: pathlib.Path, number: int, feature: str, record: tf.Tensor) -> UsageError:
    """Returns the error for an example that lacks a feature.

    Args:
        file: The file that it is from.
        number: Its number there.
        feature: What it lacks.
        record: The serialized example.
    """
    example = tf.train.Example.FromString(record.numpy())
    has = ", ".join(sorted(example.features.feature)) or "nothing"
    return UsageError(
        f"Example #{number} of '{file}' has no usable '{feature}'; it has {has}. Needed are "
        f"'{IMAGE}', an image file, and '{LABEL}', an integer from 0."
    )
