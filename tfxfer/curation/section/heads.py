"""Quick judgments: out-of-fold heads with a known penalty, and confident learning."""

from collections.abc import Callable

import numpy as np

from tfxfer.curation.gallery import Gallery
from tfxfer.curation.suspects import Shares
from tfxfer.data.carving import deal
from tfxfer.data.contents import Integers
from tfxfer.models.objectives import softmax
from tfxfer.models.standardization import Standardization
from tfxfer.training.examples import Examples
from tfxfer.training.logistic_regression import Problem, solve

_NUM_FOLDS = 5

# The solution need not be precise: who is suspicious hardly depends on it.
_MAX_ITERATIONS, _TOLERANCE = 50, 1e-3

# Images times features times classes of a head: five solutions of so many take about a second.
_MOST_NUMBERS = 25_000_000


def heads_of(
    gallery: Gallery, penalty: float | None, num_classes: int, seed: int
) -> Callable[[Integers, Integers], Shares] | None:
    """Returns what predicts images out of fold, as `judged_by` takes it; None if it takes long.

    Exact duplicates, and the groups of the data, are never on both sides of a division.

    Args:
        gallery: The images.
        penalty: The L2 penalty that the head phase has chosen; None if it chose none.
        num_classes: Of the heads.
        seed: Of the folds.
    """
    if penalty is None or gallery.features.size * num_classes > _MOST_NUMBERS:
        return None

    def by_heads(chosen: Integers, labels: Integers) -> Shares:
        features, digests = gallery.features[chosen], gallery.digests[chosen]
        groups = None if gallery.groups is None else [gallery.groups[one] for one in chosen]
        folds = deal(labels, digests, _NUM_FOLDS, (seed, 0), groups)
        width = int(labels.max()) + 1
        shares: Shares = np.zeros((len(chosen), width))
        for fold in np.unique(folds):
            out = folds == fold
            scale = Standardization.of(features[~out])
            train = Examples(scale.apply(features[~out]), labels[~out])
            # Scores after each iteration are not needed: one image is as good as all.
            one = Examples(train.features[:1], train.labels[:1])
            problem = Problem(train, one, width, _MAX_ITERATIONS)
            head = solve(problem, penalty, tolerance=_TOLERANCE)
            shares[out] = softmax(scale.apply(features[out]) @ head.kernel + head.bias)
        return shares

    return by_heads


def confident_learning(labels: Integers, shares: Shares) -> Integers:
    """Returns the examples whose label is probably wrong, that of the least probable label first.

    Those off the diagonal of the confident joint (Northcutt et al. 2021, arXiv:1911.00068, section
    3.1): of the classes whose probability is at least the mean of their own examples, the most
    probable one is not the given one. A check takes `cleanlab`, whose import alone takes a second.

    Args:
        labels: From 0 without gaps, (num_examples,).
        shares: Out-of-fold probabilities, (num_examples, num_classes).

    Examples:
        >>> shares = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.95, 0.05]])
        >>> confident_learning(np.array([0, 0, 1, 1]), shares)
        array([3])
    """
    own = shares[np.arange(len(labels)), labels]
    limits = np.bincount(labels, weights=own) / np.bincount(labels)
    above = np.where(shares >= limits, shares, -1.0)
    looks_like = above.argmax(axis=1)
    found = np.flatnonzero((above.max(axis=1) >= 0) & (looks_like != labels))
    # Where neither reaches its mean, and where the given label is the most probable, it is right.
    found = found[shares[found].argmax(axis=1) != labels[found]]
    ordered: Integers = found[np.argsort(own[found], kind="stable")]
    return ordered
