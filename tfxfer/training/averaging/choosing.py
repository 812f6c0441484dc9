"""Averages of weights: a greedy soup, and WiSE-FT. Validation decides what is in them.

The loss is that after temperature scaling. Without it, averages would look better than they are:
they are less confident than what they average, and temperature scaling does that too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tfxfer.training.epochs.validation import ExampleScores

Weights = Sequence[np.ndarray]

# The shares of the fine-tuned network that WiSE-FT tries (Wortsman et al. 2021, arXiv:2109.01903,
# section 3: 0 to 1 in steps); 0 is the network before fine-tuning, 1 the fine-tuned one.
_SHARES = tuple(tenths / 10 for tenths in range(9, 0, -1))


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class Ingredient:
    """Trained weights that can be averaged.

    Attributes:
        name: Name in messages.
        weights: The weights of the whole classifier.
    """

    name: str
    weights: Weights


@dataclass(frozen=True, eq=False)
class Scored:
    """Weights with their scores on validation.

    Attributes:
        weights: The weights of the whole classifier.
        scores: Their scores.
    """

    weights: Weights
    scores: ExampleScores


@dataclass(frozen=True, eq=False)
class Average:
    """The average that is kept.

    Attributes:
        members: Names of what is in it, in the order in which they were added.
        found: The average and its scores.
        share: Share of the second of two networks; None for a plain mean.
    """

    members: tuple[str, ...]
    found: Scored
    share: float | None = None


class Scorer(Protocol):
    """Scores weights on validation."""

    def of(self, weights: Weights) -> Scored:
        """Returns weights that were trained with their scores."""

    def of_average(self, weights: Weights) -> Scored:
        """Returns averaged weights, their BatchNorm statistics adapted, with their scores."""


def mean(networks: Sequence[Weights]) -> list[np.ndarray]:
    """Returns the mean of the weights of networks of one structure.

    Weights that are the same in all of them, such as frozen ones, do not change by a bit.
    """
    return [
        np.mean(np.stack(arrays), axis=0, dtype=np.float64).astype(arrays[0].dtype)
        for arrays in zip(*networks, strict=True)
    ]


def between(first: Weights, second: Weights, share: float) -> list[np.ndarray]:
    """Returns the weights on the way between two networks; a share of 1 is the second."""
    return [
        (one.astype(np.float64) + share * (other.astype(np.float64) - one)).astype(one.dtype)
        for one, other in zip(first, second, strict=True)
    ]


def greedy_soup(
    ingredients: Sequence[Ingredient], without: Scored, scorer: Scorer
) -> Average | None:
    """Returns the greedy soup of trained weights; None if it is no better.

    The best ingredient comes first, then each of the others stays if the mean is no worse with it
    (Wortsman et al. 2022, arXiv:2203.05482, algorithm 1). "No worse" is neither a higher loss nor
    a lower accuracy.

    Args:
        ingredients: What may be in it, the best first.
        without: The weights that are kept without averaging.
        scorer: Scores weights.
    """
    if len(ingredients) < 2:
        return None
    chosen = [ingredients[0]]
    best = scorer.of(ingredients[0].weights)
    for one in ingredients[1:]:
        found = scorer.of_average(mean([member.weights for member in (*chosen, one)]))
        if found.scores.loss <= best.scores.loss and _is_as_accurate(found, best):
            chosen.append(one)
            best = found
    if len(chosen) < 2 or not _is_better(best, without):
        return None
    return Average(tuple(one.name for one in chosen), best)


def best_interpolation(
    first: Weights, second: Ingredient, without: Scored, scorer: Scorer
) -> Average | None:
    """Returns the best network between two, as WiSE-FT does; None if none is better.

    The network between them with the lowest loss, among those that are as accurate as what is kept
    without averaging; of equal ones the one with more of the second.

    Args:
        first: The weights before fine-tuning.
        second: The fine-tuned weights.
        without: The weights that are kept without averaging.
        scorer: Scores weights.
    """
    best, share = without, None
    for one in _SHARES:
        found = scorer.of_average(between(first, second.weights, one))
        if found.scores.loss < best.scores.loss and _is_as_accurate(found, without):
            best, share = found, one
    return None if share is None else Average((second.name,), best, share)


def _is_as_accurate(one: Scored, other: Scored) -> bool:
    return one.scores.accuracy >= other.scores.accuracy


def _is_better(one: Scored, other: Scored) -> bool:
    return one.scores.loss < other.scores.loss and _is_as_accurate(one, other)
