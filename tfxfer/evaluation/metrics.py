"""Classification metrics: arrays in, numbers out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.labels.numbers import readable
from tfxfer.evaluation.intervals import interval_of_difference
from tfxfer.models.losses.cross_entropy import example_losses, row_blocks
from tfxfer.models.objectives import accuracy, is_right
from tfxfer.runs.scores.summary import OUT_OF_FOLD, Summary, TaskSummary

Counts = npt.NDArray[np.int64]

# A test accuracy below that of validation is mentioned if the difference is surely above this.
_GAP = 0.02


def balanced_accuracy(probabilities: npt.ArrayLike, y_true: npt.ArrayLike) -> float:
    """Returns the balanced accuracy: the mean recall of the classes, in [0, 1].

    The recall of a class is the share of its examples that are predicted as this class. The mean is
    over the classes that occur in `y_true`, each with the same weight, so the chance level is
    `1 / num_classes` whatever the class distribution (Brodersen et al. 2010, ICPR, "The balanced
    accuracy and its posterior distribution"). Same as scikit-learn's `balanced_accuracy_score`.

    Args:
        probabilities: Shape (num_examples, num_classes). On ties the first class wins.
        y_true: Class indices, shape (num_examples,).

    Examples:
        Two of two examples of class 0 are correct, and one of two of class 1:

        >>> probabilities = [[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]]
        >>> balanced_accuracy(probabilities, [0, 0, 1, 1])
        0.75
    """
    counts = np.bincount(np.asarray(y_true))
    num_correct = np.bincount(np.asarray(y_true), weights=is_right(probabilities, y_true))
    occurs = counts > 0
    return float(np.mean(num_correct[occurs] / counts[occurs]))


def is_imbalanced(y_true: npt.ArrayLike) -> bool:
    """Tells whether the largest class has more than 1.5 times the examples of the smallest.

    Classes without examples are ignored. So is a difference of one example, which rounding causes
    when a split is set aside.

    Args:
        y_true: Class indices, shape (num_examples,).

    Examples:
        >>> is_imbalanced([0, 0, 0, 1])
        True
        >>> is_imbalanced([0, 0, 1])
        False
    """
    _, counts = np.unique(y_true, return_counts=True)
    smallest, largest = int(counts.min()), int(counts.max())
    return largest > 1.5 * smallest and largest > smallest + 1


def in_top_k(probabilities: npt.ArrayLike, y_true: npt.ArrayLike, k: int) -> npt.NDArray[np.bool_]:
    """Returns whether the label of each example is among its k most probable classes.

    Args:
        probabilities: Shape (num_examples, num_classes). On ties the first classes win; NaN ranks
            last.
        y_true: Class indices, shape (num_examples,).
        k: From 1 to the number of classes.

    Returns:
        Shape (num_examples,). The mean is the top-k accuracy.

    Examples:
        >>> in_top_k([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]], [1, 0], k=2)
        array([ True, False])
    """
    rows, chosen = np.asarray(probabilities), np.asarray(y_true)
    found = np.zeros(len(rows), np.bool_)
    for block in row_blocks(rows):
        some, own = rows[block], chosen[block, None]
        if np.isnan(some.max()):  # NaN ranks last
            some = np.where(np.isnan(some), -np.inf, some)
        # Counting takes a fraction of the time of sorting.
        values = np.take_along_axis(some, own, axis=1)
        is_ahead = (some > values) | ((some == values) & (np.arange(some.shape[1]) < own))
        found[block] = np.count_nonzero(is_ahead, axis=1) < k
    return found


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall and F1 of each class, in [0, 1], all of shape (num_classes,).

    Attributes:
        precision: Share of the examples predicted as the class that belong to it; 0 if there are
            none.
        recall: Share of the examples of the class that are predicted as it; 0 if there are none.
        f1: Harmonic mean of precision and recall; 0 if both are 0.
        support: Number of examples of the class.
        num_predicted: Number of examples predicted as the class.
    """

    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    f1: npt.NDArray[np.float64]
    support: Counts
    num_predicted: Counts

    @classmethod
    def from_counts(
        cls, num_correct: Counts, num_predicted: Counts, support: Counts
    ) -> "ClassScores":
        """Computes the scores from counts, each of shape (num_classes,).

        Args:
            num_correct: Number of examples of each class that are predicted as it (true positives).
            num_predicted: Number of examples that are predicted as each class.
            support: Number of examples of each class.

        Examples:
            >>> import numpy as np
            >>> num_correct, num_predicted = np.array([2, 1]), np.array([4, 1])
            >>> scores = ClassScores.from_counts(num_correct, num_predicted, np.array([2, 3]))
            >>> scores.precision
            array([0.5, 1. ])
            >>> scores.recall.round(3)
            array([1.   , 0.333])
        """
        true_positives = num_correct.astype(np.float64)
        return cls(
            precision=_quotient(true_positives, num_predicted),
            recall=_quotient(true_positives, support),
            f1=_quotient(2 * true_positives, num_predicted + support),
            support=support,
            num_predicted=num_predicted,
        )

    def macro(self) -> dict[str, float]:
        """Returns the macro averages "precision", "recall" and "f1".

        The mean is over the classes that occur or are predicted.
        """
        known = self.support + self.num_predicted > 0
        means = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {name: float(np.mean(values[known])) for name, values in means.items()}


def cross_entropy(probabilities: npt.ArrayLike, y_true: npt.ArrayLike) -> float:
    """Returns the mean cross-entropy (log loss) in nats, without label smoothing.

    Probabilities below the smallest normal float32, about 1.2e-38, are clipped to it.

    Args:
        probabilities: Shape (num_examples, num_classes); rows sum to 1.
        y_true: Class indices, shape (num_examples,).

    Examples:
        >>> round(cross_entropy([[0.5, 0.5], [0.0, 1.0]], [0, 1]), 4)  # ln(2) / 2
        0.3466
    """
    return float(np.mean(example_losses(probabilities, y_true)))


