"""The order of backbones: combined ranks, groups that cannot be told apart, the Pareto front."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import scipy.stats


def combined_ranks(
    accuracies: Sequence[float],
    log_losses: Sequence[float],
    imagenet_top1: Sequence[float | None],
) -> npt.NDArray[np.float64]:
    """Returns the combined rank of each backbone; the lowest is the best.

    It is the sum of two ranks, each from 1 to the number of backbones: that of the cross-validated
    head, and that of the weights' accuracy on ImageNet. On the published scores of
    arXiv:2405.20420 the sum agrees better with fine-tuned accuracies than either rank (weighted
    Kendall tau 0.85 against 0.74 and 0.80 on natural images).

    Weights without a published ImageNet accuracy count their head's rank twice. The others are
    ranked among themselves, on the ranks that their heads have: the best on ImageNet gets the best
    of these.

    Args:
        accuracies: Of the heads. On ties the lower log loss is better.
        log_losses: Of the heads.
        imagenet_top1: Of the weights; None where it is not published.

    Examples:
        >>> combined_ranks([0.9, 0.8, 0.7], [0.3, 0.4, 0.5], [0.7, 0.8, None])
        array([3., 3., 6.])
    """
    pairs = list(zip(accuracies, log_losses, strict=True))
    ordered = sorted(set(pairs), key=lambda pair: (-pair[0], pair[1]))
    places = [ordered.index(pair) for pair in pairs]
    heads = scipy.stats.rankdata(places)
    known = np.array([one is not None for one in imagenet_top1], np.bool_)
    priors = heads.copy()
    if known.any():
        ranks = scipy.stats.rankdata([-one for one in imagenet_top1 if one is not None])
        priors[known] = np.interp(ranks, np.arange(1, len(ranks) + 1), np.sort(heads[known]))
    combined: npt.NDArray[np.float64] = heads + priors
    return combined


def order(
    accuracies: Sequence[float],
    log_losses: Sequence[float],
    imagenet_top1: Sequence[float | None],
) -> list[int]:
    """Returns the indices of the backbones, the best first; see `combined_ranks`.

    Equal ranks are ordered by accuracy, then by log loss.
    """
    ranks = combined_ranks(accuracies, log_losses, imagenet_top1)
    return sorted(range(len(ranks)), key=lambda i: (ranks[i], -accuracies[i], log_losses[i]))


def groups(count: int, is_worse: Callable[[int, int], bool]) -> list[int]:
    """Returns the group of each backbone, from 1.

    Those of a group are not significantly worse than its first. The next one after the group
    starts another.

    Args:
        count: Number of backbones.
        is_worse: Whether the backbone at the first place is significantly worse than that at the
            second; see `judging.head_scores.is_worse`.

    Examples:
        >>> groups(4, lambda one, other: one - other > 1)
        [1, 1, 2, 2]
    """
    found, first = [1] if count else [], 0
    for place in range(1, count):
        if is_worse(place, first):
            first = place
        found.append(found[-1] + (first == place))
    return found


def pareto_front(gains: Sequence[float], costs: Sequence[float]) -> list[bool]:
    """Returns which of some pairs are on the Pareto front.

    None of the others gains as much at a lower cost, or more at the same cost.

    Args:
        gains: More is better, such as the accuracy.
        costs: Less is better, such as the milliseconds per image.

    Examples:
        >>> pareto_front([0.9, 0.8, 0.7], [10.0, 5.0, 6.0])
        [True, True, False]
    """
    pairs = list(zip(gains, costs, strict=True))
    return [
        not any(
            other >= gain and price <= cost and (other, price) != (gain, cost)
            for other, price in pairs
        )
        for gain, cost in pairs
    ]


def agreement(scores: npt.ArrayLike, accuracies: npt.ArrayLike) -> float:
    """Returns the weighted Kendall tau of scores and accuracies, in [-1, 1]; 1 is the same order.

    Exchanging the best weighs more than exchanging the worst (Vigna 2015, WWW), the usual
    criterion of transferability scores.

    Args:
        scores: Shape (num_backbones,); higher is better.
        accuracies: Those of the fine-tuned backbones, shape (num_backbones,).

    Examples:
        >>> round(agreement([0.1, 0.2, 0.3], [70.0, 80.0, 90.0]), 4)
        1.0
    """
    return float(scipy.stats.weightedtau(scores, accuracies).statistic)
