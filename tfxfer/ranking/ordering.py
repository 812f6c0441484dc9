"""The order of backbones: combined ranks, groups that cannot be told apart, the Pareto front."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt


def evidence_ranks(
    logmes: Sequence[float], h_scores: Sequence[float | None]
) -> npt.NDArray[np.float64]:
    """Returns the rank of each backbone by LogME and H-score together, from 1; the lowest is best.

    Both say how well a linear model explains the labels, not how many it gets right, and agree
    better with fine-tuned accuracies than the accuracy of a head does. On five datasets, near to
    ImageNet and far from it, with five backbones and three seeds, the mean weighted Kendall tau is
    0.78 for `order`, 0.67 and 0.63 for each, and 0.36 for the accuracy (benchmarks/README.md).

    Args:
        logmes: LogME of each.
        h_scores: H-score of each; None where labels have none, and LogME ranks alone.

    Examples:
        >>> evidence_ranks([-0.1, -0.2, -0.3], [3.0, 4.0, 1.0])
        array([1.5, 1.5, 3. ])
    """
    sums = _ranks(np.negative(logmes))
    known = [score for score in h_scores if score is not None]
    if len(known) == len(logmes):
        sums = sums + _ranks(np.negative(known))
    found: npt.NDArray[np.float64] = _ranks(sums)
    return found


def combined_ranks(
    evidence: npt.ArrayLike, imagenet_top1: Sequence[float | None]
) -> npt.NDArray[np.float64]:
    """Returns the combined rank of each backbone; the lowest is the best.

    It is the sum of two ranks, each from 1 to the number of backbones: that of the evidence, and
    that of the weights' accuracy on ImageNet. On the published scores of arXiv:2405.20420 such a
    sum agrees better with fine-tuned accuracies than either rank (weighted Kendall tau 0.85 against
    0.74 and 0.80 on natural images).

    Weights without a published ImageNet accuracy count their first rank twice. The others are
    ranked among themselves, on the first ranks that they have: the best on ImageNet gets the best
    of these.

    Args:
        evidence: Ranks on the data; see `evidence_ranks`.
        imagenet_top1: Of the weights; None where it is not published.

    Examples:
        >>> combined_ranks([1.0, 2.0, 3.0], [0.7, 0.8, None])
        array([3., 3., 6.])
    """
    own = np.asarray(evidence, np.float64)
    known = np.array([one is not None for one in imagenet_top1], np.bool_)
    priors = own.copy()
    if known.any():
        ranks = _ranks([-one for one in imagenet_top1 if one is not None])
        priors[known] = np.interp(ranks, np.arange(1, len(ranks) + 1), np.sort(own[known]))
    combined: npt.NDArray[np.float64] = own + priors
    return combined


def order(
    scores: Sequence[tuple[float, float | None, float | None]], log_losses: Sequence[float]
) -> list[int]:
    """Returns the indices of the backbones, the best first; see `combined_ranks`.

    Args:
        scores: LogME, H-score and ImageNet top-1 of each.
        log_losses: Of their heads; the lower first of equal ranks.

    Examples:
        >>> order([(-0.2, 3.0, None), (-0.1, 2.0, None), (-0.3, 1.0, None)], [0.4, 0.3, 0.5])
        [1, 0, 2]
    """
    logmes, h_scores, top1 = zip(*scores, strict=True)
    ranks = combined_ranks(evidence_ranks(logmes, h_scores), top1).tolist()
    return sorted(range(len(ranks)), key=lambda i: (ranks[i], log_losses[i]))


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
    from scipy.stats import weightedtau  # see `_ranks`

    return float(weightedtau(scores, accuracies).statistic)


def _ranks(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Returns the rank of each value, from 1, the lowest first; those that are equal share one."""
    from scipy.stats import rankdata  # a third of a second to import

    ranks: npt.NDArray[np.float64] = rankdata(values)
    return ranks
