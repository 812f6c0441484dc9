"""95% intervals of metrics: of a share, and of anything by the bootstrap."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

# Number of bootstrap samples. The interval is the middle 95% of their values.
BOOTSTRAP_SAMPLES = 1000

_INTERVAL = (2.5, 97.5)

# Of a normal distribution, on both sides of the mean of a 95% interval.
_STANDARD_ERRORS = 1.96

# How the intervals are computed, in words.
INTERVALS = f"accuracy: Wilson score, others: {BOOTSTRAP_SAMPLES:,} bootstrap samples"


# Beneath metrics whose intervals are all of the bootstrap.
IN_BRACKETS = f"  in brackets: 95% interval, {BOOTSTRAP_SAMPLES:,} bootstrap samples"


def intervals_as_json(intervals: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """Returns intervals by metric, ready for JSON, with their level and what they are from.

    Examples:
        >>> intervals_as_json({"accuracy": (0.8, 0.9)})
        {'level': 0.95, 'samples': 1000, 'accuracy': [0.8, 0.9]}
    """
    ends = {name: list(pair) for name, pair in intervals.items()}
    return {"level": 0.95, "samples": BOOTSTRAP_SAMPLES, **ends}


def bootstrap_intervals(
    statistics: Callable[[npt.NDArray[np.int64]], Mapping[str, float]],
    num_examples: int,
    num_samples: int = BOOTSTRAP_SAMPLES,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Returns the 95% bootstrap interval of each statistic, as (low, high).

    The percentile interval (Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13):
    examples are drawn with replacement, and the interval holds the middle 95% of the values.

    Args:
        statistics: Computes statistics by name from the indices of the examples that were drawn,
            shape (num_examples,), with repetitions.
        num_examples: Number of examples, and of draws in each bootstrap sample.
        num_samples: Number of bootstrap samples.
        seed: Seed of the random generator.

    Examples:
        The accuracy of 75 correct predictions among 100:

        >>> import numpy as np
        >>> correct = np.arange(100) < 75
        >>> intervals = bootstrap_intervals(lambda drawn: {"accuracy": correct[drawn].mean()}, 100)
        >>> low, high = intervals["accuracy"]
        >>> low < 0.75 < high
        True
    """
    generator = np.random.default_rng(seed)
    found = [
        statistics(generator.integers(num_examples, size=num_examples)) for _ in range(num_samples)
    ]
    intervals = {}
    for name in found[0]:
        low, high = np.percentile([values[name] for values in found], _INTERVAL)
        intervals[name] = (float(low), float(high))
    return intervals


def wilson_interval(share: float, count: float) -> tuple[float, float]:
    """Returns the 95% interval of a share, such as an accuracy, in [0, 1], as (low, high).

    The score interval of Wilson (1927, JASA 22). Unlike the bootstrap's it is right for few
    examples and for shares near 1: that of 20 correct predictions among 20 is not empty.

    Args:
        share: The share of the examples, in [0, 1].
        count: Number of independent examples.

    Examples:
        >>> low, high = wilson_interval(1.0, 20)
        >>> round(low, 3), high
        (0.839, 1.0)
    """
    square = _STANDARD_ERRORS**2
    center = (share + square / (2 * count)) / (1 + square / count)
    half = share * (1 - share) / count + square / (4 * count**2)
    margin = _STANDARD_ERRORS * half**0.5 / (1 + square / count)
    return max(0.0, center - margin), min(1.0, center + margin)


def interval_of_difference(
    first: float, first_count: int, other: float, other_count: int
) -> tuple[float, float]:
    """Returns the 95% interval of the first share minus the other, of independent examples.

    From the Wilson intervals of both (Newcombe 1998, Statistics in Medicine 17, method 10).

    Args:
        first: A share of some examples, in [0, 1].
        first_count: Number of these.
        other: A share of other examples, in [0, 1].
        other_count: Number of those.

    Examples:
        That paper's table II (a), 56 of 70 and 48 of 80:

        >>> low, high = interval_of_difference(56 / 70, 70, 48 / 80, 80)
        >>> round(low, 4), round(high, 4)
        (0.0524, 0.3339)
    """
    low, high = wilson_interval(first, first_count)
    other_low, other_high = wilson_interval(other, other_count)
    below = math.hypot(first - low, other_high - other)
    above = math.hypot(high - first, other - other_low)
    return first - other - below, first - other + above
