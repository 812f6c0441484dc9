"""What an export says of unknown images and prediction sets: its graph, and the check of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfxfer.exporting.gate import TOLERANCE, refused
from tfxfer.exporting.served_graph import Answer
from tfxfer.inference.caution import Caution

# Distances are about 1. What rounding changes in features grows where it is divided by a small
# standard deviation, and near 0 by the root.
_SCORE_TOLERANCE = 2e-3

# The outputs of a cautious model, as its contract describes them.
GIVES = (
    "unknown_score (batch,): distance to the k-th nearest training image, unknown (batch,): "
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
        self.mean, self.scale = tf.constant(caution.mean), tf.constant(caution.scale)
        self._names = tf.constant(class_names)

    def __call__(self, features: tf.Tensor, probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the outputs of images; see `GIVES`."""
        standardized = (features - self.mean) / self.scale
        own = tf.reduce_sum(tf.square(standardized), axis=1, keepdims=True)
        products = tf.matmul(standardized, self.rows, transpose_b=True)  # (batch, num_kept)
        squares = own + tf.reduce_sum(tf.square(self.rows), axis=1) - 2 * products
        nearest = -tf.math.top_k(-squares, self._record.neighbor).values[:, -1]
        score = tf.sqrt(tf.maximum(nearest / self.rows.shape[1], 0))
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
        self, how: str, answer: Answer, features: np.ndarray, probabilities: np.ndarray
    ) -> None:
        """Raises an ExportError unless an answer says what the caution does.

        Args:
            how: How the images were given, for the message.
            answer: To the first images, or to all.
            features: Of the images, (num_images, num_features).
            probabilities: Of the images, (num_images, num_classes).
        """
        score = np.array(answer["unknown_score"])
        record, expected = self.caution.record, self.caution.scores(features[: len(score)])
        difference = float(np.abs(score - expected).max())
        if not difference <= _SCORE_TOLERANCE:
            raise refused(f"for {how}, the scores of unknown images differ by {difference:.2g}")
        beyond = expected - record.threshold
        _compare(how, "unknown images", answer["unknown"], beyond, _SCORE_TOLERANCE)
        beyond = probabilities[: len(score)] - record.least_probability
        _compare(how, "prediction sets", answer["in_set"], beyond, TOLERANCE)
        in_set, names = np.array(answer["in_set"], bool), np.array(answer["set_labels"])
        if not np.array_equal(names, np.where(in_set, self.class_names, "")):
            raise refused(f"for {how}, the names of the prediction sets differ")


def _compare(how: str, what: str, found: Any, beyond: np.ndarray, tolerance: float) -> None:
    """Raises an ExportError unless what is found is true where something is positive."""
    is_close = np.abs(beyond) <= tolerance
    if not np.all((np.array(found, bool) == (beyond >= 0)) | is_close):
        raise refused(f"for {how}, the {what} differ")
