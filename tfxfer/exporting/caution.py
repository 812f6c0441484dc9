"""What an export says of unknown images and prediction sets: its graph, and the check of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfxfer.exporting.gate import TOLERANCE, refused
from tfxfer.inference.caution import Caution, distances

# The outputs of a cautious model, as its contract describes them.
GIVES = (
    "unknown_score (batch,): cosine distance to the k-th nearest training image, unknown (batch,): "
    "whether it is above the threshold, in_set (batch, num_classes): whether the probability of "
    "each class is high enough for the prediction set, and set_labels (batch, num_classes): the "
    "name where it is, else empty"
)


class CautionGraph(tf.Module):
    """Computes in a graph what `Caution.judge` does.

    Args:
        caution: The training features that are kept, and the limits.
        class_names: In the order of the model's outputs.
    """

    def __init__(self, caution: Caution, class_names: tuple[str, ...]) -> None:
        super().__init__()
        self._record = caution.record
        # A variable, as a constant of this size would be written into the graph itself.
        self.rows = tf.Variable(caution.rows, trainable=False, name="training_features")
        self._names = tf.constant(class_names)

    def __call__(self, features: tf.Tensor, probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the outputs of images; see `GIVES`."""
        lengths = tf.norm(features, axis=1, keepdims=True)
        units = features / tf.maximum(lengths, np.finfo(np.float32).tiny)
        similar = tf.matmul(units, self.rows, transpose_b=True)  # (batch, num_kept)
        nearest = tf.math.top_k(similar, self._record.neighbor).values
        score = 1 - nearest[:, -1]
        in_set = probabilities >= self._record.least_probability
        return {
            "unknown_score": score,
            "unknown": score > self._record.threshold,
            "in_set": in_set,
            "set_labels": tf.where(in_set, self._names, ""),
        }


@dataclass(frozen=True)
class NamedCaution:
    """A caution, with the names of its classes."""

    class_names: tuple[str, ...]
    caution: Caution

    def check(
        self, how: str, answer: dict[str, Any], features: np.ndarray, probabilities: np.ndarray
    ) -> None:
        """Raises an ExportError unless an answer says what the caution does.

        Args:
            how: How the images were given, for the message.
            answer: To the first images, or to all.
            features: Of the images, (num_images, num_features).
            probabilities: Of the images, (num_images, num_classes).
        """
        score = np.array(answer["unknown_score"])
        rows, record = self.caution.rows, self.caution.record
        expected = distances(features[: len(score)], rows, record.neighbor)
        difference = float(np.abs(score - expected).max())
        if not difference <= TOLERANCE:
            raise refused(f"for {how}, the scores of unknown images differ by {difference:.2g}")
        threshold, least = record.threshold, record.least_probability
        _compare(how, "unknown images", answer["unknown"], expected - threshold)
        _compare(how, "prediction sets", answer["in_set"], probabilities[: len(score)] - least)
        in_set, names = np.array(answer["in_set"], bool), np.array(answer["set_labels"])
        if not np.array_equal(names, np.where(in_set, self.class_names, "")):
            raise refused(f"for {how}, the names of the prediction sets differ")


def _compare(how: str, what: str, found: Any, excess: np.ndarray) -> None:
    """Raises an ExportError unless what is found is true where something is positive."""
    is_close = np.abs(excess) <= TOLERANCE
    if not np.all((np.array(found, bool) == (excess >= 0)) | is_close):
        raise refused(f"for {how}, the {what} differ")
