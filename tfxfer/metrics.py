"""Numbers that judge a classifier: arrays in, numbers out."""

from collections.abc import Container, Mapping
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

# The smallest probability that a float32 softmax is taken to mean; it bounds one example's loss.
_SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)


class Summary(TypedDict):
    """What `metrics.json` holds of a split.

    Attributes:
        accuracy: See `accuracy`.
        balanced_accuracy: See `balanced_accuracy`.
        loss: See `cross_entropy`.
        num_examples: How many there are.
        uneven_classes: See `has_uneven_classes`; where it is false the two accuracies are much the
            same.
    """

    accuracy: float
    balanced_accuracy: float
    loss: float
    num_examples: int
    uneven_classes: bool


def accuracy(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Returns the share of examples whose most probable class is the label, in [0, 1].

    Args:
        probabilities: Shape (num_examples, num_classes). Of equal ones the first class wins.
        labels: Class indices, shape (num_examples,).
        weights: How much each example counts, shape (num_examples,); None is all alike.
    """
    return _mean(_is_right(probabilities, labels), weights)


def balanced_accuracy(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Returns the mean recall of the classes, in [0, 1].

    The recall of a class is the share of its examples whose most probable class it is. The mean is
    over the classes that occur, each counting the same: chance is `1 / num_classes`, however the
    classes are distributed (Brodersen et al. 2010, ICPR, "The balanced accuracy and its posterior
    distribution"). It is scikit-learn's `balanced_accuracy_score`.

    Args:
        probabilities: Shape (num_examples, num_classes). Of equal ones the first class wins.
        labels: Class indices, shape (num_examples,).
    """
    counts = np.bincount(np.asarray(labels))
    num_right = np.bincount(np.asarray(labels), weights=_is_right(probabilities, labels))
    occurs = counts > 0
    return float(np.mean(num_right[occurs] / counts[occurs]))


def has_uneven_classes(labels: npt.ArrayLike) -> bool:
    """Tells whether the largest class has more than 1.5 times the examples of the smallest.

    Classes without examples are not looked at, and one example more is no difference: splits that
    are carved have that by rounding.

    Args:
        labels: Class indices, shape (num_examples,).
    """
    _, counts = np.unique(labels, return_counts=True)
    smallest, largest = int(counts.min()), int(counts.max())
    return largest > 1.5 * smallest and largest > smallest + 1


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
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    label_smoothing: float,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Returns the mean cross-entropy of logits and smoothed labels, in nats.

    What `classifier.smoothed_cross_entropy` is in training, of many examples at once.

    Args:
        logits: Shape (num_examples, num_classes).
        labels: Class indices, shape (num_examples,).
        label_smoothing: Share of the target that is spread over all classes, in [0, 1).
        weights: How much each example counts, shape (num_examples,); None is all alike.
    """
    rows = np.asarray(logits, dtype=np.float64)
    rows = rows - rows.max(axis=1, keepdims=True)
    logarithms = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    chosen = np.take_along_axis(logarithms, np.asarray(labels)[:, None], axis=1)
    spread = _mean(logarithms, weights)
    return -((1 - label_smoothing) * _mean(chosen, weights) + label_smoothing * spread)


def softmax(logits: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Returns probabilities, float32, of logits, (num_examples, num_classes)."""
    rows = np.asarray(logits, dtype=np.float32)
    exponents = np.exp(rows - rows.max(axis=1, keepdims=True))
    probabilities: npt.NDArray[np.float32] = exponents / exponents.sum(axis=1, keepdims=True)
    return probabilities


def summarise(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> Summary:
    """Returns a split's accuracies, loss and number of examples.

    Args:
        probabilities: Shape (num_examples, num_classes), rows summing to 1.
        labels: Class indices, shape (num_examples,).
    """
    return {
        "accuracy": accuracy(probabilities, labels),
        "balanced_accuracy": balanced_accuracy(probabilities, labels),
        "loss": cross_entropy(probabilities, labels),
        "num_examples": len(np.asarray(labels)),
        "uneven_classes": has_uneven_classes(labels),
    }


def describe_scores(scores: Mapping[str, Any]) -> list[str]:
    """Returns a line for each split that has a summary, the test first.

    The balanced accuracy stands beside the plain one where classes are uneven, and so it differs.
    """
    lines = []
    for name in ("test", "validation"):
        if name in scores:
            found = scores[name]
            line = f"{name} accuracy {found['accuracy']:.4f}"
            if found["uneven_classes"]:
                line += f", balanced {found['balanced_accuracy']:.4f}"
            lines.append(f"{line} ({found['num_examples']:,} images)")
    return lines


def judging_split(splits: Container[str]) -> str:
    """Returns the split that judges a model: the test or, where there is none, validation."""
    return "test" if "test" in splits else "validation"


def _is_right(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Returns whether the most probable class of each example is its label, (num_examples,)."""
    right: npt.NDArray[np.bool_] = np.argmax(probabilities, axis=1) == np.asarray(labels)
    return right


def _mean(values: npt.NDArray[Any], weights: npt.ArrayLike | None) -> float:
    """Returns the mean of values, (num_examples, ...), with a weight for each example or none."""
    if weights is None:
        return float(values.mean())
    # In the weights' own float32 the mean of right and wrong would be one, too.
    weights = np.asarray(weights, np.float64)
    return float(np.average(values, axis=0, weights=weights).mean())
