"""The linear head by cross-validation on features, and intervals from its pooled predictions."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.contents import Integers
from tfxfer.errors import UsageError
from tfxfer.evaluation.intervals import wilson_interval
from tfxfer.evaluation.metrics import cross_entropy
from tfxfer.models.objectives import is_right, softmax
from tfxfer.models.standardization import Standardization
from tfxfer.system.progress import Progress
from tfxfer.training.examples import Examples, Floats
from tfxfer.training.logistic_regression import Problem, best_solution, solve, solve_path

# Fewest folds: one to predict, one to choose the penalty on, one to train on.
FEWEST_FOLDS = 3

_MAX_ITERATIONS = 100

# Width of a 95% interval of a normal distribution, in standard errors.
_STANDARD_ERRORS = 1.96


@dataclass(frozen=True)
class Labeled:
    """The images that backbones are compared on, without their features.

    Attributes:
        labels: Class indices, shape (num_examples,).
        folds: The fold of each image, shape (num_examples,).
        units: What each image cannot be separated from, such as its duplicates or its group, as a
            number, shape (num_examples,).
        num_classes: Number of classes.
    """

    labels: Integers
    folds: Integers
    units: Integers
    num_classes: int

    @property
    def num_folds(self) -> int:
        """Number of folds that have images."""
        return len(np.unique(self.folds))


def check_folds(labeled: Labeled, num_folds: int, what: str = "Ranking") -> None:
    """Raises a UsageError if the images are too few to be cross-validated.

    Args:
        labeled: The images.
        num_folds: The number of folds they were to be divided into.
        what: What divides them, for the message.
    """
    num_units = len(np.unique(labeled.units))
    if num_units < num_folds:
        raise UsageError(
            f"{what} divides the images into {num_folds} folds, but there are only {num_units} "
            "different images (or groups) for training and validation. Add images."
        )
    classes, counts = np.unique(
        np.unique(np.stack([labeled.labels, labeled.units]), axis=1)[0], return_counts=True
    )
    if len(classes) < 2 or counts.max() < 2:
        raise UsageError(
            f"{what} needs at least two classes, and two different images (or groups) of one of "
            "them, for training and validation. Add images."
        )


def out_of_fold(features: Floats, labeled: Labeled) -> Floats:
    """Returns probabilities for each image by a head that was not trained on its fold.

    For each fold, the L2 penalty is chosen on the next one by a head trained on the others; the
    head with this penalty is then trained on all but the fold. So nothing about a fold, neither
    its labels nor its scale, is known when its images are predicted.

    Args:
        features: Shape (num_examples, num_features).
        labeled: Labels and folds; see `check_folds`.

    Returns:
        Shape (num_examples, num_classes), float32.
    """
    found = np.zeros((len(features), labeled.num_classes), np.float32)
    folds = np.unique(labeled.folds)
    with Progress("heads of folds", len(folds)) as progress:
        for place, fold in enumerate(folds):
            held_out = labeled.folds == fold
            following = labeled.folds == folds[(place + 1) % len(folds)]
            rest = ~held_out & ~following
            found[held_out] = predicted(
                (features[rest], labeled.labels[rest]),
                (features[following], labeled.labels[following]),
                features[held_out],
                labeled.num_classes,
            )
            progress.update(place + 1)
    return found


def predicted(
    train: tuple[Floats, Integers],
    validation: tuple[Floats, Integers],
    others: Floats,
    num_classes: int,
) -> Floats:
    """Returns the probabilities of a head that was trained on train and validation together.

    Args:
        train: Features and labels to try the L2 penalties on.
        validation: Features and labels to choose the L2 penalty on.
        others: Features of the images to predict, (num_examples, num_features).
        num_classes: Number of classes.
    """
    scale = Standardization.of(train[0])
    problem = Problem(
        Examples(scale.apply(train[0]), train[1]),
        Examples(scale.apply(validation[0]), validation[1]),
        num_classes,
        _MAX_ITERATIONS,
    )
    penalty = best_solution(list(solve_path(problem))).penalty
    features = np.concatenate([train[0], validation[0]])
    labels = np.concatenate([train[1], validation[1]])
    scale = Standardization.of(features)
    everything = Examples(scale.apply(features), labels)
    # Scores after each iteration are not needed: one image is as good as all.
    one = Examples(everything.features[:1], labels[:1])
    solution = solve(Problem(everything, one, num_classes, _MAX_ITERATIONS), penalty)
    return softmax(scale.apply(others) @ solution.kernel + solution.bias)


@dataclass(frozen=True)
class HeadScores:
    """The scores of a cross-validated head.

    Attributes:
        is_correct: Whether each image is predicted correctly, shape (num_examples,).
        accuracy: Share of correct predictions.
        interval: 95% interval of the accuracy.
        log_loss: Mean cross-entropy, in nats.
    """

    is_correct: npt.NDArray[np.bool_]
    accuracy: float
    interval: tuple[float, float]
    log_loss: float

    @classmethod
    def of(cls, probabilities: Floats, labeled: Labeled) -> "HeadScores":
        """Returns the scores of the pooled out-of-fold probabilities, (num_examples, num_classes).

        The interval is from the predictions of all folds together: the spread of a few folds says
        little, and they share their training images (Bengio & Grandvalet 2004, JMLR 5).
        """
        is_correct = is_right(probabilities, labeled.labels)
        return cls(
            is_correct,
            float(is_correct.mean()),
            accuracy_interval(is_correct, labeled.units),
            cross_entropy(probabilities, labeled.labels),
        )


def accuracy_interval(is_correct: npt.NDArray[np.bool_], units: Integers) -> tuple[float, float]:
    """Returns the 95% interval of an accuracy.

    The score interval of Wilson (1927, JASA 22), which is right for few images and for accuracies
    near 1. A hundred images of one patient are not a hundred patients: with groups or duplicates
    the number of images is divided by the design effect (Kish 1965, Survey Sampling).

    Args:
        is_correct: Whether each image is predicted correctly, shape (num_examples,).
        units: See `Labeled`.

    Examples:
        >>> import numpy as np
        >>> low, high = accuracy_interval(np.arange(100) < 90, np.arange(100))
        >>> round(low, 4), round(high, 4)
        (0.8256, 0.9448)
    """
    share = float(is_correct.mean())
    return wilson_interval(share, _effective_number(is_correct, share, units))


def _effective_number(is_correct: npt.NDArray[np.bool_], share: float, units: Integers) -> float:
    """Returns how many independent images are as informative about an accuracy."""
    count = len(is_correct)
    index = np.unique(units, return_inverse=True)[1]
    # If all images of a unit are right or wrong together.
    fewest = count**2 / float(np.sum(np.square(np.bincount(index))))
    variance = _clustered_variance(is_correct - share, index)
    return min(max(share * (1 - share) / variance, fewest), count) if variance else fewest


def _clustered_variance(residuals: npt.NDArray[np.floating[Any]], index: Integers) -> float:
    """Returns the variance of a mean of examples that are drawn in units.

    Args:
        residuals: The values minus their mean, shape (num_examples,).
        index: The unit of each example, from 0 without gaps.
    """
    totals = np.bincount(index, weights=residuals)
    if len(totals) < 2:
        return 0.0
    correction = len(totals) / (len(totals) - 1)
    return float(np.sum(np.square(totals))) * correction / len(residuals) ** 2


def is_worse(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_], units: Integers) -> bool:
    """Tells whether a backbone is significantly less accurate than another, on the same images.

    The 95% interval of the difference in accuracy lies below 0. Both are right or wrong on the
    same images, which makes the difference far more certain than either accuracy.

    Args:
        one: Whether each image is predicted correctly by the backbone in question.
        other: The same of the other backbone.
        units: See `Labeled`.

    Examples:
        >>> import numpy as np
        >>> good, bad = np.arange(100) < 90, np.arange(100) < 80
        >>> is_worse(bad, good, np.arange(100)), is_worse(good, bad, np.arange(100))
        (True, False)
    """
    differences = one.astype(np.float64) - other
    mean = float(differences.mean())
    index = np.unique(units, return_inverse=True)[1]
    error = math.sqrt(_clustered_variance(differences - mean, index))
    return mean + _STANDARD_ERRORS * error < 0
