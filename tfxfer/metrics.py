"""Numbers that judge a classifier: arrays in, numbers out."""

from collections.abc import Container, Mapping
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

# The smallest probability that a float32 softmax is taken to mean; it bounds one example's loss.
_SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)


class Summary(TypedDict):
    """What `metrics.json` holds of a split."""

    accuracy: float
    loss: float
    num_examples: int


def accuracy(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Returns the share of examples whose most probable class is the label, in [0, 1].

    Args:
        probabilities: Shape (num_examples, num_classes). Of equal ones the first class wins.
        labels: Class indices, shape (num_examples,).
    """
    return float(np.mean(np.argmax(probabilities, axis=1) == np.asarray(labels)))


def cross_entropy(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Returns the mean negative natural logarithm of the labels' probabilities.

    No label smoothing enters, whatever the training loss was. A probability of zero counts as the
    smallest normal float32.

    Args:
        probabilities: Shape (num_examples, num_classes), rows summing to 1.
        labels: Class indices, shape (num_examples,).
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    chosen = np.take_along_axis(rows, np.asarray(labels)[:, None], axis=1)[:, 0]
    return float(-np.mean(np.log(np.maximum(chosen, _SMALLEST_PROBABILITY))))


def smoothed_cross_entropy(
    logits: npt.ArrayLike, labels: npt.ArrayLike, label_smoothing: float
) -> float:
    """Returns the mean cross-entropy of logits and smoothed labels, in nats.

    What `classifier.smoothed_cross_entropy` is in training, of many examples at once.

    Args:
        logits: Shape (num_examples, num_classes).
        labels: Class indices, shape (num_examples,).
        label_smoothing: Share of the target that is spread over all classes, in [0, 1).
    """
    rows = np.asarray(logits, dtype=np.float64)
    rows = rows - rows.max(axis=1, keepdims=True)
    logarithms = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    chosen = np.take_along_axis(logarithms, np.asarray(labels)[:, None], axis=1)
    return float(-((1 - label_smoothing) * chosen.mean() + label_smoothing * logarithms.mean()))


def softmax(logits: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Returns probabilities, float32, of logits, (num_examples, num_classes)."""
    rows = np.asarray(logits, dtype=np.float32)
    exponents = np.exp(rows - rows.max(axis=1, keepdims=True))
    probabilities: npt.NDArray[np.float32] = exponents / exponents.sum(axis=1, keepdims=True)
    return probabilities


def summarise(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> Summary:
    """Returns a split's accuracy, loss and number of examples.

    Args:
        probabilities: Shape (num_examples, num_classes), rows summing to 1.
        labels: Class indices, shape (num_examples,).
    """
    return {
        "accuracy": accuracy(probabilities, labels),
        "loss": cross_entropy(probabilities, labels),
        "num_examples": len(np.asarray(labels)),
    }


def describe_scores(scores: Mapping[str, Any]) -> list[str]:
    """Returns a line for each split that has a summary, the test first."""
    return [
        f"{name} accuracy {scores[name]['accuracy']:.4f} ({scores[name]['num_examples']:,} images)"
        for name in ("test", "validation")
        if name in scores
    ]


def judging_split(splits: Container[str]) -> str:
    """Returns the split that judges a model: the test or, where there is none, validation."""
    return "test" if "test" in splits else "validation"
