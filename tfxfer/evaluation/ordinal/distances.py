"""How far predicted classes are from the true ones, where classes have an order."""

import numpy as np
import numpy.typing as npt


def mean_absolute_error(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> float:
    """Returns the mean distance between predicted and true class, in classes.

    Args:
        y_true: Class indices, (num_examples,).
        y_pred: Predicted class indices, (num_examples,).

    Examples:
        >>> mean_absolute_error([0, 1, 2], [0, 2, 0])
        1.0
    """
    true, predicted = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    return float(np.abs(true - predicted).mean())


def quadratic_kappa(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> float:
    """Returns Cohen's kappa with quadratic weights, at most 1.

    1 minus the mean squared distance between predicted and true class, as a share of that between
    independent predictions of the same frequencies (Cohen 1968, Psychological Bulletin 70). Same as
    scikit-learn's `cohen_kappa_score(weights="quadratic")`; 0 where all classes are the same, and
    it is undefined.

    Args:
        y_true: Class indices, (num_examples,).
        y_pred: Predicted class indices, (num_examples,).

    Examples:
        >>> quadratic_kappa([0, 1, 2], [0, 1, 2])
        1.0
    """
    true, predicted = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    by_chance = np.square(true).mean() + np.square(predicted).mean()
    by_chance -= 2 * true.mean() * predicted.mean()
    if by_chance <= 0:
        return 0.0
    return float(1 - np.square(true - predicted).mean() / by_chance)
