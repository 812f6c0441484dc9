"""The rules of `check` for images that have a number."""

import numpy as np

from tfxfer.data.checks.examples import Examples
from tfxfer.data.checks.result import Finding
from tfxfer.data.labels.numbers import readable

# "Far out" in a box plot: so many interquartile ranges beyond the quartiles (Tukey 1977,
# Exploratory Data Analysis).
_RANGES = 3.0


def findings_of_numbers(examples: Examples) -> list[Finding]:
    """Returns findings on numbers that are all the same, or far from the others.

    There are none where an image has a class.

    Args:
        examples: All examples of the source.
    """
    if not examples.source.has_numbers:
        return []
    (name,) = examples.source.class_names
    in_train = examples.splits == examples.split_names.index("train")
    numbers = examples.labels[in_train & examples.readable]
    if not len(numbers):
        return []
    if numbers.min() == numbers.max():
        return [
            Finding(
                "constant target",
                f"all training images have the same '{name}', {readable(float(numbers[0]))}",
                "stops; there is nothing to learn",
                blocks=True,
            )
        ]
    return _outliers(examples, name, numbers)


def _outliers(examples: Examples, name: str, numbers: np.ndarray) -> list[Finding]:
    """Returns a finding on numbers far beyond the quartiles of those of train."""
    low, high = np.percentile(numbers, [25, 75])
    margin = _RANGES * (high - low)
    limits = low - margin, high + margin
    labels = examples.labels
    far = np.flatnonzero(examples.readable & ((labels < limits[0]) | (labels > limits[1])))
    if not margin or not len(far):
        return []
    what = "1 image has" if len(far) == 1 else f"{len(far):,} images have"
    order = far[np.argsort(-np.abs(labels[far] - np.median(numbers)), kind="stable")]
    return [
        Finding(
            "outliers of the target",
            f"{what} a '{name}' far from the others, outside {readable(float(limits[0]))} to "
            f"{readable(float(limits[1]))}: three interquartile ranges beyond the quartiles",
            "trains on them, with a loss that limits their weight; correct or remove wrong ones",
            affected=examples.singly(order, lambda index: readable(float(labels[index]))),
        )
    ]
