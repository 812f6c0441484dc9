"""A number for each image: what is known of the numbers of a target, and how they are written."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tfxfer.errors import UsageError
from tfxfer.system.files import write_json

# Most groups of equal size that numbers are divided into, so that splits are alike; and how many
# examples each of them should have at least.
_QUANTILES, _LEAST_OF_QUANTILE = 10, 5


@dataclass(frozen=True)
class Number:
    """What is known of the numbers of a target, all of train, in its own unit.

    Attributes:
        name: Of the target.
        mean: Their mean.
        std: Their standard deviation; 0 where they are all the same.
        median: Their median: the best constant prediction by the mean absolute error.
        spread: Their mean absolute distance from the median, the error of always predicting it.
        low: The smallest.
        high: The largest.
    """

    name: str
    mean: float
    std: float
    median: float
    spread: float
    low: float
    high: float

    @classmethod
    def of(cls, name: str, values: npt.ArrayLike) -> Self:
        """Returns what is known of numbers, (num_examples,).

        Examples:
            >>> Number.of("price", [1.0, 2.0, 6.0]).median
            2.0
        """
        numbers = np.asarray(values, np.float64)
        median = float(np.median(numbers))
        return cls(
            name,
            float(numbers.mean()),
            0.0 if numbers.min() == numbers.max() else float(numbers.std()),
            median,
            float(np.abs(numbers - median).mean()),
            float(numbers.min()),
            float(numbers.max()),
        )

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns what `as_json` returned; unknown keys are left out.

        Raises:
            KeyError, TypeError, ValueError: The content is something else.
        """
        names = [one.name for one in dataclasses.fields(cls)]
        found = {name: float(content[name]) for name in names if name != "name"}
        if not all(map(math.isfinite, found.values())) or not found["std"] > 0:
            raise ValueError("its numbers must be finite, and 'std' above 0")
        return cls(name=str(content["name"]), **found)

    def as_json(self) -> dict[str, Any]:
        """Returns the attributes."""
        return dataclasses.asdict(self)


def quantiles_of(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Returns the group of each number, from 0, (num_examples,): up to ten of about equal size.

    Equal numbers are in one group.

    Examples:
        >>> quantiles_of(range(12))
        array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    """
    numbers = np.asarray(values, np.float64)
    count = max(1, min(_QUANTILES, len(numbers) // _LEAST_OF_QUANTILE))
    limits = np.quantile(numbers, np.arange(1, count) / count)
    groups = np.searchsorted(limits, numbers, side="right")
    return np.unique(groups, return_inverse=True)[1].astype(np.int64).reshape(-1)


def exact_text(value: float) -> str:
    """Returns a number as text from which the same number is read.

    Examples:
        >>> exact_text(3.0), exact_text(0.1)
        ('3', '0.1')
    """
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def readable(value: float) -> str:
    """Returns a number for people: four digits, or all before the point.

    Examples:
        >>> readable(12345.678), readable(0.0123456), readable(2.0)
        ('12,346', '0.01235', '2')
    """
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.4g}"
    return f"{value:.4g}"


def write_number(path: pathlib.Path, number: Number) -> None:
    """Writes what is known of a target, as a JSON object."""
    write_json(path, number.as_json())


def read_number(path: pathlib.Path) -> Number | None:
    """Returns what `write_number` wrote; None if there is no such file.

    Raises:
        UsageError: The file is not JSON, or something else.
    """
    if not path.is_file():
        return None
    try:
        return Number.of_json(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"'{path}' does not describe a target, with its mean and standard deviation: "
            f"{type(error).__name__}: {error}. Copy it from the run again."
        ) from None
