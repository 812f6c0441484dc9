"""Transferability scores of features and labels: LogME and the shrinkage H-score. NumPy only.

Both are computed in closed form, without training a classifier. They are scores, not accuracies:
higher is better, and only values on the same images can be compared.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.optimize
import threadpoolctl

Doubles = npt.NDArray[np.float64]

# Search range of the logarithm of alpha / beta, relative to the scale of the features, and the
# number of points of the coarse search.
_RANGE, _POINTS = (-30.0, 30.0), 121


@dataclass(frozen=True)
class Evidence:
    """The evidence of one regression, at its maximum.

    Attributes:
        value: Logarithm of the evidence, in nats.
        alpha: Precision of the prior of the weights, above 0.
        beta: Precision of the noise, above 0.
    """

    value: float
    alpha: float
    beta: float


def logme(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Returns the LogME score: the mean log evidence per image, over the classes that occur.

    Each class is a regression of its indicator, 1 or 0, on the features without an offset. Prior
    and noise are Gaussian, and their precisions maximize the evidence (You et al. 2021,
    arXiv:2102.11005, equation 2 and algorithm 3).

    The published code of the authors leaves out -(D - k) / 2 * ln(alpha), where k is the number of
    singular values. With fewer images than features, k < D, its scores grow with the number of
    features: 60 images of noise with 400 features get about 20 instead of -0.9. Here the evidence
    is that of the paper.

    Args:
        features: Shape (num_examples, num_features).
        labels: Class indices, shape (num_examples,).

    Examples:
        >>> import numpy as np
        >>> labels = np.repeat([0, 1], 50)
        >>> noise = np.random.default_rng(0).normal(size=(100, 4))
        >>> useful = noise + labels[:, None]
        >>> logme(noise, labels) < logme(useful, labels)
        True
    """
    targets = np.asarray(labels)[:, None] == np.unique(labels)
    return mean_evidence(features, targets)