def summarize(probabilities: npt.ArrayLike, y_true: npt.ArrayLike) -> Summary:
    """Returns the accuracy, balanced accuracy, loss and number of examples of a split.

    Args:
        probabilities: Shape (num_examples, num_classes); rows sum to 1.
        y_true: Class indices, shape (num_examples,).

    Examples:
        >>> summary = summarize([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], [0, 1, 1])
        >>> round(summary.accuracy, 4), summary.num_examples
        (0.6667, 3)
    """
    return Summary(
        accuracy=accuracy(probabilities, y_true),
        balanced_accuracy=balanced_accuracy(probabilities, y_true),
        loss=cross_entropy(probabilities, y_true),
        num_examples=len(np.asarray(y_true)),
        uneven_classes=is_imbalanced(y_true),
    )


def describe_scores(splits: Mapping[str, Summary], unit: str = "images") -> list[str]:
    """Returns one line with the accuracy for each of test and validation, or what stands for it.

    The balanced accuracy is added if the classes are imbalanced.

    Examples:
        >>> describe_scores({"test": summarize([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], [0, 1, 1])})
        ['test accuracy 0.6667 (2 of 3 images)']
    """
    lines = []
    for name in ("test", "validation", OUT_OF_FOLD):
        if name in splits:
            found = splits[name]
            if found.mean_average_precision is not None:
                lines.append(_of_labels(name, found))
                continue
            if found.tasks is not None:
                lines += _of_tasks(name, found, found.tasks)
                continue
            if found.baseline_error is not None:
                lines.append(_of_number(name, found, found.baseline_error))
                continue
            line = f"{name} accuracy {found.accuracy:.4f}"
            if found.uneven_classes:
                line += f", balanced accuracy {found.balanced_accuracy:.4f}"
            if found.mean_absolute_error is not None:
                line += f", mean absolute error {found.mean_absolute_error:.4f} classes"
            correct = describe_correct(found.accuracy, found.num_examples or 0, unit)
            lines.append(f"{line} ({correct})")
    return lines


def describe_gap(splits: Mapping[str, Summary], unit: str = "images") -> str | None:
    """Returns a sentence on a test accuracy that is clearly below that of validation, else None.

    Clearly: the 95% interval of the difference is above `_GAP`. Validation chooses among heads,
    epochs and configurations, which makes its accuracy a little too high in every fit.

    Examples:
        >>> splits = {"validation": Summary(0.9, num_examples=400), "test": Summary(0.6)}
        >>> describe_gap({**splits, "test": Summary(0.88, num_examples=400)})
        >>> describe_gap({**splits, "test": Summary(0.6, num_examples=400)}).partition(",")[0]
        'Test accuracy is 30.0 percentage points below validation (95% interval 24.3 to 35.5)'
    """
    if "test" not in splits or "validation" not in splits:
        return None
    test, validation = splits["test"], splits["validation"]
    special = test.mean_average_precision, test.tasks, test.baseline_error
    if any(one is not None for one in special) or not (
        test.num_examples and validation.num_examples
    ):
        return None
    low, high = interval_of_difference(
        validation.accuracy, validation.num_examples, test.accuracy, test.num_examples
    )
    if low <= _GAP:
        return None
    return (
        f"Test accuracy is {100 * (validation.accuracy - test.accuracy):.1f} percentage points "
        f"below validation (95% interval {100 * low:.1f} to {100 * high:.1f}), more than chance "
        f"explains: the test {unit} differ from the training {unit}, or validation has "
        f"near-duplicates of training {unit}. `tfxfer check` looks for both."
    )


def _of_labels(split: str, found: Summary) -> str:
    """Returns the line with the scores of multi-label data on a split."""
    return (
        f"{split} mean average precision {found.mean_average_precision:.4f}, macro F1 "
        f"{found.macro_f1:.4f}, micro F1 {found.micro_f1:.4f} ({found.num_examples:,} images)"
    )


def _of_number(split: str, found: Summary, baseline_error: float) -> str:
    """Returns the line with the scores of a number on a split."""
    error, squared = found.mean_absolute_error or 0.0, found.root_mean_squared_error or 0.0
    return (
        f"{split} mean absolute error {readable(error)} (always the training median: "
        f"{readable(baseline_error)}), root mean squared error {readable(squared)}, R² "
        f"{found.r2:.4f} ({found.num_examples:,} images)"
    )


def _of_tasks(split: str, found: Summary, tasks: Mapping[str, TaskSummary]) -> list[str]:
    """Returns the lines with the scores of several tasks on a split."""
    lines = [f"{split} mean accuracy {found.accuracy:.4f} ({found.num_examples:,} images)"]
    for name, one in tasks.items():
        correct = describe_correct(one.accuracy, one.num_examples)
        lines.append(f"  {name}: accuracy {one.accuracy:.4f} ({correct})")
    return lines


def describe_correct(accuracy: float, num_examples: int, unit: str = "images") -> str:
    """Returns the number of correct predictions and of images.

    Examples:
        >>> describe_correct(accuracy=0.75, num_examples=1200)
        '900 of 1,200 images'
    """
    return f"{round(accuracy * num_examples):,} of {num_examples:,} {unit}"


def _quotient(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Returns part / whole, and 0 where whole is 0."""
    quotients = np.zeros(len(part))
    np.divide(part, whole, out=quotients, where=whole > 0)
    return quotients