def mean_evidence(features: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Returns the mean log evidence per image of several regressions; see `logme`.

    Args:
        features: Shape (num_examples, num_features).
        targets: Of each regression, shape (num_examples, num_targets).

    Examples:
        >>> import numpy as np
        >>> round(mean_evidence(np.eye(3), [[1.0], [-1.0], [1.0]]), 4)  # draws with variance 1
        -1.4189
    """
    spectrum, columns = _Spectrum.of(features), np.asarray(targets, np.float64).T
    values = [spectrum.evidence(column).value for column in columns]
    return float(np.mean(values) / columns.shape[1])


def maximum_evidence(features: npt.ArrayLike, targets: npt.ArrayLike) -> Evidence:
    """Returns the largest evidence of a linear regression over both precisions; see `logme`.

    Args:
        features: Shape (num_examples, num_features).
        targets: Shape (num_examples,).

    Examples:
        >>> import numpy as np
        >>> found = maximum_evidence(np.eye(3), np.array([1.0, -1.0, 1.0]))
        >>> round(found.value, 4)  # of three draws with variance 1
        -4.2568
    """
    return _Spectrum.of(features).evidence(np.asarray(targets, np.float64))


@dataclass(frozen=True)
class _Spectrum:
    """Features as the eigenvalues of their smaller Gram matrix, by which evidences are cheap.

    Attributes:
        squares: Squared singular values of the features, shape (min(num_examples, num_features),).
        rotation: Maps targets to the coordinates of the eigenvectors, (num_values, num_examples).
        wide: Whether there are at least as many features as examples.
    """

    squares: Doubles
    rotation: Doubles
    wide: bool

    @classmethod
    def of(cls, features: npt.ArrayLike) -> "_Spectrum":
        """Returns the spectrum of features, (num_examples, num_features)."""
        rows = np.asarray(features, np.float64)
        wide = rows.shape[0] <= rows.shape[1]
        squares, vectors = _eigen(rows)
        rotation = vectors.T if wide else vectors.T @ rows.T
        return cls(squares, rotation, wide)

    def evidence(self, targets: Doubles) -> Evidence:
        """Returns the largest evidence of targets, (num_examples,).

        The targets are normal with covariance (I + F F' / ratio) / beta, where the ratio is
        alpha / beta. For each ratio the best beta is known, so one number remains to be found.
        """
        count, projected = len(targets), np.square(self.rotation @ targets)
        total = float(targets @ targets)

        def misfit(ratio: float) -> float:
            """Returns y' (I + F F' / ratio)^-1 y."""
            if self.wide:
                return float(np.sum(projected * (ratio / (ratio + self.squares))))
            return total - float(np.sum(projected / (ratio + self.squares)))

        def loss(log_ratio: float) -> float:
            ratio = float(np.exp(log_ratio))
            shrunk = max(misfit(ratio), np.finfo(np.float64).tiny)
            determinant = float(np.sum(np.log1p(self.squares / ratio)))
            return 0.5 * (count * float(np.log(2 * np.pi * np.e * shrunk / count)) + determinant)

        log_ratio = _minimum(loss, float(np.log(max(self.squares.max(), 1e-300))))
        beta = count / misfit(float(np.exp(log_ratio)))
        return Evidence(-loss(log_ratio), beta * float(np.exp(log_ratio)), beta)


def _eigen(rows: Doubles) -> tuple[Doubles, Doubles]:
    """Returns eigenvalues, at least 0, and eigenvectors of the smaller Gram matrix of features."""
    # BLAS threads spin beside those of TensorFlow; see `logistic_regression.solve`.
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        gram = rows @ rows.T if rows.shape[0] <= rows.shape[1] else rows.T @ rows
        values, vectors = np.linalg.eigh(gram)
    return np.maximum(values, 0.0), vectors


def _minimum(loss: Any, center: float) -> float:
    """Returns where a function of one number is lowest: the best grid point, refined."""
    grid = center + np.linspace(*_RANGE, _POINTS)
    place = int(np.argmin([loss(point) for point in grid]))
    low, high = grid[max(place - 1, 0)], grid[min(place + 1, _POINTS - 1)]
    found = scipy.optimize.minimize_scalar(
        loss, bounds=(low, high), method="bounded", options={"xatol": 1e-9}
    )
    return float(found.x) if found.fun < loss(grid[place]) else float(grid[place])


def shrinkage_h_score(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Returns the shrinkage H-score: how much of the features' variance is between the classes.

    It is tr(S^-1 (1 - a) B), where B is the covariance of the class means, and S the covariance
    of the features, shrunk by the amount a of Ledoit & Wolf (Ibrahim et al. 2021, arXiv:2110.06893,
    section 4). It lies between 0 and the number of classes minus 1.

    Args:
        features: Shape (num_examples, num_features).
        labels: Class indices, shape (num_examples,).

    Examples:
        >>> import numpy as np
        >>> labels = np.repeat([0, 1], 50)
        >>> noise = np.random.default_rng(0).normal(size=(100, 4))
        >>> shrinkage_h_score(noise, labels) < shrinkage_h_score(noise + labels[:, None], labels)
        True
    """
    rows = np.asarray(features, np.float64)
    count, num_features = rows.shape
    rows = rows - rows.mean(axis=0)
    # In the coordinates of the covariance's eigenvectors, those beyond the rank are never needed.
    wide = count <= num_features
    squares, vectors = _eigen(rows)
    amount = _ledoit_wolf(rows, squares)
    scale = squares.sum() / (count * num_features)
    shrunk = (1 - amount) * squares / count + amount * scale
    if not scale:  # all images have the same features
        return 0.0
    places = vectors * np.sqrt(squares) if wide else rows @ vectors  # (num_examples, num_values)
    classes, index = np.unique(labels, return_inverse=True)
    counts = np.bincount(index)
    sums = np.zeros((len(classes), places.shape[1]))
    np.add.at(sums, index, places)
    between = np.sum(np.square(sums) / counts[:, None], axis=0) / count
    known = squares > squares.max() * np.finfo(np.float64).eps * max(rows.shape)
    return float((1 - amount) * np.sum(between[known] / shrunk[known]))


def _ledoit_wolf(rows: Doubles, squares: Doubles) -> float:
    """Returns the shrinkage toward a multiple of the identity, in [0, 1].

    Ledoit & Wolf (2004), Journal of Multivariate Analysis 88, section 3.3; the same as
    scikit-learn's `ledoit_wolf_shrinkage` of centered features.

    Args:
        rows: Centered features, shape (num_examples, num_features).
        squares: Their squared singular values.
    """
    count, num_features = rows.shape
    scale = squares.sum() / (count * num_features)
    norm = float(np.sum(np.square(squares / count)))  # of the covariance, squared
    distance = norm - num_features * scale**2
    fourth = float(np.mean(np.square(np.sum(np.square(rows), axis=1))))
    noise = (fourth - norm) / count
    return 1.0 if distance <= 0 else float(min(max(noise, 0.0) / distance, 1.0))
